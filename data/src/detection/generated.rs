//! The built-in data set: the real optical digits, pasted at random places and scales on textured ground.

use metricopt_sdk::prelude::*;
use rand::seq::SliceRandom;
use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64Mcg;

use super::frame::Frame;
use super::scenes::{Object, Scene, Scenes, Splits};
use crate::digits;

/// Height and width of an image in pixels.
const SIDE: usize = 64;

/// Sides in pixels to which the 8 x 8 images of digits are enlarged.
const SIDES: std::ops::RangeInclusive<usize> = 18..=32;

/// An odd number without pattern, so that the seeds of images lie far apart.
const ODD: u64 = 0x9E37_79B9_7F4A_7C15;

/// How often a free place is looked for before a digit is left out.
const TRIES: usize = 50;

/// Grains of the ground: pixels between two random values, which are joined by straight lines.
const GRAINS: [usize; 2] = [4, 16];

/// How many images with scattered digits there are, and what is on them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Scattered {
    /// Training images, 1 to 100000.
    pub train_images: usize,
    /// Validation images, 1 to 100000.
    pub validation_images: usize,
    /// Test images, 1 to 100000.
    pub test_images: usize,
    /// Most digits on an image, 1 to 4; the least is 1.
    pub digits: usize,
    /// Deviation of the noise of a pixel, in shades of 255, 0 to 128.
    pub noise: f64,
}

impl Default for Scattered {
    fn default() -> Self {
        Self {
            train_images: 800,
            validation_images: 240,
            test_images: 400,
            digits: 3,
            noise: 4.0,
        }
    }
}

impl Scattered {
    pub(super) fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        for (key, count) in [
            ("train_images", self.train_images),
            ("validation_images", self.validation_images),
            ("test_images", self.test_images),
        ] {
            if !(1..=100_000).contains(&count) {
                problems.push(format!("`scattered.{key}` must be 1 to 100000"));
            }
        }
        if !(1..=4).contains(&self.digits) {
            problems.push("`scattered.digits` must be 1 to 4".to_owned());
        }
        if !(0.0..=128.0).contains(&self.noise) {
            problems.push("`scattered.noise` must be 0 to 128".to_owned());
        }
        problems
    }

    /// Makes the images. The three parts are made of different digits: a half, a quarter and a quarter of them.
    ///
    /// # Errors
    ///
    /// Only if the digits that were compiled in are damaged.
    pub fn splits(&self, seed: u64) -> Result<Splits> {
        let images = digits::embedded()?.images;
        let mut order: Vec<usize> = (0..images.len()).collect();
        order.shuffle(&mut Pcg64Mcg::seed_from_u64(seed));
        let (train, rest) = order.split_at(order.len() / 2);
        let (validation, test) = rest.split_at(rest.len() / 2);
        let part = |digits: &[usize], count: usize, part: u64| {
            let mut scenes = Scenes {
                pixels: Vec::with_capacity(count * SIDE * SIDE),
                channels: 1,
                height: SIDE,
                width: SIDE,
                scenes: Vec::with_capacity(count),
                classes: images.classes.clone(),
            };
            for index in 0..count as u64 {
                let mut rng = Pcg64Mcg::seed_from_u64(
                    (seed.rotate_left(32) ^ ((part << 32) | index)).wrapping_mul(ODD),
                );
                let (pixels, objects) = self.draw(&mut rng, |rng| {
                    let digit = digits[rng.random_range(0..digits.len())];
                    let image = images.image(digit).unwrap_or_default();
                    (image, images.labels.get(digit).copied().unwrap_or_default())
                });
                scenes.pixels.extend(pixels);
                scenes.scenes.push(Scene {
                    name: format!("{index}"),
                    frame: Frame::identity(SIDE, SIDE),
                    objects,
                });
            }
            scenes
        };
        Ok(Splits {
            train: part(train, self.train_images, 0),
            validation: part(validation, self.validation_images, 1),
            test: part(test, self.test_images, 2),
            source: format!("{}, scattered over textured ground", digits::SOURCE),
            class_numbers: Vec::new(),
            skipped: None,
        })
    }

    fn draw<'a>(
        &self,
        rng: &mut Pcg64Mcg,
        digit: impl Fn(&mut Pcg64Mcg) -> (&'a [u8], i64),
    ) -> (Vec<u8>, Vec<Object>) {
        let mut canvas = ground(rng);
        let mut objects: Vec<Object> = Vec::new();
        for _ in 0..rng.random_range(1..=self.digits) {
            let (image, class) = digit(rng);
            for _ in 0..TRIES {
                let side = rng.random_range(SIDES);
                let [left, top] = [0; 2].map(|_: i32| rng.random_range(0..=SIDE - side));
                let ink = ink(image, side);
                let Some(pixels) = bounds(&ink, side, left, top) else {
                    break;
                };
                if objects.iter().any(|other| touch(&other.pixels, &pixels)) {
                    continue;
                }
                let shade = rng.random_range(60.0..130.0_f32);
                for (row, line) in ink.chunks_exact(side).enumerate() {
                    let start = (top + row) * SIDE + left;
                    for (pixel, ink) in canvas[start..start + side].iter_mut().zip(line) {
                        *pixel += shade * ink;
                    }
                }
                objects.push(Object {
                    pixels,
                    class,
                    difficult: false,
                    truncated: false,
                });
                break;
            }
        }
        let noise = self.noise as f32;
        let bytes = canvas.into_iter().map(|value| {
            // The sum of three uniform numbers is near enough to a normal one, with deviation one half.
            let draw: f32 = (0..3).map(|_| rng.random_range(-0.5..0.5_f32)).sum();
            (value + 2.0 * noise * draw).round().clamp(0.0, 255.0) as u8
        });
        (bytes.collect(), objects)
    }
}

