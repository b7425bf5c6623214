//! The wish of the user to stop, by Ctrl-C or by the signals that ask to end.

use metricopt_sdk::{Error, Result};
use std::sync::atomic::{AtomicBool, Ordering};

use crate::exec_metric;

static REQUESTED: AtomicBool = AtomicBool::new(false);

/// Whether the user asked to stop.
pub fn requested() -> bool {
    REQUESTED.load(Ordering::Relaxed)
}

/// Listens from now on: the first request is remembered and `heard`, the second one ends the process. Once a process.
///
/// # Errors
///
/// If the system refuses.
pub fn listen(heard: impl Fn() + Send + 'static) -> Result<()> {
    ctrlc::set_handler(move || {
        if REQUESTED.swap(true, Ordering::Relaxed) {
            exec_metric::kill_all();
            std::process::exit(1);
        }
        heard();
    })
    .map_err(|error| Error::failed(format!("cannot listen for Ctrl-C: {error}")))
}
