//! The data: points in the square from -1 to 1, mostly positive inside a circle and mostly negative outside.
//!
//! To use a file, read it here. Report what is wrong with it by `Error::data`, with the line and a hint.

use metricopt_sdk::prelude::*;
use metricopt_sdk::tch::Tensor;

use crate::Config;

/// The points of a split.
pub(crate) struct Points {
    /// Coordinates, two for each point.
    pub(crate) coordinates: Vec<f32>,
    /// 0 or 1 for each point.
    pub(crate) labels: Vec<i64>,
}

impl Points {
    /// The coordinates, `[N, 2]`.
    pub(crate) fn tensor(&self) -> Result<Tensor> {
        Ok(Tensor::f_from_slice(&self.coordinates)?.f_view([-1, 2])?)
    }
}

/// Train, validation and test split.
///
/// The host looks at units in blocks (the folds of the validation split), so their order must be random. These are
/// drawn one by one; the lines of a file have to be shuffled first, by the seed.
pub(crate) fn generate(config: &Config, seed: u64) -> [Points; 3] {
    let mut random = Random(seed);
    [3, 1, 1].map(|fifths| {
        let mut points = Points {
            coordinates: Vec::new(),
            labels: Vec::new(),
        };
        for _ in 0..config.points * fifths / 5 {
            let (x, y) = (2.0 * random.next() - 1.0, 2.0 * random.next() - 1.0);
            // From 1 well inside to 0 well outside.
            let probability = 1.0 / (1.0 + ((x.hypot(y) - 0.3) / config.blur).exp());
            points.coordinates.extend([x as f32, y as f32]);
            points.labels.push(i64::from(random.next() < probability));
        }
        points
    })
}

/// Numbers in [0, 1), the same for the same seed on every machine (SplitMix64, Steele et al. 2014).
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn next(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^= z >> 31;
        (z >> 11) as f64 / (1_u64 << 53) as f64
    }
}
