//! Decisions against labels, counted: what the metrics of decisions share.

use metricopt_sdk::{Classification, Error, Result};

/// One class against the rest.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct ClassCounts {
    /// Samples of the class that were assigned to it.
    pub(crate) hits: u64,
    /// Samples of the class.
    pub(crate) labelled: u64,
    /// Samples assigned to the class.
    pub(crate) decided: u64,
}

/// What was decided for how many samples of which class.
///
/// The margins and the diagonal of the confusion matrix: no metric here needs its other cells.
#[derive(Debug)]
pub(crate) struct Counts {
    /// Each class, in order.
    pub(crate) classes: Vec<ClassCounts>,
    binary: bool,
}

impl Counts {
    /// Counts one set of predictions.
    pub(crate) fn of(input: Classification<'_>) -> Result<Self> {
        if input.is_empty() {
            return Err(Error::undefined("no samples"));
        }
        let pairs = input.decisions()?.zip(input.labels());
        let classes = if input.is_binary() {
            // Sums without branches; those of class 0 follow.
            let mut one = ClassCounts::default();
            for (decision, &label) in pairs {
                one.hits += decision as u64 & label as u64;
                one.labelled += label as u64;
                one.decided += decision as u64;
            }
            let samples = input.len() as u64;
            let zero = ClassCounts {
                hits: samples + one.hits - one.labelled - one.decided,
                labelled: samples - one.labelled,
                decided: samples - one.decided,
            };
            vec![zero, one]
        } else {
            let mut classes = vec![ClassCounts::default(); input.classes()];
            for (decision, &label) in pairs {
                let label = label as usize;
                classes[label].labelled += 1;
                classes[decision].decided += 1;
                classes[label].hits += u64::from(decision == label);
            }
            classes
        };
        Ok(Self {
            classes,
            binary: input.is_binary(),
        })
    }

    /// Number of samples, at least 1.
    pub(crate) fn samples(&self) -> u64 {
        self.classes.iter().map(|class| class.labelled).sum()
    }

    /// Number of samples whose decision is their label.
    pub(crate) fn hits(&self) -> u64 {
        self.classes.iter().map(|class| class.hits).sum()
    }

    /// `value` of the positive class if the scores are binary, else its mean over the classes that occur in labels or
    /// decisions.
    pub(crate) fn positive_or_mean(&self, value: impl Fn(&ClassCounts) -> f64) -> f64 {
        if self.binary {
            return value(&self.classes[1]);
        }
        self.mean_of_classes(value)
    }

    /// The mean of `value` over the classes that occur in labels or decisions.
    pub(crate) fn mean_of_classes(&self, value: impl Fn(&ClassCounts) -> f64) -> f64 {
        let occur = self
            .classes
            .iter()
            .filter(|class| class.labelled + class.decided > 0);
        mean(occur.map(value))
    }

    /// The recall of each class that occurs in the labels; there is at least one.
    pub(crate) fn recalls(&self) -> impl ExactSizeIterator<Item = f64> {
        let occur: Vec<_> = self
            .classes
            .iter()
            .filter(|class| class.labelled > 0)
            .collect();
        occur
            .into_iter()
            .map(|class| ratio(class.hits, class.labelled))
    }
}

/// `part / whole`, and 0 where both are.
pub(crate) fn ratio(part: u64, whole: u64) -> f64 {
    part as f64 / whole.max(1) as f64
}

/// The mean of at least one value.
pub(crate) fn mean(values: impl Iterator<Item = f64>) -> f64 {
    let (sum, count) = values.fold((0.0, 0_u64), |(sum, count), value| (sum + value, count + 1));
    sum / count as f64
}
