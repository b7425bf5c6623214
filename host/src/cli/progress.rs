//! Progress bars for phases that take a while; silent where standard error is no terminal.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};
use std::cell::RefCell;
use std::fmt::Write;
use std::io::IsTerminal;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// A phase shorter than this needs no bar.
const PATIENCE: Duration = Duration::from_millis(700);

/// The bar on the screen, which lines of text must not tear.
static SHOWN: Mutex<Option<ProgressBar>> = Mutex::new(None);

fn shown() -> MutexGuard<'static, Option<ProgressBar>> {
    SHOWN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Says a line on standard error, from any thread, without tearing the bar.
pub(super) fn say_line(line: &str) {
    match shown().as_ref() {
        Some(bar) => bar.suspend(|| eprintln!("{line}")),
        None => eprintln!("{line}"),
    }
}

/// Shows one phase at a time.
pub(super) struct Progress {
    visible: bool,
    phase: RefCell<Option<Phase>>,
}

/// A phase is followed from its start, so that the rate is right once the bar appears.
struct Phase {
    name: String,
    bar: ProgressBar,
    shown: bool,
}

impl Phase {
    fn new(name: &str) -> Self {
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::hidden());
        let template = "{msg:16} {bar:30} {pos}/{len}  {rate}  {eta} left";
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(
                style.with_key("rate", |state: &ProgressState, out: &mut dyn Write| {
                    // Writing into indicatif's line buffer cannot fail.
                    let _ = write!(out, "{:.1}/s", state.per_sec());
                }),
            );
        }
        bar.set_message(name.to_owned());
        Self {
            name: name.to_owned(),
            bar,
            shown: false,
        }
    }

    fn end(&self) {
        *shown() = None;
        self.bar.finish_and_clear();
    }
}

impl Progress {
    pub(super) fn new() -> Self {
        Self {
            visible: std::io::stderr().is_terminal(),
            phase: RefCell::new(None),
        }
    }

    /// Shows no phases: where several things go on at a time.
    pub(super) fn hidden() -> Self {
        Self {
            visible: false,
            phase: RefCell::new(None),
        }
    }

    /// Hears that `done` of `total` of a phase are done.
    pub(super) fn update(&self, name: &str, done: u64, total: u64) {
        if !self.visible {
            return;
        }
        let mut current = self.phase.borrow_mut();
        // A phase that starts again is a new one: methods run the same phase several times.
        let goes_on = current
            .as_ref()
            .is_some_and(|phase| phase.name == name && phase.bar.position() <= done);
        if !goes_on {
            if let Some(phase) = current.take() {
                phase.end();
            }
            *current = Some(Phase::new(name));
        }
        if let Some(phase) = current.as_mut() {
            if !phase.shown && phase.bar.elapsed() > PATIENCE {
                phase.bar.set_draw_target(ProgressDrawTarget::stderr());
                phase.shown = true;
                *shown() = Some(phase.bar.clone());
            }
            phase.bar.set_length(total);
            phase.bar.set_position(done);
        }
    }

    /// Takes the bar away.
    pub(super) fn clear(&self) {
        if let Some(phase) = self.phase.borrow_mut().take() {
            phase.end();
        }
    }

    /// Says a line between two phases.
    pub(super) fn say(&self, line: &str) {
        self.clear();
        eprintln!("{line}");
    }
}
