//! Metrics that misbehave.

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a plugin that prints is one of the faults"
)]

use metricopt_sdk::prelude::*;
use metricopt_sdk::tracing;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

/// What [`Misbehaving`] does when its time comes.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
enum How {
    /// Nothing: the mean score, always.
    #[default]
    Not,
    /// The same value for all predictions.
    Constant,
    /// Returns NaN.
    NotANumber,
    /// Returns infinity.
    Infinite,
    /// Returns 2, although it says that its values are between 0 and 1.
    OutOfRange,
    /// Returns an error.
    Error,
    /// Returns an error with the errors that led to it.
    Causes,
    /// Says that it has no value there.
    Undefined,
    /// Panics.
    Panic,
    /// Panics when it is dropped.
    PanicInDrop,
    /// Takes a tenth of a second.
    Sleep,
    /// Never returns.
    Forever,
    /// Prints to standard output and standard error.
    Print,
    /// Logs at every level.
    Log,
    /// Starts threads that go on after the call, one of which panics.
    Threads,
}

/// Mean score; after a number of calls it misbehaves.
#[derive(Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct Misbehaving {
    /// What it does.
    how: How,
    /// Calls before it does.
    after: u64,
    #[serde(skip)]
    calls: AtomicU64,
    #[serde(skip)]
    end: End,
}

/// Panics when it is dropped, if it was told to.
#[derive(Debug, Default)]
struct End {
    panics: AtomicBool,
}

impl Drop for End {
    fn drop(&mut self) {
        if self.panics.load(Ordering::Relaxed) {
            panic!("the metric panicked in its drop on purpose");
        }
    }
}

impl Metric for Misbehaving {
    const NAME: &'static str = "misbehaving";
    const DIRECTION: Direction = Direction::Maximise;
    const RANGE: (f64, f64) = (0.0, 1.0);
    type Input<'a> = Classification<'a>;

    fn evaluate(&self, input: Classification<'_>) -> Result<f64> {
        let scores = input.scores();
        let mean = scores.iter().map(|&score| f64::from(score)).sum::<f64>() / scores.len() as f64;
        if self.calls.fetch_add(1, Ordering::Relaxed) < self.after {
            return Ok(mean);
        }
        match self.how {
            How::Not => {}
            How::PanicInDrop => self.end.panics.store(true, Ordering::Relaxed),
            How::Constant => return Ok(0.5),
            How::NotANumber => return Ok(f64::NAN),
            How::Infinite => return Ok(f64::INFINITY),
            How::OutOfRange => return Ok(2.0),
            How::Error => return Err(Error::failed("the sensor is unplugged").hint("plug it in")),
            How::Causes => {
                let unplugged = std::io::Error::other(std::io::Error::other("no current"));
                return Err(Error::data("cannot read the sensor").caused_by(&unplugged));
            }
            How::Undefined => return Err(Error::undefined("no value today")),
            How::Panic => panic!("the metric panicked on purpose"),
            How::Sleep => std::thread::sleep(Duration::from_millis(100)),
            How::Forever => {
                // For the test that waits for it.
                let _ = std::fs::write("stuck", "");
                loop {
                    std::thread::sleep(Duration::from_secs(1));
                }
            }
            How::Print => {
                println!("printed to standard output");
                eprintln!("printed to standard error");
            }
            How::Log => {
                tracing::error!("an error from inside");
                tracing::warn!(rows = scores.len(), "a warning from inside");
                tracing::info!("news from inside");
                tracing::debug!("a detail from inside");
            }
            How::Threads => {
                std::thread::spawn(|| panic!("a thread panicked on purpose"));
                std::thread::spawn(|| {
                    loop {
                        std::thread::sleep(Duration::from_millis(1));
                    }
                });
            }
        }
        Ok(mean)
    }
}

register!(metric Misbehaving);

/// Takes predictions that the tabular task does not make.
#[derive(Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct OfEmbeddings {}

impl Metric for OfEmbeddings {
    const NAME: &'static str = "of-embeddings";
    const DIRECTION: Direction = Direction::Maximise;
    type Input<'a> = Retrieval<'a>;

    fn evaluate(&self, _: Retrieval<'_>) -> Result<f64> {
        Ok(0.0)
    }
}
register!(metric OfEmbeddings);
