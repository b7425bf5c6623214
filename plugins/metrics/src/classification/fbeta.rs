//! The metric `fbeta`.

use metricopt_sdk::prelude::*;

use super::counts::{ClassCounts, Counts};

/// F-beta: weighted harmonic mean of precision and recall, in which recall counts `beta` times as much.
///
/// ```text
/// F = (1 + beta^2) TP / ((1 + beta^2) TP + FP + beta^2 FN) = (1 + beta^2) hits / (decided + beta^2 labelled)
/// ```
///
/// By default averaged as `f1`, which it equals with `beta=1`: binary scores give that of the positive class at the
/// threshold 0.5, several classes the mean over the classes, each against the rest.
///
/// Source: van Rijsbergen, Information Retrieval, 1979.
///
/// Degenerate input: undefined without samples. A class of which no sample is labelled or decided is left out of a mean;
/// where that is the positive class of binary scores the value is 0, so that deciding for nothing is never rewarded.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Fbeta {
    /// How much more recall counts than precision, 0 (precision alone) to 1000.
    pub beta: f64,
    /// How classes become one number.
    pub average: Average,
}

/// How the values of the classes become one number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Average {
    /// That of the positive class for binary scores, else `macro`.
    #[default]
    Auto,
    /// The mean over the classes that occur in labels or decisions, also the two of binary scores.
    Macro,
    /// From the counts of all classes together: the share of right decisions, whatever `beta` is.
    Micro,
    /// The mean over the classes, each as often as it is labelled.
    Weighted,
}

impl Default for Fbeta {
    fn default() -> Self {
        Self {
            beta: 2.0,
            average: Average::Auto,
        }
    }
}

impl Metric for Fbeta {
    const NAME: &'static str = "fbeta";
    const DIRECTION: Direction = Direction::Maximise;
    const RANGE: (f64, f64) = (0.0, 1.0);
    type Input<'a> = Classification<'a>;

    fn check(&self) -> Result<()> {
        if (0.0..=1000.0).contains(&self.beta) {
            return Ok(());
        }
        Err(Error::configuration(format!(
            "`beta` is {}, expected 0 to 1000",
            self.beta
        )))
    }

    fn evaluate(&self, input: Classification<'_>) -> Result<f64> {
        let counts = Counts::of(input)?;
        let value = |class: &ClassCounts| self.of(class);
        Ok(match self.average {
            Average::Auto => counts.positive_or_mean(value),
            Average::Macro => counts.mean_of_classes(value),
            Average::Micro => self.of(&ClassCounts {
                hits: counts.hits(),
                labelled: counts.samples(),
                decided: counts.samples(),
            }),
            Average::Weighted => {
                let weighted = |class: &ClassCounts| class.labelled as f64 * value(class);
                counts.classes.iter().map(weighted).sum::<f64>() / counts.samples() as f64
            }
        })
    }
}

register!(metric Fbeta);

impl Fbeta {
    fn of(&self, class: &ClassCounts) -> f64 {
        if class.hits == 0 {
            return 0.0;
        }
        let square = self.beta * self.beta;
        (1.0 + square) * class.hits as f64 / (class.decided as f64 + square * class.labelled as f64)
    }
}
