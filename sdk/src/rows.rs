//! Which rows of the data a call is about: pure functions of their arguments, so that data order needs no state.

use rand::{Rng, RngExt, SeedableRng};
use rand_pcg::Pcg64Mcg;

/// A part of the data with one purpose.
///
/// ```
/// assert_eq!(metricopt_sdk::Split::Validation.name(), "validation");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Split {
    /// Fits the network and the surrogate loss.
    Train,
    /// Observes the metric and selects.
    Validation,
    /// Reports; nothing selects on it.
    Test,
}

impl Split {
    /// The name, in lower case.
    pub const fn name(self) -> &'static str {
        match self {
            Split::Train => "train",
            Split::Validation => "validation",
            Split::Test => "test",
        }
    }
}

/// Which units of a split: rows for tables, images for detection, whatever the task counts.
///
/// Units stand in the task's own order, which must be random with respect to the labels, because folds are contiguous.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// All units.
    All,
    /// Fold `index` of `count` disjoint folds of nearly equal size; the same folds in every call.
    Fold {
        /// Which fold, `0..count`.
        index: usize,
        /// How many folds.
        count: usize,
    },
    /// `size` units drawn without replacement, the same for the same seed; all units if there are no more.
    Sample {
        /// Seed of the draw.
        seed: u64,
        /// Number of units.
        size: usize,
    },
}

impl Part {
    /// The indices among `n` units, ascending.
    ///
    /// ```
    /// use metricopt_sdk::Part;
    ///
    /// assert_eq!(Part::All.indices(3), [0, 1, 2]);
    /// assert_eq!(Part::Fold { index: 1, count: 2 }.indices(5), [2, 3, 4]);
    /// let sample = Part::Sample { seed: 7, size: 2 };
    /// assert_eq!(sample.indices(1000), sample.indices(1000));
    /// assert_eq!(sample.indices(1000).len(), 2);
    /// ```
    pub fn indices(&self, n: usize) -> Vec<u32> {
        match *self {
            Part::All => (0..n as u32).collect(),
            Part::Fold { index, count } => {
                let edge = |fold: usize| (n * fold / count.max(1)) as u32;
                (edge(index)..edge(index + 1)).collect()
            }
            Part::Sample { size, .. } if size >= n => (0..n as u32).collect(),
            Part::Sample { seed, size } => {
                let mut rng = Pcg64Mcg::seed_from_u64(seed);
                let mut rows = rand::seq::index::sample(&mut rng, n, size).into_vec();
                rows.sort_unstable();
                rows.into_iter().map(|row| row as u32).collect()
            }
        }
    }
}

/// Which units a prediction is asked for.
///
/// ```
/// use metricopt_sdk::{Part, Rows, Split};
///
/// let rows = Rows { split: Split::Validation, part: Part::Fold { index: 0, count: 5 } };
/// assert_eq!(rows.part.indices(10), [0, 1]);
/// assert_eq!(Rows::all(Split::Test).part, Part::All);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rows {
    /// The split.
    pub split: Split,
    /// The part of it.
    pub part: Part,
}

impl Rows {
    /// All units of a split.
    pub const fn all(split: Split) -> Self {
        Self {
            split,
            part: Part::All,
        }
    }
}

/// One minibatch of the surrogate loss.
///
/// Its rows follow from its fields alone. A task keeps no data-order state: a run can resume at any step, and
/// trajectories can be computed in any order, with the same result.
#[derive(Clone, Copy, Debug)]
pub struct Batch<'a> {
    /// The split the rows come from.
    pub split: Split,
    /// Seed of the run that asks; fixes the subset of the data it sees.
    pub seed: u64,
    /// Step within that run.
    pub step: u64,
    /// Number of rows.
    pub size: usize,
    /// Share of the split that this run may see, in `(0, 1]`.
    pub fraction: f64,
    /// Weight of each class in the loss, `[C]`; empty for none. The task normalises them to mean 1 in the batch.
    pub class_weights: &'a [f32],
}

impl Batch<'_> {
    /// The rows among `n`, drawn uniformly with replacement from the subset that `seed` and `fraction` fix.
    ///
    /// ```
    /// use metricopt_sdk::{Batch, Split};
    ///
    /// let batch = Batch { split: Split::Train, seed: 1, step: 0, size: 8, fraction: 0.5, class_weights: &[] };
    /// assert_eq!(batch.rows(100), batch.rows(100));
    /// assert_ne!(batch.rows(100), Batch { step: 1, ..batch }.rows(100));
    /// ```
    pub fn rows(&self, n: usize) -> Vec<u32> {
        if n == 0 {
            return Vec::new();
        }
        let mut rng = Pcg64Mcg::seed_from_u64(mix(self.seed, self.step));
        (0..self.size)
            .map(|_| self.draw(&mut rng, n as u32))
            .collect()
    }

    fn draw(&self, rng: &mut impl Rng, n: u32) -> u32 {
        // The subset is never written down: a row belongs to it if its hash falls below the fraction. The number of
        // tries is bounded because a tiny split may have no member at all.
        let mut row = rng.random_range(0..n);
        for _ in 0..1000 {
            let hash = mix(self.seed, !u64::from(row));
            if (hash >> 11) as f64 <= self.fraction * (1_u64 << 53) as f64 {
                break;
            }
            row = rng.random_range(0..n);
        }
        row
    }
}

/// Mixes two numbers into one seed (the finaliser of SplitMix64, Steele et al. 2014).
pub(crate) fn mix(seed: u64, index: u64) -> u64 {
    let mut z = seed
        .rotate_left(32)
        .wrapping_add(index.wrapping_mul(0x9E37_79B9_7F4A_7C15))
        .wrapping_add(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn folds_partition_the_units(n in 0_usize..500, count in 1_usize..12) {
            let all: Vec<u32> = (0..count).flat_map(|index| Part::Fold { index, count }.indices(n)).collect();
            prop_assert_eq!(all, Part::All.indices(n));
        }

        #[test]
        fn samples_are_distinct_and_ascending(n in 1_usize..500, size in 0_usize..600, seed: u64) {
            let rows = Part::Sample { seed, size }.indices(n);
            prop_assert_eq!(rows.len(), size.min(n));
            prop_assert!(rows.is_sorted_by(|a, b| a < b));
        }
    }

    #[test]
    fn a_batch_sees_only_its_subset() {
        let batch = |step| Batch {
            split: Split::Train,
            seed: 3,
            step,
            size: 256,
            fraction: 0.5,
            class_weights: &[],
        };
        let seen: std::collections::HashSet<u32> =
            (0..400).flat_map(|step| batch(step).rows(1000)).collect();
        assert!((430..570).contains(&seen.len()), "{}", seen.len());
    }
}
