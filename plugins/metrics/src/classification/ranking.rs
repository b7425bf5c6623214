//! Samples in the order of their scores: what the metrics of rankings share.
//!
//! The sort is the hot kernel of this crate: an engine asks for an area under a curve thousands of times. A score and
//! its label are packed into one `u32` whose integer order is the descending order of scores, and the words are sorted
//! by radix. Equal scores are one threshold, whatever the order of their labels; `-0.0` equals `0.0`.

use metricopt_sdk::{Classification, Error, Result};
use std::cell::Cell;

use super::counts::mean;

/// Deciding for the positive class from some score on. Counts are `f64`, exact up to 2^53, since they end in quotients.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Threshold {
    /// Positive samples at or above it.
    pub(crate) true_positives: f64,
    /// All samples at or above it; at least 1.
    pub(crate) predicted: f64,
}

impl Threshold {
    /// Share of the samples at or above it that are positive.
    pub(crate) fn precision(&self) -> f64 {
        self.true_positives / self.predicted
    }

    /// Negative samples at or above it.
    pub(crate) fn false_positives(&self) -> f64 {
        self.predicted - self.true_positives
    }
}

/// The samples of one class against the rest, sorted by descending score.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ranking<'a> {
    /// Keys of the scores from 0 on and of those below: keys of different runs do not compare.
    runs: [&'a [u32]; 2],
    /// Number of samples of the class.
    pub(crate) positives: f64,
    /// Number of other samples.
    pub(crate) negatives: f64,
}

impl Ranking<'_> {
    /// Calls `visit` with the counts at each distinct score, from the highest down.
    pub(crate) fn sweep(&self, mut visit: impl FnMut(Threshold)) {
        // Plain loops: iterator adaptors keep these counts in memory instead of registers, at twice the time.
        let (mut true_positives, mut predicted) = (0.0, 0.0);
        for run in self.runs {
            for (at, &key) in run.iter().enumerate() {
                true_positives += f64::from(key & LABEL);
                predicted += 1.0;
                if run
                    .get(at + 1)
                    .is_none_or(|&next| next | LABEL != key | LABEL)
                {
                    visit(Threshold {
                        true_positives,
                        predicted,
                    });
                }
            }
        }
    }
}

