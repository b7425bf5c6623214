//! The metric `precision-at-recall`.

use metricopt_sdk::prelude::*;

use super::ranking::positive_or_mean;

/// Best precision at a threshold whose recall is high enough.
///
/// ```text
/// P@R = max over thresholds t with R(t) >= recall of P(t)
/// ```
///
/// The thresholds are the distinct scores; the point of recall 0 and precision 1, where nothing is decided positive, is
/// none of them. Several classes: the mean over the classes, each against the rest by its own column. Scores need not
/// be probabilities, only their order counts.
///
/// Source: Eban et al., Scalable learning of non-decomposable objectives, AISTATS 2017.
///
/// Degenerate input: undefined without samples or without a positive sample. Of several classes those without a label
/// are left out of the mean.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct PrecisionAtRecall {
    /// Least recall, 0 to 1.
    pub recall: f64,
}

impl Default for PrecisionAtRecall {
    fn default() -> Self {
        Self { recall: 0.9 }
    }
}

impl Metric for PrecisionAtRecall {
    const NAME: &'static str = "precision-at-recall";
    const DIRECTION: Direction = Direction::Maximise;
    const RANGE: (f64, f64) = (0.0, 1.0);
    const RANK_BASED: bool = true;
    type Input<'a> = Classification<'a>;

    fn check(&self) -> Result<()> {
        if (0.0..=1.0).contains(&self.recall) {
            return Ok(());
        }
        Err(Error::configuration(format!(
            "`recall` is {}, expected 0 to 1",
            self.recall
        )))
    }

    fn evaluate(&self, input: Classification<'_>) -> Result<f64> {
        positive_or_mean(input, |ranking| {
            let mut best = 0.0_f64;
            ranking.sweep(|threshold| {
                if threshold.true_positives / ranking.positives >= self.recall {
                    best = best.max(threshold.precision());
                }
            });
            best
        })
    }
}

register!(metric PrecisionAtRecall);
