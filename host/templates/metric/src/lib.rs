//! The metric `my-metric`, for metricopt.

use metricopt_sdk::prelude::*;

/// Precision at the top: share of positives among the samples with the highest scores.
///
/// ```text
/// value = positives among the k highest scores / k,   k = share * samples, rounded, at least 1
/// ```
///
/// Samples tied at the edge have no order: each counts in part, as if all orders were averaged. Degenerate input:
/// undefined without samples, else always defined.
// What stands above is shown by `host describe my-metric`, and so is what stands above each option.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct MyMetric {
    /// Share of the samples that is the top, above 0 and at most 1.
    pub share: f64,
}

impl Default for MyMetric {
    fn default() -> Self {
        Self { share: 0.1 }
    }
}

impl Metric for MyMetric {
    const NAME: &'static str = "my-metric";
    const DIRECTION: Direction = Direction::Maximise;
    const RANGE: (f64, f64) = (0.0, 1.0);
    // Only the order of the scores counts. Remove this line if their values do.
    const RANK_BASED: bool = true;
    // `Retrieval`, `Detection` and `Named` are the others; the task decides what there is.
    type Input<'a> = Classification<'a>;

    fn check(&self) -> Result<()> {
        if self.share > 0.0 && self.share <= 1.0 {
            return Ok(());
        }
        let found = self.share;
        Err(Error::configuration(format!(
            "`share` is {found}, expected above 0 and at most 1"
        )))
    }

    // A pure function: it is called from several threads, and the same input must give the same value.
    fn evaluate(&self, input: Classification<'_>) -> Result<f64> {
        if !input.is_binary() {
            return Err(Error::unsupported("there are more than two classes"));
        }
        // Where there is no value say so, with a reason; never return NaN.
        if input.is_empty() {
            return Err(Error::undefined("there are no samples"));
        }
        let n = input.len();
        let top = ((self.share * n as f64).round() as usize).clamp(1, n);
        let mut scores = input.scores().to_vec();
        scores.sort_unstable_by(|a, b| b.total_cmp(a));
        let edge = scores[top - 1];

        let (mut above, mut positives_above) = (0_usize, 0_i64);
        let (mut tied, mut positives_tied) = (0_usize, 0_i64);
        for (&score, &label) in input.scores().iter().zip(input.labels()) {
            if score > edge {
                above += 1;
                positives_above += label;
            } else if score == edge {
                tied += 1;
                positives_tied += label;
            }
        }
        let part = (top - above) as f64 / tied as f64;
        Ok((positives_above as f64 + part * positives_tied as f64) / top as f64)
    }
}

register!(metric MyMetric);