/// `value` of the ranking by binary scores, else its mean over the classes that occur in the labels, each ranked
/// against the rest by its own column. A ranking so has at least one positive sample.
pub(crate) fn positive_or_mean(
    input: Classification<'_>,
    value: impl Fn(Ranking<'_>) -> f64,
) -> Result<f64> {
    if input.is_empty() {
        return Err(Error::undefined("no samples"));
    }
    let (scores, labels) = (input.scores(), input.labels());
    let value = |ranking: Ranking<'_>| (ranking.positives > 0.0).then(|| value(ranking));
    if input.is_binary() {
        let positive = labels.iter().map(|&label| label == 1);
        return rank(scores.iter().copied().zip(positive), value)
            .ok_or_else(|| Error::undefined("no positive samples"));
    }
    let classes = input.classes();
    Ok(mean((0..classes).filter_map(|class| {
        let column = scores.chunks_exact(classes).map(|row| row[class]);
        let positive = labels.iter().map(|&label| label == class as i64);
        rank(column.zip(positive), value)
    })))
}

/// Sorts the samples and calls `call` with them.
fn rank<T>(
    samples: impl ExactSizeIterator<Item = (f32, bool)>,
    call: impl FnOnce(Ranking<'_>) -> T,
) -> T {
    thread_local! {
        /// Keys and as much space again, kept from call to call: allocating would cost as much as a pass of the sort.
        static SCRATCH: Cell<[Vec<u32>; 2]> = const { Cell::new([Vec::new(), Vec::new()]) };
    }
    // Taken rather than borrowed: a `call` that ranks again then merely allocates.
    let [mut keys, mut space] = SCRATCH.take();
    let total = samples.len();
    keys.resize(total, 0);
    space.resize(total, 0);

    let (mut from_zero, mut below_zero, mut positives) = (0, 0, 0_u64);
    for (score, positive) in samples {
        // Minus zero plus zero is zero.
        let bits = (score + 0.0).to_bits();
        let key = key(bits, positive);
        // Written to both and kept in one: a branch on the sign would be mispredicted half of the time.
        keys[from_zero] = key;
        space[below_zero] = key;
        let sign = (bits >> 31) as usize;
        from_zero += 1 - sign;
        below_zero += sign;
        positives += u64::from(positive);
    }
    keys[from_zero..].copy_from_slice(&space[..below_zero]);

    let (upper, lower) = keys.split_at_mut(from_zero);
    let (upper_space, lower_space) = space.split_at_mut(from_zero);
    let result = call(Ranking {
        runs: [sort(upper, upper_space), sort(lower, lower_space)],
        positives: positives as f64,
        negatives: (total as u64 - positives) as f64,
    });
    SCRATCH.set([keys, space]);
    result
}

/// The bit of a key that holds its label.
const LABEL: u32 = 1;

/// The magnitude of a score above its label. Among scores of one sign, the higher score has the lower key.
fn key(bits: u32, positive: bool) -> u32 {
    // All ones for a score from 0 on, whose higher magnitude comes first.
    let flip = !((bits as i32 >> 31) as u32);
    ((bits ^ flip) << 1) | u32::from(positive)
}

/// Below this many keys comparing is faster than counting digits.
const SMALL: usize = 1024;
const DIGIT_BITS: u32 = 11;
const DIGITS: usize = 1 << DIGIT_BITS;
/// The three digits of the magnitude; the label in bit 0 needs no order.
const SHIFTS: [u32; 3] = [1, 12, 23];

fn digit(key: u32, shift: u32) -> usize {
    (key >> shift) as usize % DIGITS
}

/// Sorts by magnitude, by the least significant digit first. The sorted keys are in one or the other of the slices,
/// which must be equally long.
fn sort<'a>(keys: &'a mut [u32], space: &'a mut [u32]) -> &'a [u32] {
    if keys.len() < SMALL || u32::try_from(keys.len()).is_err() {
        keys.sort_unstable();
        return keys;
    }
    let mut counts = [[0_u32; DIGITS]; 3];
    for &key in keys.iter() {
        for (counts, shift) in counts.iter_mut().zip(SHIFTS) {
            counts[digit(key, shift)] += 1;
        }
    }
    let (mut from, mut to) = (keys, space);
    for (counts, shift) in counts.iter_mut().zip(SHIFTS) {
        if counts[digit(from[0], shift)] as usize == from.len() {
            continue;
        }
        // Counts become the places where the keys of each digit begin.
        let mut place = 0;
        for count in counts.iter_mut() {
            place += std::mem::replace(count, place);
        }
        for &key in from.iter() {
            let place = &mut counts[digit(key, shift)];
            let at = *place;
            *place += 1;
            to[at as usize] = key;
        }
        std::mem::swap(&mut from, &mut to);
    }
    from
}

#[cfg(test)]
mod tests {
    use super::*;

    fn thresholds(samples: &[(f32, bool)]) -> Vec<(f64, f64)> {
        rank(samples.iter().copied(), |ranking| {
            let mut seen = Vec::new();
            ranking.sweep(|threshold| seen.push((threshold.true_positives, threshold.predicted)));
            seen
        })
    }

    #[test]
    fn equal_scores_are_one_threshold() {
        let samples = [
            (0.5, true),
            (2.0, false),
            (0.5, false),
            (-0.0, true),
            (0.0, true),
        ];
        assert_eq!(thresholds(&samples), [(0.0, 1.0), (1.0, 3.0), (3.0, 5.0)]);
    }

    #[test]
    fn scores_of_opposite_sign_and_the_same_key_differ() {
        let low = -f32::from_bits(!1.0_f32.to_bits() & 0x7fff_ffff);
        assert_eq!(key(1.0_f32.to_bits(), true), key(low.to_bits(), true));
        assert_eq!(
            thresholds(&[(1.0, true), (low, true)]),
            [(1.0, 1.0), (2.0, 2.0)]
        );
    }

    #[test]
    fn the_scratch_space_shrinks_and_can_be_wanted_twice() {
        assert_eq!(thresholds(&[(0.25, true); 5000]), [(5000.0, 5000.0)]);
        assert_eq!(thresholds(&[(0.25, false)]), [(0.0, 1.0)]);
        let inner = rank([(0.5, true)].into_iter(), |_| thresholds(&[(0.25, false)]));
        assert_eq!(inner, [(0.0, 1.0)]);
    }
}
