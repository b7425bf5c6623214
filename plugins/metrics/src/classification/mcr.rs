//! The metric `mcr`.

use metricopt_sdk::prelude::*;

use super::counts::{Counts, ratio};

/// Misclassification rate: share of samples whose decision is not their label.
///
/// ```text
/// MCR = misses / samples = 1 - accuracy
/// ```
///
/// Source: the metric of the image classification experiments in Huang et al., MetricOpt, CVPR 2021.
///
/// Degenerate input: undefined without samples, else always defined.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Mcr {}

impl Metric for Mcr {
    const NAME: &'static str = "mcr";
    const DIRECTION: Direction = Direction::Minimise;
    const RANGE: (f64, f64) = (0.0, 1.0);
    type Input<'a> = Classification<'a>;

    fn evaluate(&self, input: Classification<'_>) -> Result<f64> {
        let counts = Counts::of(input)?;
        Ok(ratio(counts.samples() - counts.hits(), counts.samples()))
    }
}

register!(metric Mcr);
