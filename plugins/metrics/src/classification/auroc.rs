//! The metric `auroc`.

use metricopt_sdk::prelude::*;

use super::ranking::{Ranking, Threshold, positive_or_mean};

/// Area under the ROC curve: the chance that a positive sample scores higher than a negative one.
///
/// ```text
/// AUROC = (pairs ordered rightly + 1/2 pairs tied) / (positives * negatives)
/// ```
///
/// over all pairs of a positive and a negative sample. Several classes: the mean over the classes, each against the
/// rest by its own column. Scores need not be probabilities, only their order counts.
///
/// Source: Mann and Whitney 1947; Hanley and McNeil, The meaning and use of the area under a receiver operating
/// characteristic (ROC) curve, Radiology 1982.
///
/// Degenerate input: undefined without samples or with labels of one class only. Of several classes those without a
/// label are left out of the mean.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Auroc {}

impl Metric for Auroc {
    const NAME: &'static str = "auroc";
    const DIRECTION: Direction = Direction::Maximise;
    const RANGE: (f64, f64) = (0.0, 1.0);
    const RANK_BASED: bool = true;
    type Input<'a> = Classification<'a>;

    fn evaluate(&self, input: Classification<'_>) -> Result<f64> {
        let one_class = input.labels().windows(2).all(|pair| pair[0] == pair[1]);
        if one_class && !input.is_empty() {
            return Err(Error::undefined("labels of one class only"));
        }
        positive_or_mean(input, mann_whitney)
    }
}

register!(metric Auroc);

fn mann_whitney(ranking: Ranking<'_>) -> f64 {
    let (mut ordered, mut before) = (0.0, Threshold::default());
    ranking.sweep(|threshold| {
        // The negatives at this score lie below the positives before it, and tie with those at it.
        let negatives = threshold.false_positives() - before.false_positives();
        ordered += negatives * (before.true_positives + threshold.true_positives) / 2.0;
        before = threshold;
    });
    ordered / (ranking.positives * ranking.negatives)
}