/// Grey with waves of two sizes.
fn ground(rng: &mut Pcg64Mcg) -> Vec<f32> {
    let mut canvas = vec![rng.random_range(64.0..128.0_f32); SIDE * SIDE];
    for grain in GRAINS {
        let knots = SIDE / grain + 2;
        let strength = rng.random_range(4.0..20.0_f32);
        let values: Vec<f32> = (0..knots * knots)
            .map(|_| strength * rng.random_range(-1.0..1.0_f32))
            .collect();
        for (at, pixel) in canvas.iter_mut().enumerate() {
            let [y, x] = [at / SIDE, at % SIDE].map(|place| place as f32 / grain as f32);
            *pixel += bilinear(&values, knots, x, y);
        }
    }
    canvas
}

/// Between the four values around a place; `x` and `y` are below `width - 1`.
fn bilinear(values: &[f32], width: usize, x: f32, y: f32) -> f32 {
    let (column, row) = (x as usize, y as usize);
    let (right, down) = (x - column as f32, y - row as f32);
    let at = |row: usize, column: usize| values[row * width + column];
    let upper = at(row, column) * (1.0 - right) + at(row, column + 1) * right;
    let lower = at(row + 1, column) * (1.0 - right) + at(row + 1, column + 1) * right;
    upper * (1.0 - down) + lower * down
}

/// A digit enlarged to `side` pixels, 0 for paper and 1 for ink.
fn ink(image: &[u8], side: usize) -> Vec<f32> {
    let values: Vec<f32> = image.iter().map(|&byte| f32::from(byte) / 255.0).collect();
    let last = (digits::SIDE - 1) as f32 - 1e-3;
    let place = |at: usize| {
        let centre = (at as f32 + 0.5) * digits::SIDE as f32 / side as f32 - 0.5;
        centre.clamp(0.0, last)
    };
    (0..side * side)
        .map(|at| bilinear(&values, digits::SIDE, place(at % side), place(at / side)))
        .collect()
}

/// First and last pixels with ink, counted from 1 on the image; none without ink.
fn bounds(ink: &[f32], side: usize, left: usize, top: usize) -> Option<[f32; 4]> {
    let inked = || ink.iter().enumerate().filter(|(_, ink)| **ink > 0.25);
    let columns = || inked().map(|(at, _)| at % side + left + 1);
    let rows = || inked().map(|(at, _)| at / side + top + 1);
    let ends = [columns().min(), rows().min(), columns().max(), rows().max()];
    let [Some(x1), Some(y1), Some(x2), Some(y2)] = ends else {
        return None;
    };
    Some([x1, y1, x2, y2].map(|end| end as f32))
}

/// Whether two boxes share a pixel.
fn touch(a: &[f32; 4], b: &[f32; 4]) -> bool {
    a[0] <= b[2] && b[0] <= a[2] && a[1] <= b[3] && b[1] <= a[3]
}
