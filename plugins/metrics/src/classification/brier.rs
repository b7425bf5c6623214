//! The metric `brier`.

use metricopt_sdk::prelude::*;

use super::probabilities::samples;

/// Brier score: mean squared distance between probabilities and labels.
///
/// ```text
/// binary:          mean over samples of (p - y)^2
/// several classes: mean over samples of sum over classes c of (p(c) - [y = c])^2
/// ```
///
/// The second is the original of Brier and goes up to 2; for two classes it is twice the first.
///
/// Source: Brier, Verification of forecasts expressed in terms of probability, Monthly Weather Review 1950.
///
/// Degenerate input: undefined without samples, else always defined. The probabilities of several classes must sum to
/// 1.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Brier {}

impl Metric for Brier {
    const NAME: &'static str = "brier";
    const DIRECTION: Direction = Direction::Minimise;
    const RANGE: (f64, f64) = (0.0, 2.0);
    type Input<'a> = Classification<'a>;

    fn evaluate(&self, input: Classification<'_>) -> Result<f64> {
        let sum: f64 = samples(input)?.map(squared_distance).sum();
        Ok(sum / input.len() as f64)
    }
}

register!(metric Brier);

fn squared_distance((probabilities, label): (&[f32], usize)) -> f64 {
    let square = |p: f32, truth: bool| (f64::from(p) - f64::from(u8::from(truth))).powi(2);
    match probabilities {
        [p] => square(*p, label == 1),
        all => all
            .iter()
            .enumerate()
            .map(|(class, &p)| square(p, class == label))
            .sum(),
    }
}
