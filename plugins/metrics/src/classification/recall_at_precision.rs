//! The metric `recall-at-precision`.

use metricopt_sdk::prelude::*;

use super::ranking::positive_or_mean;

/// Best recall at a threshold whose precision is high enough.
///
/// ```text
/// R@P = max over thresholds t with P(t) >= precision of R(t), 0 if there is none
/// ```
///
/// The thresholds are the distinct scores. Several classes: the mean over the classes, each against the rest by its own
/// column. Scores need not be probabilities, only their order counts.
///
/// Source: Eban et al., Scalable learning of non-decomposable objectives, AISTATS 2017.
///
/// Degenerate input: undefined without samples or without a positive sample. Of several classes those without a label
/// are left out of the mean.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RecallAtPrecision {
    /// Least precision, 0 to 1.
    pub precision: f64,
}

impl Default for RecallAtPrecision {
    fn default() -> Self {
        Self { precision: 0.9 }
    }
}

impl Metric for RecallAtPrecision {
    const NAME: &'static str = "recall-at-precision";
    const DIRECTION: Direction = Direction::Maximise;
    const RANGE: (f64, f64) = (0.0, 1.0);
    const RANK_BASED: bool = true;
    type Input<'a> = Classification<'a>;

    fn check(&self) -> Result<()> {
        if (0.0..=1.0).contains(&self.precision) {
            return Ok(());
        }
        Err(Error::configuration(format!(
            "`precision` is {}, expected 0 to 1",
            self.precision
        )))
    }

    fn evaluate(&self, input: Classification<'_>) -> Result<f64> {
        positive_or_mean(input, |ranking| {
            let mut found = 0.0;
            ranking.sweep(|threshold| {
                if threshold.precision() >= self.precision {
                    found = threshold.true_positives;
                }
            });
            found / ranking.positives
        })
    }
}

register!(metric RecallAtPrecision);
