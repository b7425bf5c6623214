//! The metric `ece`.

use metricopt_sdk::prelude::*;

use super::probabilities::samples;

/// Expected calibration error: distance between what is promised and what comes true.
///
/// ```text
/// ECE = sum over bins b of n(b) / N * |mean outcome in b - mean promise in b|
/// ```
///
/// over bins of equal width, `((b-1)/bins, b/bins]` and 0 in the first. Binary scores: the promise is the probability
/// of the positive class and the outcome whether the label is positive (the reliability diagram). Several classes: the
/// promise is the largest probability and the outcome whether the decision is right (confidence calibration).
///
/// Source: Naeini, Cooper and Hauskrecht, Obtaining well calibrated probabilities using Bayesian binning, AAAI 2015;
/// for several classes Guo et al., On calibration of modern neural networks, ICML 2017.
///
/// Degenerate input: undefined without samples, else always defined; empty bins count nothing. The probabilities of
/// several classes must sum to 1.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Ece {
    /// Number of bins, 1 to 10000.
    pub bins: usize,
}

impl Default for Ece {
    fn default() -> Self {
        Self { bins: 15 }
    }
}

impl Metric for Ece {
    const NAME: &'static str = "ece";
    const DIRECTION: Direction = Direction::Minimise;
    const RANGE: (f64, f64) = (0.0, 1.0);
    type Input<'a> = Classification<'a>;

    fn check(&self) -> Result<()> {
        if (1..=10_000).contains(&self.bins) {
            return Ok(());
        }
        Err(Error::configuration(format!(
            "`bins` is {}, expected 1 to 10000",
            self.bins
        )))
    }

    fn evaluate(&self, input: Classification<'_>) -> Result<f64> {
        self.check()?;
        // Of each bin the sum of outcomes less promises: its size cancels.
        let mut gaps = vec![0.0_f64; self.bins];
        for ((probabilities, label), decision) in samples(input)?.zip(input.decisions()?) {
            let (promise, outcome) = match probabilities {
                [p] => (f64::from(*p), label == 1),
                all => (f64::from(all[decision]), label == decision),
            };
            let bin = (promise * self.bins as f64).ceil() as usize;
            gaps[bin.saturating_sub(1)] += f64::from(u8::from(outcome)) - promise;
        }
        Ok(gaps.iter().map(|gap| gap.abs()).sum::<f64>() / input.len() as f64)
    }
}

register!(metric Ece);
