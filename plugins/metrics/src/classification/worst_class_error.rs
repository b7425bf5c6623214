//! The metric `worst-class-error`.

use metricopt_sdk::prelude::*;

use super::counts::Counts;

/// Error rate of the class that is recognised worst.
///
/// ```text
/// worst-class error = 1 - min over classes c of recall(c)
/// recall(c)         = hits(c) / labelled(c)
/// ```
///
/// Binary scores have two classes, decided at the threshold 0.5. With few samples a class it moves in coarse steps and,
/// being a maximum, lies above the largest of the true error rates on average.
///
/// Source: Sagawa et al., Distributionally robust neural networks for group shifts, ICLR 2020, whose worst-group error
/// it is with the classes as groups.
///
/// Degenerate input: undefined without samples. Classes without a label are left out.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct WorstClassError {}

impl Metric for WorstClassError {
    const NAME: &'static str = "worst-class-error";
    const DIRECTION: Direction = Direction::Minimise;
    const RANGE: (f64, f64) = (0.0, 1.0);
    type Input<'a> = Classification<'a>;

    fn evaluate(&self, input: Classification<'_>) -> Result<f64> {
        Ok(1.0 - Counts::of(input)?.recalls().fold(1.0, f64::min))
    }
}

register!(metric WorstClassError);
