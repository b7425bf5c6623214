//! The arithmetic, apart from what makes it a metric.
//!
//! Counts are integers and become `f64` at the end, in a fixed order: no rounding depends on the order of the rows.

use metricopt_sdk::prelude::*;

use crate::NormalisedCost;

/// How often decisions and labels disagree, by the way they do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Confusions {
    false_positives: u64,
    false_negatives: u64,
    mixed_up: u64,
}

impl Confusions {
    pub(crate) fn of(input: Classification<'_>) -> Result<Self> {
        let mut this = Self::default();
        for (class, &label) in input.decisions()?.zip(input.labels()) {
            // The labels were checked: not negative, and less than the number of classes.
            let label = label as usize;
            this.false_positives += u64::from(label == 0 && class != 0);
            this.false_negatives += u64::from(label != 0 && class == 0);
            this.mixed_up += u64::from(label != 0 && class != 0 && class != label);
        }
        Ok(this)
    }

    pub(crate) fn cost(&self, costs: &NormalisedCost) -> f64 {
        costs.false_positive * self.false_positives as f64
            + costs.false_negative * self.false_negatives as f64
            + costs.confusion * self.mixed_up as f64
    }
}

/// What the cheapest constant decision costs; above 0.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Baseline(pub(crate) f64);

impl Baseline {
    pub(crate) fn of(costs: &NormalisedCost, labels: &[i64], classes: usize) -> Result<Self> {
        if labels.is_empty() {
            return Err(Error::undefined("no samples"));
        }
        let mut samples = vec![0_u64; classes];
        for &label in labels {
            samples[label as usize] += 1;
        }
        let negatives = samples[0];
        let positives = labels.len() as u64 - negatives;
        // Among the other classes the most frequent one costs the least.
        let largest = samples[1..].iter().copied().max().unwrap_or(0);
        let always_0 = costs.false_negative * positives as f64;
        let always_largest = costs.false_positive * negatives as f64
            + costs.confusion * (positives - largest) as f64;
        let cheapest = always_0.min(always_largest);
        if cheapest > 0.0 {
            Ok(Self(cheapest))
        } else {
            Err(Error::undefined("a constant decision costs nothing"))
        }
    }
}
