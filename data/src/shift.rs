//! Images made worse on purpose, as a camera out of focus and in the dark would.

use metricopt_sdk::prelude::*;
use rand::SeedableRng;
use rand_distr::{Distribution, StandardNormal};
use rand_pcg::Pcg64Mcg;

use crate::images::Images;

/// A blur reaches this many standard deviations.
const REACH: f64 = 3.0;

/// An odd number without pattern, so that the seeds of images lie far apart.
const ODD: u64 = 0x9e37_79b9_7f4a_7c15;

/// How images are made worse: blurred first, then noisy.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Shift {
    /// Standard deviation of a Gaussian blur in pixels, 0 to 100; 0 for none. Beyond its edge an image goes on with its last pixel.
    pub blur: f64,
    /// Standard deviation of Gaussian noise on every value, as a share of the largest value, 0 to 1; 0 for none.
    pub noise: f64,
}

impl Shift {
    /// What is wrong with the values, if anything.
    pub(crate) fn problems(&self) -> Vec<String> {
        [("blur", self.blur, 100.0), ("noise", self.noise, 1.0)]
            .into_iter()
            .filter(|(_, value, most)| !(0.0..=*most).contains(value))
            .map(|(name, value, most)| format!("`shift.{name}` must be 0 to {most}, not {value}"))
            .collect()
    }

    /// Changes all images; the noise follows from the seed and the place of an image.
    ///
    /// ```
    /// use metricopt_data::{Images, Shift};
    ///
    /// let mut images = Images {
    ///     pixels: vec![0, 0, 255, 0, 0],
    ///     channels: 1,
    ///     height: 1,
    ///     width: 5,
    ///     labels: vec![0],
    ///     classes: vec!["line".to_owned()],
    /// };
    /// Shift { blur: 0.5, noise: 0.0 }.apply(&mut images, 1);
    /// // exp(-2) = 0.135 beside the middle and exp(-8) beyond, divided by their sum.
    /// assert_eq!(images.pixels, [0, 27, 201, 27, 0]);
    /// ```
    pub fn apply(&self, images: &mut Images, seed: u64) {
        let [height, width] = [images.height, images.width];
        let length = images.image_len();
        if length == 0 || *self == Self::default() {
            return;
        }
        let weights = self.weights();
        for (index, image) in (0_u64..).zip(images.pixels.chunks_exact_mut(length)) {
            let mut rng = Pcg64Mcg::seed_from_u64(seed.wrapping_add(index.wrapping_mul(ODD)));
            for plane in image.chunks_exact_mut(height * width) {
                let mut values: Vec<f64> = plane.iter().copied().map(f64::from).collect();
                if self.blur > 0.0 {
                    values = blurred(&values, width, &weights);
                    values = transposed(&values, width);
                    values = blurred(&values, height, &weights);
                    values = transposed(&values, height);
                }
                for (pixel, value) in plane.iter_mut().zip(values) {
                    let noise: f64 = if self.noise > 0.0 {
                        StandardNormal.sample(&mut rng)
                    } else {
                        0.0
                    };
                    *pixel = (value + 255.0 * self.noise * noise)
                        .round()
                        .clamp(0.0, 255.0) as u8;
                }
            }
        }
    }

    /// Of the pixel itself and of those to one side of it.
    fn weights(&self) -> Vec<f64> {
        let reach = (REACH * self.blur).ceil() as usize;
        let bell = |distance: usize| {
            (-0.5 * (distance as f64 / self.blur.max(f64::MIN_POSITIVE)).powi(2)).exp()
        };
        let side: f64 = (1..=reach).map(bell).sum();
        (0..=reach)
            .map(|at| bell(at) / (1.0 + 2.0 * side))
            .collect()
    }
}

/// Rows of this width, each blurred.
fn blurred(values: &[f64], width: usize, weights: &[f64]) -> Vec<f64> {
    let of_row = |row: &[f64]| -> Vec<f64> {
        (0..width)
            .map(|x| {
                let pair = |at: usize| row[x.saturating_sub(at)] + row[(x + at).min(width - 1)];
                let sides = weights.iter().enumerate().skip(1);
                sides.fold(weights[0] * row[x], |sum, (at, weight)| {
                    sum + weight * pair(at)
                })
            })
            .collect()
    };
    values.chunks_exact(width).flat_map(of_row).collect()
}

fn transposed(values: &[f64], width: usize) -> Vec<f64> {
    (0..width)
        .flat_map(|x| values.iter().skip(x).step_by(width).copied())
        .collect()
}
