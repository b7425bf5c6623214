//! Panics become errors that say what panicked, why and where.

use std::any::Any;
use std::backtrace::{Backtrace, BacktraceStatus};
use std::cell::{Cell, RefCell};
use std::mem::ManuallyDrop;
use std::panic::{self, AssertUnwindSafe};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, Once, PoisonError};

use crate::{Error, Result};

thread_local! {
    /// How many calls of [`catch`] this thread is inside of.
    static DEPTH: Cell<usize> = const { Cell::new(0) };
    /// Where the last caught panic of this thread happened.
    static HERE: RefCell<Option<Place>> = const { RefCell::new(None) };
}

/// Where the last panic of any thread happened: a thread pool carries a panic to another thread, but not its place.
static ELSEWHERE: Mutex<Option<Place>> = Mutex::new(None);

#[derive(Clone, Debug, Default)]
struct Place {
    location: String,
    backtrace: Option<String>,
}

/// Whether panics that nobody catches, on threads that an author started, go to the log.
static LOG_OTHERS: AtomicBool = AtomicBool::new(false);

/// From here on panics that nobody catches go to the log: in a loaded plugin, where the log says whose they are.
pub(crate) fn log_others() {
    install_hook();
    LOG_OTHERS.store(true, Ordering::Relaxed);
}

/// What a panic said.
fn message(payload: &(dyn Any + Send)) -> String {
    let text = payload
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| payload.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("no message");
    // libtorch appends its C++ stack, with which a user can do nothing.
    let end = ["\\nException raised from", "\nException raised from"]
        .iter()
        .filter_map(|stack| text.find(stack))
        .min();
    text[..end.unwrap_or(text.len())].to_owned()
}

/// Keeps caught panics off standard error and remembers where they happened.
fn install_hook() {
    static INSTALLED: Once = Once::new();
    INSTALLED.call_once(|| {
        let previous = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            let backtrace = Backtrace::capture();
            let place = Place {
                location: info
                    .location()
                    .map(|location| format!("{}:{}", location.file(), location.line()))
                    .unwrap_or_default(),
                backtrace: (backtrace.status() == BacktraceStatus::Captured)
                    .then(|| backtrace.to_string()),
            };
            *ELSEWHERE.lock().unwrap_or_else(PoisonError::into_inner) = Some(place.clone());
            if DEPTH.get() > 0 {
                HERE.set(Some(place));
            } else if LOG_OTHERS.load(Ordering::Relaxed) {
                let message = message(info.payload());
                tracing::error!("a thread panicked: {message} (at {})", place.location);
            } else {
                previous(info);
            }
        }));
    });
}

/// A panic that was caught.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Panic {
    /// What it said.
    pub message: String,
    /// File and line; empty if not known.
    pub location: String,
    /// How it came there, if `RUST_BACKTRACE` asks for it.
    pub backtrace: Option<String>,
}

impl Panic {
    /// The error that a person reads.
    pub fn into_error(self) -> Error {
        let place = match self.location.as_str() {
            "" => String::new(),
            location => format!(" (at {location})"),
        };
        Error::failed(format!("panicked: {}{place}", self.message)).with_parts(
            Vec::new(),
            vec!["this is a fault of the plugin: report it to its author".to_owned()],
            self.backtrace,
        )
    }
}

/// Calls code that may panic. Whoever panicked must not be called again, only dropped.
///
/// # Errors
///
/// That it panicked.
///
/// ```
/// use metricopt_sdk::panics;
///
/// assert_eq!(panics::catch(|| 2), Ok(2));
/// let panic = panics::catch(|| panic!("out of luck")).unwrap_err();
/// assert_eq!(panic.message, "out of luck");
/// assert!(panic.location.contains(".rs:"));
/// ```
pub fn catch<T>(call: impl FnOnce() -> T) -> Result<T, Panic> {
    install_hook();
    DEPTH.set(DEPTH.get() + 1);
    HERE.set(None);
    let result = panic::catch_unwind(AssertUnwindSafe(call));
    DEPTH.set(DEPTH.get() - 1);
    result.map_err(|payload| {
        let message = message(payload.as_ref());
        if !(payload.is::<String>() || payload.is::<&str>()) {
            // What else a panic carries may panic when it is dropped: nobody needs it any more.
            std::mem::forget(payload);
        }
        let elsewhere = || {
            ELSEWHERE
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .take()
        };
        let place = HERE.take().or_else(elsewhere).unwrap_or_default();
        Panic {
            message,
            location: place.location,
            backtrace: place.backtrace,
        }
    })
}

/// Calls code that may fail or panic.
///
/// # Errors
///
/// Those of `call`, or that it panicked.
///
/// ```
/// use metricopt_sdk::panics;
///
/// assert_eq!(panics::guard(|| Ok(2))?, 2);
/// let error = panics::guard(|| -> metricopt_sdk::Result<()> { panic!("out of luck") }).unwrap_err();
/// assert!(error.to_string().starts_with("panicked: out of luck (at "), "{error}");
/// # Ok::<(), metricopt_sdk::Error>(())
/// ```
pub fn guard<T>(call: impl FnOnce() -> Result<T>) -> Result<T> {
    catch(call).unwrap_or_else(|panic| Err(panic.into_error()))
}

/// Drops a value of an author, whose `Drop` may panic: that is logged and goes no further.
pub(crate) fn drop_guarded<T>(value: &mut ManuallyDrop<T>, what: &str, name: &str) {
    #[expect(
        unsafe_code,
        reason = "a destructor that panics must be caught where it runs"
    )]
    // SAFETY: called from the `Drop` of the owner alone, so once, and nobody uses the value afterwards.
    let dropped = catch(|| unsafe { ManuallyDrop::drop(value) });
    if let Err(panic) = dropped {
        tracing::error!(
            "{what} `{name}` {} while it was dropped",
            panic.into_error()
        );
    }
}
