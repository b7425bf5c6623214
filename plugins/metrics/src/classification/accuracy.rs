//! The metric `accuracy`.

use metricopt_sdk::prelude::*;

use super::counts::{Counts, ratio};

/// Share of samples whose decision is their label.
///
/// ```text
/// accuracy = hits / samples
/// ```
///
/// Degenerate input: undefined without samples, else always defined.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Accuracy {}

impl Metric for Accuracy {
    const NAME: &'static str = "accuracy";
    const DIRECTION: Direction = Direction::Maximise;
    const RANGE: (f64, f64) = (0.0, 1.0);
    type Input<'a> = Classification<'a>;

    fn evaluate(&self, input: Classification<'_>) -> Result<f64> {
        let counts = Counts::of(input)?;
        Ok(ratio(counts.hits(), counts.samples()))
    }
}

register!(metric Accuracy);
