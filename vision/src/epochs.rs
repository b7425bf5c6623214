//! Passes over training images, each in a random order of its own.

use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_pcg::Pcg64Mcg;

/// An odd number without pattern, so that the seeds of epochs lie far apart.
const ODD: u64 = 0x9E37_79B9_7F4A_7C15;

/// The minibatches of a training, which follow from the seed alone.
pub struct Epochs {
    count: usize,
    batch_size: usize,
    seed: u64,
    /// The epoch at hand and its order.
    shuffled: Option<(u64, Vec<u32>)>,
}

impl Epochs {
    /// Minibatches of `batch_size` of `count` images; both at least 1.
    pub fn new(count: usize, batch_size: usize, seed: u64) -> Self {
        Self {
            count,
            batch_size,
            seed,
            shuffled: None,
        }
    }

    /// Minibatches of one pass; the last may be smaller.
    pub fn steps(&self) -> u64 {
        self.count.div_ceil(self.batch_size) as u64
    }

    /// The rows of a step.
    pub fn rows(&mut self, step: u64) -> &[u32] {
        let epoch = step / self.steps();
        let at = (step % self.steps()) as usize * self.batch_size;
        let end = self.count.min(at + self.batch_size);
        let (count, seed) = (self.count, self.seed);
        if self.shuffled.as_ref().is_none_or(|(old, _)| *old != epoch) {
            self.shuffled = None;
        }
        let (_, order) = self
            .shuffled
            .get_or_insert_with(|| (epoch, order(count, seed, epoch)));
        &order[at..end]
    }
}

/// The images in the order of an epoch.
fn order(count: usize, seed: u64, epoch: u64) -> Vec<u32> {
    let mut rng = Pcg64Mcg::seed_from_u64(seed.wrapping_add(epoch.wrapping_mul(ODD)));
    let mut order: Vec<u32> = (0..count as u32).collect();
    order.shuffle(&mut rng);
    order
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_pass_meets_each_image_once_in_another_order() {
        let mut epochs = Epochs::new(10, 4, 7);
        assert_eq!(epochs.steps(), 3);
        let mut pass = |first: u64| -> Vec<u32> {
            let steps = first..first + 3;
            steps.flat_map(|step| epochs.rows(step).to_vec()).collect()
        };
        let (first, second) = (pass(0), pass(3));
        assert_ne!(first, second);
        assert_eq!(first, pass(0), "nothing depends on what was asked before");
        for mut rows in [first, second] {
            rows.sort_unstable();
            assert_eq!(rows, (0..10).collect::<Vec<u32>>());
        }
    }
}
