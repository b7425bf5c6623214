//! The metric `f1`.

use metricopt_sdk::prelude::*;

use super::counts::{Counts, ratio};

/// F1: harmonic mean of precision and recall.
///
/// ```text
/// F1 = 2 TP / (2 TP + FP + FN) = 2 hits / (labelled + decided)
/// ```
///
/// Binary scores: that of the positive class, at the threshold 0.5. Several classes: the mean of the F1 of each class
/// against the rest (macro F1), over the classes that occur in labels or decisions, as in scikit-learn.
///
/// Source: van Rijsbergen, Information Retrieval, 1979; for several classes the mean of F1 scores in Opitz and Burst,
/// Macro F1 and macro F1, 2019.
///
/// Degenerate input: undefined without samples; 0 where no sample is positive and none decided positive, so that
/// deciding for nothing is never rewarded.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct F1 {}

impl Metric for F1 {
    const NAME: &'static str = "f1";
    const DIRECTION: Direction = Direction::Maximise;
    const RANGE: (f64, f64) = (0.0, 1.0);
    type Input<'a> = Classification<'a>;

    fn evaluate(&self, input: Classification<'_>) -> Result<f64> {
        let counts = Counts::of(input)?;
        Ok(counts.positive_or_mean(|class| ratio(2 * class.hits, class.labelled + class.decided)))
    }
}

register!(metric F1);
