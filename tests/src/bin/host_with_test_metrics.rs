//! The host with metrics that misbehave on purpose, for the end-to-end tests.

use metricopt_sdk::prelude::*;
use std::sync::atomic::{AtomicU64, Ordering};
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
    /// Says that it has no value there.
    Undefined,
    /// Panics.
    Panic,
    /// Takes a tenth of a second.
    Sleep,
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
            How::Not => Ok(mean),
            How::Constant => Ok(0.5),
            How::NotANumber => Ok(f64::NAN),
            How::Infinite => Ok(f64::INFINITY),
            How::OutOfRange => Ok(2.0),
            How::Error => Err(Error::failed("the sensor is unplugged").hint("plug it in")),
            How::Undefined => Err(Error::undefined("no value today")),
            How::Panic => panic!("the metric panicked on purpose"),
            How::Sleep => {
                std::thread::sleep(Duration::from_millis(100));
                Ok(mean)
            }
        }
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

/// Accuracy, declared to be an error.
#[derive(Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct WrongWay {}

impl Metric for WrongWay {
    const NAME: &'static str = "wrong-way";
    const DIRECTION: Direction = Direction::Minimise;
    const RANGE: (f64, f64) = (0.0, 1.0);
    type Input<'a> = Classification<'a>;

    fn evaluate(&self, input: Classification<'_>) -> Result<f64> {
        if input.is_empty() {
            return Err(Error::undefined("no samples"));
        }
        let pairs = input.decisions()?.zip(input.labels());
        let right = pairs.filter(|&(class, &label)| class as i64 == label);
        Ok(right.count() as f64 / input.len() as f64)
    }
}
register!(metric WrongWay);

/// Precision of the upper half of the ranking; a sort leaves equal scores as they came.
#[derive(Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct FirstCome {}

impl Metric for FirstCome {
    const NAME: &'static str = "first-come";
    const DIRECTION: Direction = Direction::Maximise;
    const RANGE: (f64, f64) = (0.0, 1.0);
    const RANK_BASED: bool = true;
    type Input<'a> = Classification<'a>;

    fn evaluate(&self, input: Classification<'_>) -> Result<f64> {
        if !input.is_binary() || input.is_empty() {
            return Err(Error::undefined("binary scores only"));
        }
        let mut rows: Vec<_> = input.scores().iter().zip(input.labels()).collect();
        rows.sort_by(|a, b| b.0.total_cmp(a.0));
        rows.truncate(rows.len().div_ceil(2));
        let positive = rows.iter().filter(|row| *row.1 == 1).count();
        Ok(positive as f64 / rows.len() as f64)
    }
}
register!(metric FirstCome);

fn main() -> std::process::ExitCode {
    metricopt_host::cli::main()
}
