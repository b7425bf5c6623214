//! The metric `aucpr`.

use metricopt_sdk::prelude::*;

use super::ranking::{Ranking, positive_or_mean};

/// Area under the precision-recall curve, as average precision.
///
/// ```text
/// AP = sum over thresholds t of (R(t) - R(t-1)) P(t)
/// ```
///
/// with precision `P` and recall `R` when deciding for the positive class from the score `t` on, `t` falling over the
/// distinct scores: equal scores are one threshold. Steps, no interpolation, as in scikit-learn's
/// `average_precision_score`. Several classes: the mean over the classes, each against the rest by its own column.
/// Scores need not be probabilities, only their order counts.
///
/// Source: Davis and Goadrich, The relationship between precision-recall and ROC curves, ICML 2006, on why lines
/// between the points would be wrong; Boyd, Eng and Page, Area under the precision-recall curve, ECML 2013, on the
/// estimator.
///
/// Degenerate input: undefined without samples or without a positive sample. Of several classes those without a label
/// are left out of the mean.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Aucpr {}

impl Metric for Aucpr {
    const NAME: &'static str = "aucpr";
    const DIRECTION: Direction = Direction::Maximise;
    const RANGE: (f64, f64) = (0.0, 1.0);
    const RANK_BASED: bool = true;
    type Input<'a> = Classification<'a>;

    fn evaluate(&self, input: Classification<'_>) -> Result<f64> {
        positive_or_mean(input, average_precision)
    }
}

register!(metric Aucpr);

fn average_precision(ranking: Ranking<'_>) -> f64 {
    let (mut sum, mut before) = (0.0, 0.0);
    ranking.sweep(|threshold| {
        sum += (threshold.true_positives - before) * threshold.precision();
        before = threshold.true_positives;
    });
    sum / ranking.positives
}
