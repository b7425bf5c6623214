//! Minibatches with several images of each class, as functions of a seed and a step.

use rand::SeedableRng;
use rand::seq::{SliceRandom, index};
use rand_pcg::Pcg64Mcg;

/// An odd number without pattern, so that the seeds of steps lie far apart.
const ODD: u64 = 0x9e37_79b9_7f4a_7c15;

fn generator(seed: u64, index: u64) -> Pcg64Mcg {
    Pcg64Mcg::seed_from_u64(seed.wrapping_add((index + 1).wrapping_mul(ODD)))
}

/// The rows of each class of a split.
pub(crate) struct Classes(Vec<Vec<u32>>);

/// What a minibatch is drawn by.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Draw {
    /// Seed of whoever asks; with `fraction` it fixes the subset of the images that is seen.
    pub(crate) seed: u64,
    /// Step of whoever asks.
    pub(crate) step: u64,
    /// Number of images.
    pub(crate) size: usize,
    /// Images of a class.
    pub(crate) per_class: usize,
    /// Share of the images of each class that may be drawn, in (0, 1].
    pub(crate) fraction: f64,
}

impl Classes {
    /// By the label of each row; classes in the order of their first row.
    pub(crate) fn new(labels: &[i64]) -> Self {
        let mut places = std::collections::HashMap::new();
        let mut classes: Vec<Vec<u32>> = Vec::new();
        for (row, label) in (0_u32..).zip(labels) {
            let place = *places.entry(label).or_insert(classes.len());
            if place == classes.len() {
                classes.push(Vec::new());
            }
            classes[place].push(row);
        }
        Self(classes)
    }

    /// Number of classes.
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// A minibatch: classes in random order and each with `per_class` images, or more where there are not enough classes. The
    /// images of a class stand apart, so that every part of the minibatch has all its classes.
    ///
    /// A class with too few images gives some of them twice.
    pub(crate) fn minibatch(&self, draw: &Draw) -> Vec<u32> {
        let mut rng = generator(draw.seed, draw.step);
        let wanted = draw.size.div_ceil(draw.per_class.max(1)).max(2);
        let count = wanted.min(self.len());
        let mut chosen = Vec::with_capacity(count);
        for class in index::sample(&mut rng, self.len(), count) {
            let mut seen = self.subset(class, draw);
            seen.shuffle(&mut rng);
            chosen.push(seen);
        }
        let rounds = draw.size.div_ceil(count.max(1));
        let mut rows = Vec::with_capacity(draw.size);
        for round in 0..rounds {
            for class in &mut chosen {
                if round > 0 && round % class.len() == 0 {
                    class.shuffle(&mut rng);
                }
                rows.push(class[round % class.len()]);
            }
        }
        rows.truncate(draw.size);
        rows
    }

    /// The images of a class that this seed sees, at least two if there are so many.
    fn subset(&self, class: usize, draw: &Draw) -> Vec<u32> {
        let all = &self.0[class];
        let count = (all.len() as f64 * draw.fraction).ceil() as usize;
        let count = count.max(2).min(all.len());
        if count == all.len() {
            return all.clone();
        }
        let mut rng = generator(!draw.seed, class as u64);
        let places = index::sample(&mut rng, all.len(), count).into_iter();
        places.map(|place| all[place]).collect()
    }

    /// About `size` different rows in ascending order: classes in random order, each whole if it has no more than its share, at
    /// least two classes, and at least two images of each.
    pub(crate) fn sample(&self, seed: u64, size: usize, per_class: usize) -> Vec<u32> {
        let mut rng = Pcg64Mcg::seed_from_u64(seed);
        let share = size.div_ceil(self.len().max(1)).max(per_class).max(2);
        let mut order: Vec<usize> = (0..self.len()).collect();
        order.shuffle(&mut rng);
        let mut rows = Vec::with_capacity(size);
        for (taken, class) in order.into_iter().enumerate() {
            if taken >= 2 && rows.len() >= size {
                break;
            }
            let all = &self.0[class];
            let places = index::sample(&mut rng, all.len(), share.min(all.len()));
            rows.extend(places.into_iter().map(|place| all[place]));
        }
        rows.sort_unstable();
        rows
    }
}
