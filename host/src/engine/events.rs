//! What happened, as records for machines.

use metricopt_sdk::Result;
use serde::Serialize;

/// One thing that happened.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
#[non_exhaustive]
#[expect(
    missing_docs,
    reason = "the fields are the record; units are in their names"
)]
pub enum Event {
    /// The width was chosen.
    Calibrated {
        width: f64,
        measured: bool,
        loss: f64,
        probed: Vec<(f64, f64)>,
    },
    /// All trajectories were observed at a step.
    TrajectoriesObserved { step: usize, mean: f64, best: f64 },
    /// The value function was measured on held-out trajectories and trained on all.
    ValueFunctionTrained {
        rank_correlation: Option<f64>,
        correlation: Option<f64>,
        weight: f64,
    },
    /// The predictions along the trajectories were not kept, so that only the same metric can use them again.
    PredictionsNotKept { reason: String },
    /// MetricOpt begins to fine-tune, after so many queries and evaluations of the network.
    MetaTestingBegun { queries: u64, evaluations: u64 },
    /// Fine-tuning ended before its last step.
    Stopped {
        method: String,
        step: usize,
        reason: StopReason,
    },
    /// A method of the table was left out.
    MethodLeftOut { method: String, reason: String },
    /// The learned optimizer was meta-trained; the mean change of its objective along the unrolls of each iteration.
    OptimizerLearned { objective_changes: Vec<f64> },
    /// One step of fine-tuning.
    Step {
        method: String,
        step: usize,
        loss: f64,
        loss_gradient_norm: f64,
        value_gradient_norm: f64,
        search_gradient_norm: f64,
        adapter_norm: f64,
        queries: u64,
    },
    /// The metric was observed on the validation split.
    Observed {
        method: String,
        step: usize,
        validation: f64,
        queries: u64,
    },
    /// The report has no landscape.
    LandscapeLeftOut { reason: String },
    /// A method came to its end.
    Finished {
        method: String,
        validation: f64,
        test: f64,
        queries: u64,
    },
    /// The acceptance test was decided.
    Decided {
        accepted: bool,
        t: f64,
        threshold: f64,
    },
}

/// Why fine-tuning ended before its last step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum StopReason {
    /// The best point passes the acceptance test, and nothing better was met for a while.
    Accepted,
    /// The best point does not pass the acceptance test, and nothing better was met for twice as long.
    NotAccepted,
    /// The next step would exceed `observation.max_queries`.
    QueriesSpent,
}

impl StopReason {
    /// In words.
    pub const fn words(self) -> &'static str {
        match self {
            Self::Accepted => "the acceptance test is decided: the best point passes it",
            Self::NotAccepted => "the acceptance test is decided: nothing comes that passes it",
            Self::QueriesSpent => "the queries are spent",
        }
    }
}

/// Where events go.
pub trait EventLog {
    /// Keeps one event.
    ///
    /// # Errors
    ///
    /// If it cannot be kept.
    fn record(&mut self, event: &Event) -> Result<()>;
}

/// Forgets everything.
impl EventLog for () {
    fn record(&mut self, _: &Event) -> Result<()> {
        Ok(())
    }
}

/// Hears of progress: what is being done, how much is done, of how much.
pub type Progress<'a> = dyn Fn(&str, u64, u64) + 'a;
