//! Phases that take a while: a bar on a terminal, now and then a line where standard error is none or several things go on.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};
use std::cell::{Cell, RefCell};
use std::fmt::Write;
use std::io::IsTerminal;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::quantities::duration;

/// A phase shorter than this needs no bar.
const PATIENCE: Duration = Duration::from_millis(700);

/// Time between two lines, and before the first: who looks into the log of a job wants to see that it goes on.
const BETWEEN_LINES: Duration = Duration::from_secs(30);

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
    manner: Manner,
    phase: RefCell<Option<Phase>>,
    /// When a line was last said, or everything began.
    told: Cell<Instant>,
}

/// How phases are shown.
enum Manner {
    Bar,
    /// Each line begins with this.
    Lines(String),
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

    /// Shows the bar of a phase that takes a while.
    fn draw(&mut self) {
        if !self.shown && self.bar.elapsed() > PATIENCE {
            self.bar.set_draw_target(ProgressDrawTarget::stderr());
            self.shown = true;
            *shown() = Some(self.bar.clone());
        }
    }

    /// Says how far it is.
    fn tell(&self, whose: &str) {
        let (done, total) = (self.bar.position(), self.bar.length().unwrap_or_default());
        say_line(&line(whose, &self.name, done, total, self.bar.elapsed()));
    }

    fn end(&self) {
        if self.shown {
            *shown() = None;
        }
        self.bar.finish_and_clear();
    }
}

impl Progress {
    /// A bar on a terminal, lines elsewhere.
    pub(super) fn new() -> Self {
        Self::shown_as(if std::io::stderr().is_terminal() {
            Manner::Bar
        } else {
            Manner::Lines(String::new())
        })
    }

    /// Lines that say whose they are: where several things go on at a time.
    pub(super) fn lines_of(whose: &str) -> Self {
        Self::shown_as(Manner::Lines(format!("{whose}: ")))
    }

    fn shown_as(manner: Manner) -> Self {
        Self {
            manner,
            phase: RefCell::new(None),
            told: Cell::new(Instant::now()),
        }
    }

    /// Hears that `done` of `total` of a phase are done.
    pub(super) fn update(&self, name: &str, done: u64, total: u64) {
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
            phase.bar.set_length(total);
            phase.bar.set_position(done);
            match &self.manner {
                Manner::Bar => phase.draw(),
                Manner::Lines(whose) => {
                    if self.told.get().elapsed() >= BETWEEN_LINES {
                        self.told.set(Instant::now());
                        phase.tell(whose);
                    }
                }
            }
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

/// `seed 1: pre-training 30 of 120, about 90 s left`.
fn line(whose: &str, phase: &str, done: u64, total: u64, elapsed: Duration) -> String {
    let mut line = format!("{whose}{phase} {done} of {total}");
    if done > 0 {
        let left = elapsed.as_secs_f64() / done as f64 * total.saturating_sub(done) as f64;
        line.push_str(&format!(", about {} left", duration(left)));
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_says_whose_it_is_and_how_much_is_left() {
        let half_a_minute = Duration::from_secs(30);
        assert_eq!(
            line("seed 1: ", "pre-training", 30, 120, half_a_minute),
            "seed 1: pre-training 30 of 120, about 90 s left"
        );
        assert_eq!(line("", "test", 0, 1, half_a_minute), "test 0 of 1");
    }
}
