//! Training images, changed at random, and bytes as the numbers a network expects.

use metricopt_sdk::prelude::*;
use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64Mcg;

/// How training images are changed: the usual way for CIFAR (He et al. 2016, section 4.2).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Augmentation {
    /// Number of black pixels put around an image before a piece of its old size is cut out at random; 0 for none.
    pub padding: usize,
    /// Whether every second image, at random, is mirrored left to right.
    pub flip: bool,
}

impl Augmentation {
    /// Writes the changed image to `out`; both are `[C, H, W]`.
    ///
    /// The change follows from `seed`, `step` and `row` alone, so that training can resume at any step.
    ///
    /// ```
    /// use metricopt_data::Augmentation;
    ///
    /// let image: Vec<u8> = (1..=9).collect();
    /// let shift = Augmentation { padding: 1, flip: false };
    /// let (mut first, mut again) = ([0; 9], [0; 9]);
    /// shift.apply(&image, [1, 3, 3], (7, 0, 0), &mut first)?;
    /// shift.apply(&image, [1, 3, 3], (7, 0, 0), &mut again)?;
    /// assert_eq!(first, again);
    /// # Ok::<(), metricopt_sdk::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// If `image` or `out` is not as long as `shape` says.
    pub fn apply(
        &self,
        image: &[u8],
        shape: [usize; 3],
        (seed, step, row): (u64, u64, u64),
        out: &mut [u8],
    ) -> Result<()> {
        let [_, height, width] = shape;
        check_length(image.len(), shape)?;
        check_length(out.len(), shape)?;
        let mut rng = Pcg64Mcg::seed_from_u64(mix(mix(seed, step), row));
        let (top, left) = (
            rng.random_range(0..=2 * self.padding),
            rng.random_range(0..=2 * self.padding),
        );
        let mirrored = rng.random::<bool>() && self.flip;
        out.fill(0);
        let planes = image.chunks_exact(height * width);
        for (plane, out) in planes.zip(out.chunks_exact_mut(height * width)) {
            for (y, row) in out.chunks_exact_mut(width).enumerate() {
                // Row and column of the piece, in the image without its padding.
                let Some(source) = (y + top)
                    .checked_sub(self.padding)
                    .and_then(|y| plane.chunks_exact(width).nth(y))
                else {
                    continue;
                };
                for (x, pixel) in row.iter_mut().enumerate() {
                    let x = if mirrored { width - 1 - x } else { x };
                    let value = (x + left)
                        .checked_sub(self.padding)
                        .and_then(|x| source.get(x));
                    *pixel = value.copied().unwrap_or(0);
                }
            }
        }
        Ok(())
    }
}

/// One number from two, such that nearby pairs give unrelated numbers (the finaliser of SplitMix64, Steele et al. 2014).
fn mix(a: u64, b: u64) -> u64 {
    let mut z = a
        .wrapping_mul(0x9e37_79b9_7f4a_7c15)
        .wrapping_add(b)
        .wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

fn check_length(length: usize, shape: [usize; 3]) -> Result<()> {
    if length > 0 && length == shape.iter().product::<usize>() {
        return Ok(());
    }
    Err(Error::failed(format!(
        "{length} bytes are no image of {shape:?}"
    )))
}

/// Bytes as numbers: `(byte / 255 - mean) / std` for each channel.
#[derive(Clone, Debug)]
pub struct Normalisation {
    /// The number for every byte, channel by channel.
    numbers: Vec<[f32; 256]>,
}

impl Normalisation {
    /// With the mean and the standard deviation of each channel, of pixels from 0 to 1.
    ///
    /// # Errors
    ///
    /// If there are not as many means as deviations, or one is not finite, or a deviation is not above 0.
    pub fn new(mean: &[f32], std: &[f32]) -> Result<Self> {
        let usable = |(mean, std): (&f32, &f32)| mean.is_finite() && std.is_finite() && *std > 0.0;
        if mean.is_empty() || mean.len() != std.len() || !mean.iter().zip(std).all(usable) {
            return Err(Error::configuration(format!(
                "mean {mean:?} and deviation {std:?} must be finite, of one length, and deviations above 0"
            )));
        }
        let channel = |(mean, std): (&f32, &f32)| {
            std::array::from_fn(|byte| (byte as f32 / 255.0 - mean) / std)
        };
        Ok(Self {
            numbers: mean.iter().zip(std).map(channel).collect(),
        })
    }

    /// With numbers of one's own for every byte, channel by channel.
    pub fn of_numbers(numbers: Vec<[f32; 256]>) -> Self {
        Self { numbers }
    }

    /// Number of channels.
    pub fn channels(&self) -> usize {
        self.numbers.len()
    }

    /// The number for every byte, channel by channel.
    pub fn numbers(&self) -> &[[f32; 256]] {
        &self.numbers
    }

    /// Writes the numbers of one or several images, `[N, C, H, W]`, to `out`; `plane` is `H * W`.
    ///
    /// ```
    /// use metricopt_data::Normalisation;
    ///
    /// let mut out = [0.0; 2];
    /// Normalisation::new(&[0.5], &[0.25])?.apply(&[0, 255], 2, &mut out)?;
    /// assert_eq!(out, [-2.0, 2.0]);
    /// # Ok::<(), metricopt_sdk::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// If the bytes are no whole number of images, or `out` is not as long.
    pub fn apply(&self, pixels: &[u8], plane: usize, out: &mut [f32]) -> Result<()> {
        let image = plane * self.channels();
        if image == 0 || !pixels.len().is_multiple_of(image) || pixels.len() != out.len() {
            return Err(Error::failed(format!(
                "{} bytes and room for {} numbers do not fit images of {} x {plane}",
                pixels.len(),
                out.len(),
                self.channels()
            )));
        }
        let planes = pixels.chunks_exact(plane).zip(out.chunks_exact_mut(plane));
        for ((pixels, out), numbers) in planes.zip(self.numbers.iter().cycle()) {
            for (number, &byte) in out.iter_mut().zip(pixels) {
                *number = numbers[usize::from(byte)];
            }
        }
        Ok(())
    }
}
