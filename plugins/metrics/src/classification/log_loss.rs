//! The metric `log-loss`.

use metricopt_sdk::prelude::*;

use super::probabilities::samples;

/// Logarithmic loss, or cross entropy: mean surprise at the label, in nats.
///
/// ```text
/// log loss = mean over samples of -ln max(p(label), 2^-23)
/// ```
///
/// with the probability `p(label)` that the scores give to the label. The floor, the resolution of 32-bit numbers near
/// 1, keeps a single confident mistake finite; scikit-learn clips such scores at the same distance from 0, and from 1
/// too.
///
/// Source: Good, Rational decisions, Journal of the Royal Statistical Society B 1952.
///
/// Degenerate input: undefined without samples, else always defined. The probabilities of several classes must sum to
/// 1.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct LogLoss {}

impl Metric for LogLoss {
    const NAME: &'static str = "log-loss";
    const DIRECTION: Direction = Direction::Minimise;
    const RANGE: (f64, f64) = (0.0, 23.0 * std::f64::consts::LN_2);
    type Input<'a> = Classification<'a>;

    fn evaluate(&self, input: Classification<'_>) -> Result<f64> {
        let sum: f64 = samples(input)?.map(surprise).sum();
        Ok(sum / input.len() as f64)
    }
}

register!(metric LogLoss);

fn surprise((probabilities, label): (&[f32], usize)) -> f64 {
    let p = match probabilities {
        [p] if label == 0 => 1.0 - f64::from(*p),
        [p] => f64::from(*p),
        all => f64::from(all[label]),
    };
    -p.max(f64::from(f32::EPSILON)).ln()
}
