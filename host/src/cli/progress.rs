//! Progress bars for phases that take a while; silent where standard error is no terminal.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::cell::RefCell;
use std::io::IsTerminal;
use std::time::{Duration, Instant};

/// A phase shorter than this needs no bar.
const PATIENCE: Duration = Duration::from_millis(700);

/// Shows one phase at a time.
pub(super) struct Progress {
    visible: bool,
    phase: RefCell<Phase>,
}

struct Phase {
    name: String,
    started: Instant,
    bar: Option<ProgressBar>,
}

impl Progress {
    pub(super) fn new() -> Self {
        Self {
            visible: std::io::stderr().is_terminal(),
            phase: RefCell::new(Phase {
                name: String::new(),
                started: Instant::now(),
                bar: None,
            }),
        }
    }

    /// Hears that `done` of `total` of a phase are done.
    pub(super) fn update(&self, name: &str, done: u64, total: u64) {
        if !self.visible {
            return;
        }
        let mut phase = self.phase.borrow_mut();
        if phase.name != name || (done == 0 && phase.bar.is_none()) {
            if let Some(bar) = phase.bar.take() {
                bar.finish_and_clear();
            }
            name.clone_into(&mut phase.name);
            phase.started = Instant::now();
        }
        if phase.bar.is_none() && phase.started.elapsed() > PATIENCE {
            let bar = ProgressBar::with_draw_target(Some(total), ProgressDrawTarget::stderr());
            let template = "{msg:16} {bar:30} {pos}/{len} {per_sec} {eta} left";
            if let Ok(style) = ProgressStyle::with_template(template) {
                bar.set_style(style);
            }
            bar.set_message(name.to_owned());
            // Work done before the bar appeared counts for its rate.
            phase.bar = Some(bar.with_elapsed(phase.started.elapsed()));
        }
        if let Some(bar) = &phase.bar {
            bar.set_length(total);
            bar.set_position(done);
        }
    }

    /// Takes the bar away.
    pub(super) fn clear(&self) {
        if let Some(bar) = self.phase.borrow_mut().bar.take() {
            bar.finish_and_clear();
        }
    }

    /// Says a line without tearing the bar.
    pub(super) fn say(&self, line: &str) {
        self.clear();
        eprintln!("{line}");
    }
}
