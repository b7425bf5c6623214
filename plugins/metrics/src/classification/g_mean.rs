//! The metric `g-mean`.

use metricopt_sdk::prelude::*;

use super::counts::Counts;

/// Geometric mean of the recalls of the classes.
///
/// ```text
/// binary:          G = sqrt(TPR * TNR)
/// several classes: G = (product over classes c of recall(c))^(1/C)
/// ```
///
/// Source: Kubat and Matwin, Addressing the curse of imbalanced training sets, ICML 1997; for several classes Sun,
/// Kamel and Wang, Boosting for learning multiple classes with imbalanced class distribution, ICDM 2006.
///
/// Degenerate input: undefined without samples. Classes without a label are left out of the mean, so that with labels
/// of one class only it is the recall of that class.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct GMean {}

impl Metric for GMean {
    const NAME: &'static str = "g-mean";
    const DIRECTION: Direction = Direction::Maximise;
    const RANGE: (f64, f64) = (0.0, 1.0);
    type Input<'a> = Classification<'a>;

    fn evaluate(&self, input: Classification<'_>) -> Result<f64> {
        let counts = Counts::of(input)?;
        let recalls = counts.recalls();
        // The root of each factor, since the product of many small recalls could underflow.
        let root = 1.0 / recalls.len() as f64;
        Ok(recalls.map(|recall| recall.powf(root)).product())
    }
}

register!(metric GMean);
