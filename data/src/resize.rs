//! Resizing and cutting out, as the reference implementations prepare images for networks pre-trained on ImageNet.
//!
//! The filter is the triangle ("bilinear") with a support that grows with the reduction, which is what Pillow calls `BILINEAR`:
//! the weights are rounded to 22 bits behind the point, rows are filtered before columns, and the result of each pass is rounded
//! to bytes. A test holds that the bytes equal those of Pillow 11. (Pillow 13 filters columns first where that is cheaper, which moves
//! some bytes by one.)

use metricopt_sdk::{Error, Result};

/// Bits behind the point of a weight: 32, less 8 of the pixel and 2 to spare for sums.
const PRECISION: u32 = 22;

/// Colour of an image: red, green and blue of each pixel side by side.
pub(crate) const CHANNELS: usize = 3;

/// The most pixels that an image may have, three times those of a large photograph.
pub(crate) const MAX_PIXELS: usize = 1 << 26;

/// A colour image, `[H, W, 3]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Picture {
    pub(crate) width: usize,
    pub(crate) height: usize,
    pub(crate) pixels: Vec<u8>,
}

/// Which input pixels an output pixel is made of.
struct Window {
    start: usize,
    weights: Vec<i32>,
}

/// The windows of `output` pixels over `input` pixels.
fn windows(input: usize, output: usize) -> Vec<Window> {
    let scale = input as f64 / output as f64;
    let reduction = scale.max(1.0);
    // The triangle is 1 wide on either side at its own size.
    let support = reduction;
    (0..output)
        .map(|position| {
            let centre = (position as f64 + 0.5) * scale;
            let start = (centre - support + 0.5).max(0.0) as usize;
            let end = ((centre + support + 0.5) as usize).min(input);
            let weights: Vec<f64> = (start..end)
                .map(|pixel| {
                    let distance = (pixel as f64 - centre + 0.5) / reduction;
                    (1.0 - distance.abs()).max(0.0)
                })
                .collect();
            let sum: f64 = weights.iter().sum();
            let fixed = |weight: &f64| (weight / sum * f64::from(1u32 << PRECISION)).round() as i32;
            Window {
                start,
                weights: weights.iter().map(fixed).collect(),
            }
        })
        .collect()
}

/// A sum of weighted pixels as a byte.
fn byte(sum: i32) -> u8 {
    (sum >> PRECISION).clamp(0, 255) as u8
}

const HALF: i32 = 1 << (PRECISION - 1);

impl Picture {
    /// Resizes so that the shorter side has `side` pixels; the longer one is rounded down. `None` if that would be more pixels
    /// than any image may have, as for a long line.
    pub(crate) fn with_shorter_side(self, side: usize) -> Option<Self> {
        let (width, height) = if self.width <= self.height {
            (side, side * self.height / self.width)
        } else {
            (side * self.width / self.height, side)
        };
        let usual = width.checked_mul(height)? <= MAX_PIXELS;
        // Rows are filtered first: their result must fit too.
        let usual = usual && width.checked_mul(self.height)? <= MAX_PIXELS;
        usual.then(|| self.across(width).down(height))
    }

    /// Resizes each side for itself.
    ///
    /// # Errors
    ///
    /// If there would be more pixels on the way than any image may have, as for a long line.
    pub(crate) fn resized(self, width: usize, height: usize) -> Result<Self> {
        let between = width.checked_mul(self.height);
        if between.is_none_or(|pixels| pixels > MAX_PIXELS) {
            return Err(Error::data(format!(
                "{} x {} pixels are too narrow to be resized to {width} x {height}",
                self.width, self.height
            )));
        }
        Ok(self.across(width).down(height))
    }

    /// Filters every row to a new width.
    fn across(self, width: usize) -> Self {
        if width == self.width {
            return self;
        }
        let windows = windows(self.width, width);
        let mut pixels = Vec::with_capacity(width * self.height * CHANNELS);
        for row in self.pixels.chunks_exact(self.width * CHANNELS) {
            for window in &windows {
                let (inputs, _) = row[window.start * CHANNELS..].as_chunks::<CHANNELS>();
                let mut sums = [HALF; CHANNELS];
                for (input, weight) in inputs.iter().zip(&window.weights) {
                    for (sum, &value) in sums.iter_mut().zip(input) {
                        *sum += i32::from(value) * weight;
                    }
                }
                pixels.extend(sums.map(byte));
            }
        }
        Self {
            width,
            height: self.height,
            pixels,
        }
    }

