//! The metric kit: laws that every metric obeys, and whether a metric can be optimised.
//!
//! A metric is a black box to the engine, which calls it thousands of times and believes every value. A metric that
//! depends on the order of the samples, returns NaN for one class, or improves in the other direction than it declares
//! ruins a run without a word. One line in a plugin's tests finds out:
//!
//! ```
//! use metricopt_sdk::{prelude::*, testkit};
//!
//! /// Share of samples whose decision is their label.
//! #[derive(Default, Serialize, Deserialize, JsonSchema)]
//! #[serde(default, deny_unknown_fields)]
//! struct Accuracy {}
//!
//! impl Metric for Accuracy {
//!     const NAME: &'static str = "accuracy";
//!     const DIRECTION: Direction = Direction::Maximise;
//!     const RANGE: (f64, f64) = (0.0, 1.0);
//!     type Input<'a> = Classification<'a>;
//!
//!     fn evaluate(&self, input: Classification<'_>) -> Result<f64> {
//!         if input.is_empty() {
//!             return Err(Error::undefined("no samples"));
//!         }
//!         let right = input.decisions()?.zip(input.labels()).filter(|&(class, &label)| class as i64 == label);
//!         Ok(right.count() as f64 / input.len() as f64)
//!     }
//! }
//!
//! // In a test:
//! testkit::assert_laws(&Accuracy {});
//! ```
//!
//! [`check`] returns the [`Report`] instead, which prints as one line a law: [`Law`] lists them. It also follows the
//! metric along random lines through a small built-in model and says whether it is flat, noisy or smooth there
//! ([`Profile`]). `host check-metric` does the same with a real task.
//!
//! Predictions are made up for classification (binary and of three classes), retrieval (with and without
//! queries of their own) and detection. A metric of
//! [`Kind::Named`](crate::Kind::Named) tensors is checked on [samples](Options::samples) of its author's own:
//!
//! ```
//! use metricopt_sdk::{prelude::*, testkit};
//! use testkit::{Law, Options, Sample, Verdict};
//!
//! /// Mean depth.
//! #[derive(Default, Serialize, Deserialize, JsonSchema)]
//! #[serde(default, deny_unknown_fields)]
//! struct Depth {}
//!
//! impl Metric for Depth {
//!     const NAME: &'static str = "depth";
//!     const DIRECTION: Direction = Direction::Minimise;
//!     type Input<'a> = Named<'a>;
//!
//!     fn evaluate(&self, input: Named<'_>) -> Result<f64> {
//!         let depths = input.get("depth")?.f32()?;
//!         Ok(depths.iter().map(|&depth| f64::from(depth)).sum::<f64>() / depths.len() as f64)
//!     }
//! }
//!
//! let tensors = [View::new("depth", &[2], Data::F32(&[1.5, 2.0]))?];
//! let sample = Sample::copy("two depths", &Views::new(&tensors));
//! let options = Options { samples: vec![sample], ..Options::default() };
//! let report = testkit::check_with(&Depth {}, &options)?;
//! assert_eq!(report.verdict(Law::Determinism), Verdict::Held);
//! assert_eq!(report.verdict(Law::Direction), Verdict::NotApplicable);
//! # Ok::<(), metricopt_sdk::Error>(())
//! ```

mod digits;
mod draws;
mod laws;
mod lines;
mod profile;
mod report;
mod sample;
mod sources;
mod subject;

pub use profile::{Gap, Profile, Shape, summarise};
pub use report::{Finding, Law, Report, Verdict};
pub use sample::Sample;

use crate::{DynMetric, Metric, MetricEntry, Result, config};
use laws::Trial;
use subject::Subject;

/// How a metric is checked.
#[derive(Clone, Debug)]
pub struct Options {
    /// Seed of everything random.
    pub seed: u64,
    /// Predictions to check it on beside those that are made up.
    pub samples: Vec<Sample>,
    /// Whether to follow it along lines through a small built-in model.
    pub profile: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            seed: 0,
            samples: Vec::new(),
            profile: true,
        }
    }
}

/// Checks a metric as the host would see it: configured by JSON, on named tensors.
///
/// # Errors
///
/// If the configuration is out of range.
///
/// ```
/// use metricopt_sdk::{prelude::*, testkit};
/// use testkit::{Law, Verdict};
///
/// /// Number of samples decided for.
/// #[derive(Default, Serialize, Deserialize, JsonSchema)]
/// #[serde(default, deny_unknown_fields)]
/// struct Decided {}
///
/// impl Metric for Decided {
///     const NAME: &'static str = "decided";
///     const DIRECTION: Direction = Direction::Maximise;
///     const RANGE: (f64, f64) = (0.0, 1.0);
///     type Input<'a> = Classification<'a>;
///
///     fn evaluate(&self, input: Classification<'_>) -> Result<f64> {
///         Ok(input.decisions()?.filter(|&class| class == 1).count() as f64)
///     }
/// }
///
/// let report = testkit::check(&Decided {})?;
/// assert_eq!(report.verdict(Law::Range), Verdict::Broken);
/// assert_eq!(report.verdict(Law::Permutation), Verdict::NotApplicable);
/// # Ok::<(), metricopt_sdk::Error>(())
/// ```
pub fn check<M: Metric>(metric: &M) -> Result<Report> {
    check_with(metric, &Options::default())
}

/// Checks a metric with other options: another seed, or predictions of one's own.
///
/// # Errors
///
/// If the configuration is out of range.
pub fn check_with<M: Metric>(metric: &M, options: &Options) -> Result<Report> {
    let entry = MetricEntry::of::<M>();
    let metric = entry.create(&config::to_json(metric))?;
    Ok(check_entry(&entry, metric.as_ref(), options))
}

/// Fails a test if a metric breaks a law.
///
/// # Panics
///
/// With the whole report, if the metric breaks a law or its configuration is out of range.
#[track_caller]
pub fn assert_laws<M: Metric>(metric: &M) {
    match check(metric) {
        Ok(report) => report.assert(),
        Err(error) => panic!("metric `{}`: {error}", M::NAME),
    }
}

/// Checks a configured metric, whether it is compiled in, loaded or a program of its own.
///
/// Calls it 200 to 400 times, and 500 times more for the profile, on at most 240 rows each beside the given samples.
///
/// ```
/// use metricopt_sdk::{Call, DynMetric, Kind, MetricEntry, Result, Views, testkit};
///
/// struct Rows;
/// impl DynMetric for Rows {
///     fn evaluate(&self, views: &Views<'_>, _: &Call<'_>) -> Result<f64> {
///         Ok(views.get("labels")?.data().len() as f64)
///     }
///     fn config(&self) -> serde_json::Value {
///         serde_json::json!({})
///     }
/// }
///
/// let entry = MetricEntry::new("rows", Kind::Classification, |_| Ok(Box::new(Rows)));
/// testkit::check_entry(&entry, &Rows, &testkit::Options::default()).assert();
/// ```
pub fn check_entry(entry: &MetricEntry, metric: &dyn DynMetric, options: &Options) -> Report {
    let trial = Trial::new(Subject::new(entry, metric), &options.samples, options.seed);
    let findings = trial.findings();
    let profiles = match trial.first_source() {
        Some(source) if options.profile => lines::profiles(trial.subject(), source, options.seed),
        _ => Vec::new(),
    };
    Report {
        metric: entry.name.clone(),
        findings,
        notes: trial.notes,
        profiles,
    }
}
