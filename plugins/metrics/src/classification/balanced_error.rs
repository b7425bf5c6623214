//! The metric `balanced-error`.

use metricopt_sdk::prelude::*;

use super::counts::{Counts, mean};

/// Balanced error rate: one minus the mean recall of the classes.
///
/// ```text
/// balanced error = 1 - mean over classes c of recall(c)
/// recall(c)      = hits(c) / labelled(c)
/// ```
///
/// Source: Brodersen et al., The balanced accuracy and its posterior distribution, ICPR 2010.
///
/// Degenerate input: undefined without samples. Classes without a label are left out of the mean, also when they were
/// decided for.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct BalancedError {}

impl Metric for BalancedError {
    const NAME: &'static str = "balanced-error";
    const DIRECTION: Direction = Direction::Minimise;
    const RANGE: (f64, f64) = (0.0, 1.0);
    type Input<'a> = Classification<'a>;

    fn evaluate(&self, input: Classification<'_>) -> Result<f64> {
        Ok(1.0 - mean(Counts::of(input)?.recalls()))
    }
}

register!(metric BalancedError);
