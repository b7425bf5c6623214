//! The metric `cohen-kappa`.

use metricopt_sdk::prelude::*;

use super::counts::{ClassCounts, Counts};

/// Cohen's kappa: agreement of decisions and labels beyond what chance would give.
///
/// ```text
/// kappa = 1 - observed / expected
/// observed = sum over samples of w(label, decision)
/// expected = sum over classes i, j of w(i, j) t_i p_j / s
/// ```
///
/// with `s` samples, `t_i` of them of class `i` and `p_j` decisions for class `j`. The weight `w(i, j)` of a confusion is
/// `[i != j]`, `|i - j|` or `(i - j)^2`; the last two mean something only where the classes are in order, such as
/// grades. Binary scores are decided at the threshold 0.5, where all weights are the same.
///
/// Source: Cohen, A coefficient of agreement for nominal scales, 1960, and Weighted kappa, Psychological Bulletin 1968.
///
/// Degenerate input: undefined without samples; 0 (no agreement beyond chance) where all labels and all decisions are of
/// one and the same class.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct CohenKappa {
    /// Weight of a confusion by the distance of the classes.
    pub weights: Weights,
}

/// How much worse a confusion of distant classes is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Weights {
    /// All confusions are alike.
    #[default]
    None,
    /// By the distance of the classes.
    Linear,
    /// By the square of the distance.
    Quadratic,
}

impl Metric for CohenKappa {
    const NAME: &'static str = "cohen-kappa";
    const DIRECTION: Direction = Direction::Maximise;
    const RANGE: (f64, f64) = (-1.0, 1.0);
    type Input<'a> = Classification<'a>;

    fn evaluate(&self, input: Classification<'_>) -> Result<f64> {
        let counts = Counts::of(input)?;
        let expected = self.weights.expected(&counts.classes);
        if expected == 0 {
            return Ok(0.0);
        }
        let observed = match self.weights {
            Weights::None => u128::from(counts.samples() - counts.hits()),
            _ => {
                let pairs = input.decisions()?.zip(input.labels());
                pairs
                    .map(|(decision, &label)| self.weights.of(label.abs_diff(decision as i64)))
                    .sum()
            }
        };
        let observed = observed * u128::from(counts.samples());
        Ok(1.0 - observed as f64 / expected as f64)
    }
}

register!(metric CohenKappa);

impl Weights {
    fn of(self, distance: u64) -> u128 {
        let distance = u128::from(distance);
        match self {
            Weights::None => u128::from(distance > 0),
            Weights::Linear => distance,
            Weights::Quadratic => distance * distance,
        }
    }

    /// `sum over i, j of w(i, j) t_i p_j`, in whole numbers and without the `C^2` terms.
    fn expected(self, classes: &[ClassCounts]) -> u128 {
        let sum = |value: &dyn Fn(u128, &ClassCounts) -> u128| -> u128 {
            (0..).zip(classes).map(|(at, class)| value(at, class)).sum()
        };
        let samples = sum(&|_, class| class.labelled.into());
        match self {
            Weights::None => {
                let alike = sum(&|_, class| u128::from(class.labelled) * u128::from(class.decided));
                samples * samples - alike
            }
            // The distance of two classes is the number of cuts between neighbours that part them.
            Weights::Linear => {
                let (mut labelled, mut decided, mut parted) = (0, 0, 0);
                for class in classes {
                    labelled += u128::from(class.labelled);
                    decided += u128::from(class.decided);
                    parted += labelled * (samples - decided) + decided * (samples - labelled);
                }
                parted
            }
            Weights::Quadratic => {
                let squares = sum(&|at, class| {
                    at * at * (u128::from(class.labelled) + u128::from(class.decided))
                });
                let labelled = sum(&|at, class| at * u128::from(class.labelled));
                let decided = sum(&|at, class| at * u128::from(class.decided));
                samples * squares - 2 * labelled * decided
            }
        }
    }
}
