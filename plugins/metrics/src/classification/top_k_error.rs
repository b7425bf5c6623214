//! The metric `top-k-error`.

use metricopt_sdk::prelude::*;

use super::counts::ratio;

/// Share of samples whose label is not among the `k` classes with the largest scores.
///
/// ```text
/// top-k error = mean over samples of [rank(label) > k]
/// rank(label) = 1 + number of classes with a larger score + number of earlier classes with the same score
/// ```
///
/// Of equal scores the first class ranks first, as in the decisions of every metric here: with `k=1` it is the
/// misclassification rate. Binary scores: the two classes rank by the probability at the threshold 0.5.
///
/// Source: Russakovsky et al., ImageNet large scale visual recognition challenge, IJCV 2015, with `k=5`.
///
/// Degenerate input: undefined without samples, and where there are no more than `k` classes, since then no answer is
/// wrong.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct TopKError {
    /// How many classes may be named, 1 to 1000000; less than there are.
    pub k: usize,
}

impl Default for TopKError {
    fn default() -> Self {
        Self { k: 1 }
    }
}

impl Metric for TopKError {
    const NAME: &'static str = "top-k-error";
    const DIRECTION: Direction = Direction::Minimise;
    const RANGE: (f64, f64) = (0.0, 1.0);
    type Input<'a> = Classification<'a>;

    fn check(&self) -> Result<()> {
        if (1..=1_000_000).contains(&self.k) {
            return Ok(());
        }
        Err(Error::configuration(format!(
            "`k` is {}, expected 1 to 1000000",
            self.k
        )))
    }

    fn evaluate(&self, input: Classification<'_>) -> Result<f64> {
        if input.is_empty() {
            return Err(Error::undefined("no samples"));
        }
        let classes = input.classes();
        if self.k >= classes {
            return Err(Error::undefined(format!(
                "the label is always among the first {} of {classes} classes",
                self.k
            ))
            .hint("choose a `k` below the number of classes"));
        }
        let misses = if input.is_binary() {
            let pairs = input.decisions()?.zip(input.labels());
            pairs
                .filter(|&(decision, &label)| decision as i64 != label)
                .count()
        } else {
            let rows = input.scores().chunks_exact(classes);
            let pairs = rows.zip(input.labels());
            pairs
                .filter(|&(row, &label)| better(row, label as usize) >= self.k)
                .count()
        };
        Ok(ratio(misses as u64, input.len() as u64))
    }
}

register!(metric TopKError);

/// Number of classes that rank before `label`.
fn better(row: &[f32], label: usize) -> usize {
    let (earlier, rest) = row.split_at(label);
    let score = rest[0];
    // Counts of comparisons have no branches and vectorise; a sort of a thousand classes would not.
    earlier.iter().filter(|&&other| other >= score).count()
        + rest.iter().filter(|&&other| other > score).count()
}
