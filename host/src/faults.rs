//! Panics of plugins become errors: what a plugin does never takes the run directory down with it.

use metricopt_sdk::{Error, Result};
use std::cell::Cell;
use std::panic::{self, AssertUnwindSafe};
use std::sync::{Mutex, Once, PoisonError};

thread_local! {
    /// How many guards this thread is inside of.
    static GUARDS: Cell<usize> = const { Cell::new(0) };
}

/// Where the last guarded panic happened; a thread pool carries a panic to another thread, but not its place.
static PLACE: Mutex<Option<String>> = Mutex::new(None);

/// Keeps guarded panics off standard error and remembers where they happened.
fn install_hook() {
    static INSTALLED: Once = Once::new();
    INSTALLED.call_once(|| {
        let previous = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            let place = info
                .location()
                .map(|location| format!("{}:{}", location.file(), location.line()));
            *PLACE.lock().unwrap_or_else(PoisonError::into_inner) = place;
            if GUARDS.get() == 0 {
                previous(info);
            }
        }));
    });
}

/// Calls foreign code; a panic in it becomes an error that says what panicked, why and where.
///
/// # Errors
///
/// Those of `call`, or that it panicked.
///
/// ```
/// use metricopt_host::faults::guard;
///
/// assert_eq!(guard(|| Ok(2))?, 2);
/// let error = guard(|| -> metricopt_sdk::Result<()> { panic!("out of luck") }).unwrap_err();
/// assert!(error.to_string().starts_with("panicked: out of luck (at "), "{error}");
/// # Ok::<(), metricopt_sdk::Error>(())
/// ```
pub fn guard<T>(call: impl FnOnce() -> Result<T>) -> Result<T> {
    install_hook();
    GUARDS.set(GUARDS.get() + 1);
    // Whoever panicked is not called again: the run ends with this error.
    let result = panic::catch_unwind(AssertUnwindSafe(call));
    GUARDS.set(GUARDS.get() - 1);
    result.unwrap_or_else(|payload| {
        let message = payload
            .downcast_ref::<&str>()
            .map(|text| (*text).to_owned())
            .or_else(|| payload.downcast_ref::<String>().cloned())
            .unwrap_or_else(|| "no message".to_owned());
        let place = PLACE.lock().unwrap_or_else(PoisonError::into_inner).take();
        let place = place
            .map(|place| format!(" (at {place})"))
            .unwrap_or_default();
        Err(Error::failed(format!("panicked: {message}{place}"))
            .hint("this is a fault of the plugin: report it to its author"))
    })
}