    /// Filters every column to a new height.
    fn down(self, height: usize) -> Self {
        if height == self.height {
            return self;
        }
        let length = self.width * CHANNELS;
        let mut pixels = Vec::with_capacity(height * length);
        let mut sums = vec![HALF; length];
        for window in windows(self.height, height) {
            sums.fill(HALF);
            let rows = self.pixels[window.start * length..].chunks_exact(length);
            for (row, weight) in rows.zip(&window.weights) {
                for (sum, &value) in sums.iter_mut().zip(row) {
                    *sum += i32::from(value) * weight;
                }
            }
            pixels.extend(sums.iter().map(|&sum| byte(sum)));
        }
        Self {
            width: self.width,
            height,
            pixels,
        }
    }

    /// Cuts a square of `side` pixels out of the middle; `None` if the image is smaller. Half a pixel too much is rounded to the
    /// even number, as in torchvision.
    pub(crate) fn centre(self, side: usize) -> Option<Self> {
        let margin =
            |length: usize| Some((length.checked_sub(side)? as f64 / 2.0).round_ties_even());
        let (left, top) = (margin(self.width)? as usize, margin(self.height)? as usize);
        let rows = self.pixels.chunks_exact(self.width * CHANNELS);
        let pixels = rows
            .skip(top)
            .take(side)
            .flat_map(|row| &row[left * CHANNELS..(left + side) * CHANNELS])
            .copied()
            .collect();
        Some(Self {
            width: side,
            height: side,
            pixels,
        })
    }

    /// The planes of red, green and blue one after the other, `[3, H, W]`.
    pub(crate) fn planes(&self) -> Vec<u8> {
        (0..CHANNELS)
            .flat_map(|channel| self.pixels.iter().skip(channel).step_by(CHANNELS))
            .copied()
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn picture(width: usize, height: usize) -> Picture {
        let value =
            |x: usize, y: usize, c: usize| ((x * 37 + y * 61 + c * 91 + x * y * 13) % 256) as u8;
        let pixels = (0..height)
            .flat_map(|y| (0..width).flat_map(move |x| (0..CHANNELS).map(move |c| value(x, y, c))))
            .collect();
        Picture {
            width,
            height,
            pixels,
        }
    }

    /// The green channel, and the sum of all.
    fn summary(picture: &Picture) -> (Vec<u8>, u64) {
        let green = picture
            .pixels
            .iter()
            .skip(1)
            .step_by(CHANNELS)
            .copied()
            .collect();
        (
            green,
            picture.pixels.iter().map(|&value| u64::from(value)).sum(),
        )
    }

    #[test]
    fn bytes_are_those_of_pillow() {
        // `Image.resize(size, Image.BILINEAR)` of Pillow 11 on the same picture: smaller, much smaller, larger.
        let small = picture(11, 7).with_shorter_side(4).unwrap();
        assert_eq!((small.width, small.height), (6, 4));
        let green = [
            143, 168, 139, 116, 123, 146, 116, 134, 129, 123, 130, 80, 111, 113, 114, 130, 105,
            123, 154, 123, 92, 143, 146, 119,
        ];
        assert_eq!(summary(&small), (green.to_vec(), 9044));
        let tiny = picture(11, 7).with_shorter_side(2).unwrap();
        assert_eq!(summary(&tiny), (vec![138, 126, 120, 124, 118, 124], 2260));
        let large = picture(11, 7).with_shorter_side(9).unwrap();
        assert_eq!((large.width, large.height), (14, 9));
        let (green, sum) = summary(&large);
        let last = [
            201, 105, 113, 140, 38, 128, 63, 53, 144, 234, 132, 159, 167, 71,
        ];
        assert_eq!((&green[8 * 14..], sum), (&last[..], 47_415));
        assert_eq!(picture(7, 5).with_shorter_side(5), Some(picture(7, 5)));
    }

    #[test]
    fn the_middle_is_rounded_to_the_even_pixel() {
        // 5 - 2 = 3 pixels too many: 1.5 becomes 2; 3 - 2 = 1: 0.5 becomes 0.
        let cut = picture(5, 3).centre(2).unwrap();
        let whole = picture(5, 3);
        assert_eq!(
            cut.pixels[..CHANNELS],
            whole.pixels[2 * CHANNELS..3 * CHANNELS]
        );
        assert_eq!(picture(5, 3).centre(4), None);
        let planes = cut.planes();
        assert_eq!(
            planes[..4],
            [cut.pixels[0], cut.pixels[3], cut.pixels[6], cut.pixels[9]]
        );
    }
}
