//! Ctrl-C: the first asks to stop, and whoever does not is left behind.

use metricopt_sdk::{Error, Result};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::progress;
use crate::foreign;
use crate::run::Remains;

/// How long a plugin may take to notice. Ours notice within a fraction of a second.
const PATIENCE: Duration = Duration::from_secs(10);

/// Set once the user asks to stop.
static CANCELLED: AtomicBool = AtomicBool::new(false);

/// What to tidy up if the process has to end in the middle of a call.
static REMAINS: Mutex<Option<Remains>> = Mutex::new(None);

/// Whether the user asked to stop.
pub(super) fn cancelled() -> bool {
    CANCELLED.load(Ordering::Relaxed)
}

/// Listens for Ctrl-C and for the wish of the system to end the process.
pub(super) fn listen() -> Result<()> {
    ctrlc::set_handler(|| {
        if CANCELLED.swap(true, Ordering::Relaxed) {
            end("stopped at once");
        }
        progress::say_line("\nstopping; once more to stop at once");
        std::thread::spawn(|| {
            std::thread::sleep(PATIENCE);
            end("stopped");
        });
    })
    .map_err(|error| Error::failed(format!("cannot listen for Ctrl-C: {error}")))
}

/// Says which run directory there is to tidy up.
pub(super) fn remember(remains: Remains) {
    *REMAINS.lock().unwrap_or_else(PoisonError::into_inner) = Some(remains);
}

/// Ends the process although somebody is still busy.
fn end(how: &str) -> ! {
    let busy = foreign::innermost().map_or_else(String::new, |(what, time)| {
        format!(
            ": {what} was busy for {:.0} s and did not stop",
            time.as_secs_f64()
        )
    });
    progress::say_line(&format!("error: {how}{busy}"));
    let remains = REMAINS
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .take();
    if let Some(remains) = remains
        && let Some(path) = remains.tidy()
    {
        progress::say_line(&format!(
            " hint: what was finished is in `{}`",
            path.display()
        ));
    }
    std::process::exit(1);
}
