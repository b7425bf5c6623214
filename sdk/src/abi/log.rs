//! Log lines: `tracing` in a plugin, the host's log at the other end.
//!
//! Every library holds its own copy of `tracing` with one dispatcher each; what is installed there hands every event
//! on, so that a plugin's events appear in the host's log whether it is compiled in or loaded.

#![expect(unsafe_code, reason = "log lines cross as a C callback")]

use std::ffi::c_void;
use std::fmt::{self, Write};
use std::mem::size_of;
use std::sync::{Mutex, PoisonError};
use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

use super::types::{Host, Str};
use super::{MINOR, table};
use crate::Result;

/// How much a log line matters, as numbered by the ABI.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Something failed.
    Error = 1,
    /// Something is not as it should be.
    Warning = 2,
    /// Something worth knowing happened.
    Info = 3,
    /// For whoever looks for a fault.
    Debug = 4,
    /// Everything.
    Trace = 5,
}

impl Level {
    fn from_code(code: u32) -> Self {
        match code {
            0 | 1 => Self::Error,
            2 => Self::Warning,
            3 => Self::Info,
            4 => Self::Debug,
            _ => Self::Trace,
        }
    }

    fn of(level: &tracing::Level) -> Self {
        match *level {
            tracing::Level::ERROR => Self::Error,
            tracing::Level::WARN => Self::Warning,
            tracing::Level::INFO => Self::Info,
            tracing::Level::DEBUG => Self::Debug,
            tracing::Level::TRACE => Self::Trace,
        }
    }

    fn filter(self) -> LevelFilter {
        match self {
            Self::Error => LevelFilter::ERROR,
            Self::Warning => LevelFilter::WARN,
            Self::Info => LevelFilter::INFO,
            Self::Debug => LevelFilter::DEBUG,
            Self::Trace => LevelFilter::TRACE,
        }
    }
}

/// Takes a log line: level, target (where it comes from) and text. Called from any thread.
pub type Logger = dyn Fn(Level, &str, &str) + Send + Sync;

/// Sends the `tracing` events of this binary to a logger. The first one that is installed stays.
pub fn install_logger(max_level: Level, logger: Box<Logger>) {
    let forwarder = Forwarder { max_level, logger };
    // Somebody may have installed a subscriber of their own: theirs, then.
    let _ = tracing::subscriber::set_global_default(forwarder);
}

/// What a host hands to one library at the handshake: its log lines go to `logger`. Lives as long as the process.
pub(super) fn host(max_level: Level, logger: Box<Logger>) -> &'static Host {
    /// All there are: kept, not leaked, also for a leak checker, whatever the library does with the pointer.
    static HOSTS: Mutex<Vec<Kept>> = Mutex::new(Vec::new());
    struct Kept(#[expect(dead_code, reason = "only kept")] &'static Host);
    // SAFETY: nobody ever takes it out again.
    unsafe impl Send for Kept {}
    unsafe extern "C" fn log(context: *mut c_void, level: u32, target: Str, message: Str) {
        // SAFETY: the context is the logger below, which is never freed and may be called from any thread.
        let logger = unsafe { &*context.cast::<Box<Logger>>() };
        // SAFETY: the plugin vouches for its texts during the call.
        let (target, message) = unsafe { (target.text("target"), message.text("message")) };
        logger(
            Level::from_code(level),
            target.unwrap_or_default(),
            message.unwrap_or("(a message that is not UTF-8)"),
        );
    }
    let logger: &'static mut Box<Logger> = Box::leak(Box::new(logger));
    let host: &'static Host = Box::leak(Box::new(Host {
        size: size_of::<Host>(),
        minor: MINOR,
        max_level: max_level as u32,
        features: 0,
        context: (&raw mut *logger).cast(),
        log: Some(log),
    }));
    let mut hosts = HOSTS.lock().unwrap_or_else(PoisonError::into_inner);
    hosts.push(Kept(host));
    host
}

/// On the plugin's side: sends the events of this library to the host.
///
/// # Safety
///
/// `host` must be what the ABI says, for the life of the process.
pub(super) unsafe fn forward_to(host: *const Host) -> Result<()> {
    struct Target(Host);
    // SAFETY: the ABI says that `log` may be called from any thread.
    unsafe impl Send for Target {}
    // SAFETY: as above.
    unsafe impl Sync for Target {}
    impl Target {
        fn log(&self, level: Level, target: &str, message: &str) {
            if let Some(log) = self.0.log {
                // SAFETY: the function belongs to this context; the texts are borrowed for the call.
                unsafe {
                    log(
                        self.0.context,
                        level as u32,
                        Str::borrow(target),
                        Str::borrow(message),
                    );
                }
            }
        }
    }
    // SAFETY: as the caller vouches.
    let host = Target(unsafe { table::read(host) }?);
    let max_level = Level::from_code(host.0.max_level);
    install_logger(
        max_level,
        Box::new(move |level, target, message| host.log(level, target, message)),
    );
    Ok(())
}

/// Hands events on as lines of text; spans count for nothing.
struct Forwarder {
    max_level: Level,
    logger: Box<Logger>,
}

impl Subscriber for Forwarder {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        Level::of(metadata.level()) <= self.max_level
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(self.max_level.filter())
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut line = Line(String::new());
        event.record(&mut line);
        let metadata = event.metadata();
        (self.logger)(Level::of(metadata.level()), metadata.target(), &line.0);
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

/// The message, and other fields as `name=value`.
struct Line(String);

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let space = if self.0.is_empty() { "" } else { " " };
        // Writing to a `String` does not fail.
        let _ = match field.name() {
            "message" => write!(self.0, "{space}{value:?}"),
            name => write!(self.0, "{space}{name}={value:?}"),
        };
    }
}
