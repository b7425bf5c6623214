//! The metric `jaccard`.

use metricopt_sdk::prelude::*;

use super::counts::{Counts, ratio};

/// Jaccard index: intersection over union of labels and decisions.
///
/// ```text
/// J = TP / (TP + FP + FN) = hits / (labelled + decided - hits)
/// ```
///
/// Binary scores: that of the positive class, at the threshold 0.5. Several classes: the mean of the index of each
/// class against the rest, over the classes that occur in labels or decisions, as in scikit-learn.
///
/// Source: Jaccard, The distribution of the flora in the alpine zone, New Phytologist 1912.
///
/// Degenerate input: undefined without samples; 0 where no sample is positive and none decided positive.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Jaccard {}

impl Metric for Jaccard {
    const NAME: &'static str = "jaccard";
    const DIRECTION: Direction = Direction::Maximise;
    const RANGE: (f64, f64) = (0.0, 1.0);
    type Input<'a> = Classification<'a>;

    fn evaluate(&self, input: Classification<'_>) -> Result<f64> {
        let counts = Counts::of(input)?;
        Ok(counts.positive_or_mean(|class| {
            ratio(class.hits, class.labelled + class.decided - class.hits)
        }))
    }
}

register!(metric Jaccard);
