//! The metric `mcc`.

use metricopt_sdk::prelude::*;

use super::counts::Counts;

/// Matthews correlation coefficient between labels and decisions.
///
/// ```text
/// binary:          (TP TN - FP FN) / sqrt((TP + FP) (TP + FN) (TN + FP) (TN + FN))
/// several classes: (c s - sum p_k t_k) / sqrt((s^2 - sum p_k^2) (s^2 - sum t_k^2))
/// ```
///
/// with `s` samples, `c` of them hits, `t_k` samples of class `k` and `p_k` decisions for it. The second, `R_K`, equals
/// the first for two classes.
///
/// Source: Matthews, Comparison of the predicted and observed secondary structure of T4 phage lysozyme, 1975; Gorodkin,
/// Comparing two K-category assignments by a K-category correlation coefficient, 2004.
///
/// Degenerate input: undefined without samples; 0 (no correlation) where all labels or all decisions are of one class.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Mcc {}

impl Metric for Mcc {
    const NAME: &'static str = "mcc";
    const DIRECTION: Direction = Direction::Maximise;
    const RANGE: (f64, f64) = (-1.0, 1.0);
    type Input<'a> = Classification<'a>;

    fn evaluate(&self, input: Classification<'_>) -> Result<f64> {
        let counts = Counts::of(input)?;
        let samples = counts.samples() as f64;
        let hits = counts.hits() as f64;
        let (mut agreement, mut labels, mut decisions) = (0.0, 0.0, 0.0);
        for class in &counts.classes {
            let (labelled, decided) = (class.labelled as f64, class.decided as f64);
            agreement += labelled * decided;
            labels += labelled * labelled;
            decisions += decided * decided;
        }
        let spread = (samples * samples - labels) * (samples * samples - decisions);
        Ok(if spread > 0.0 {
            (hits * samples - agreement) / spread.sqrt()
        } else {
            0.0
        })
    }
}

register!(metric Mcc);
