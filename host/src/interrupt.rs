//! The wish of the user to stop, by Ctrl-C or by the signals that ask to end; whoever does not hear it is left behind.

use metricopt_sdk::{Error, Result};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::run::Remains;
use crate::{exec_metric, foreign};

/// How long a plugin may take to notice. Ours notice within a fraction of a second.
const PATIENCE: Duration = Duration::from_secs(10);

static REQUESTED: AtomicBool = AtomicBool::new(false);

/// What to tidy up if the process has to end in the middle of a call.
static REMAINS: Mutex<Option<Remains>> = Mutex::new(None);

/// Whether the user asked to stop.
pub fn requested() -> bool {
    REQUESTED.load(Ordering::Relaxed)
}

/// Listens from now on: the first request is remembered, the second one, or nobody stopping for ten seconds, ends the
/// process. `say` tells a line. Once a process.
///
/// # Errors
///
/// If the system refuses.
pub fn listen(say: fn(&str)) -> Result<()> {
    ctrlc::set_handler(move || {
        if REQUESTED.swap(true, Ordering::Relaxed) {
            end("stopped at once", say);
        }
        say("\nstopping; once more to stop at once");
        std::thread::spawn(move || {
            std::thread::sleep(PATIENCE);
            end("stopped", say);
        });
    })
    .map_err(|error| Error::failed(format!("cannot listen for Ctrl-C: {error}")))
}

/// Says which run directory there is to tidy up.
pub fn remember(remains: Remains) {
    *REMAINS.lock().unwrap_or_else(PoisonError::into_inner) = Some(remains);
}

/// Ends the process although somebody is still busy.
fn end(how: &str, say: fn(&str)) -> ! {
    exec_metric::kill_all();
    let busy = foreign::innermost().map_or_else(String::new, |(what, time)| {
        format!(
            ": {what} was busy for {:.0} s and did not stop",
            time.as_secs_f64()
        )
    });
    say(&format!("error: {how}{busy}"));
    let remains = REMAINS
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .take();
    if let Some(path) = remains.and_then(|remains| remains.tidy(true)) {
        say(&format!(
            " hint: what was finished is in `{0}`; the same command with `--out {0} --resume` goes on",
            path.display()
        ));
    }
    std::process::exit(1);
}
