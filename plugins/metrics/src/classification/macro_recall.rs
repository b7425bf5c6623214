//! The metric `macro-recall`.

use metricopt_sdk::prelude::*;

use super::counts::{Counts, mean};

/// Mean recall of the classes, or balanced accuracy.
///
/// ```text
/// macro recall = mean over classes c of recall(c)
/// recall(c)    = hits(c) / labelled(c)
/// ```
///
/// Every class counts the same, however rare; one minus it is `balanced-error`. Binary scores have two classes, decided
/// at the threshold 0.5.
///
/// Source: Brodersen et al., The balanced accuracy and its posterior distribution, ICPR 2010.
///
/// Degenerate input: undefined without samples. Classes without a label are left out of the mean, also when they were
/// decided for.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct MacroRecall {}

impl Metric for MacroRecall {
    const NAME: &'static str = "macro-recall";
    const DIRECTION: Direction = Direction::Maximise;
    const RANGE: (f64, f64) = (0.0, 1.0);
    type Input<'a> = Classification<'a>;

    fn evaluate(&self, input: Classification<'_>) -> Result<f64> {
        Ok(mean(Counts::of(input)?.recalls()))
    }
}

register!(metric MacroRecall);
