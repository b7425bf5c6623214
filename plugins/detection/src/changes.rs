//! Random changes of training images, boxes included: what makes two hundred photographs last for a whole training.

use metricopt_data::detection::Scenes;
use metricopt_nn::detector::Corners;
use metricopt_nn::detector::matching::Object;
use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64Mcg;

/// What a changed image shows where it shows nothing of the original: the grey around a letterboxed image.
const AROUND: f32 = 128.0;

/// An object of which a smaller share is left on the image is neither asked for nor forbidden.
const LEAST_VISIBLE: f32 = 0.4;

/// How far images are changed.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Changes {
    /// Whether every second image is mirrored left to right.
    pub(crate) flip: bool,
    /// Whether every second image is mirrored top to bottom.
    pub(crate) flip_vertical: bool,
    /// Logarithm of the largest factor by which an image is enlarged or made smaller, 0 for neither.
    pub(crate) zoom: f32,
    /// Largest relative change of contrast, and of brightness in halves of the range, each channel for itself; 0 for neither.
    pub(crate) colour: f32,
}

impl Changes {
    /// An image `[C, H, W]` changed, and its objects, as follows from `seed` alone.
    pub(crate) fn apply(
        &self,
        image: &[u8],
        objects: Vec<Object>,
        kind: &Scenes,
        seed: u64,
    ) -> (Vec<u8>, Vec<Object>) {
        if *self == Self::default() {
            return (image.to_vec(), objects);
        }
        let mut rng = Pcg64Mcg::seed_from_u64(seed);
        let sides = [kind.width, kind.height];
        let mirrored = [self.flip, self.flip_vertical].map(|may| rng.random::<bool>() && may);
        let factor = (self.zoom * rng.random_range(-1.0..=1.0_f32)).exp();
        let axes = [0, 1].map(|axis| {
            let side = sides[axis] as f32;
            // An enlarged image is cut, one made smaller is put anywhere: the rest is negative in the first case.
            let offset = (side - side * factor) * rng.random::<f32>();
            Axis {
                side,
                scale: factor,
                offset,
                mirrored: mirrored[axis],
            }
        });
        let mut bytes = Vec::with_capacity(image.len());
        for plane in image.chunks_exact(kind.height * kind.width) {
            let contrast = 1.0 + self.colour * rng.random_range(-1.0..=1.0_f32);
            let brightness = AROUND * self.colour * rng.random_range(-1.0..=1.0_f32);
            let shade = |value: f32| {
                let changed = (value - AROUND) * contrast + AROUND + brightness;
                changed.round().clamp(0.0, 255.0) as u8
            };
            resample(plane, sides, &axes, &mut bytes, shade);
        }
        let objects = objects.into_iter().filter_map(|object| moved(object, &axes));
        (bytes, objects.collect())
    }
}

/// How one axis is changed: mirrored first, then scaled, then moved.
struct Axis {
    side: f32,
    scale: f32,
    offset: f32,
    mirrored: bool,
}

impl Axis {
    fn forward(&self, from: f32, to: f32) -> [f32; 2] {
        let [from, to] = if self.mirrored {
            [self.side - to, self.side - from]
        } else {
            [from, to]
        };
        [from, to].map(|point| point * self.scale + self.offset)
    }

    /// Where the middle of a new pixel comes from, in pixels of the original whose middles are whole numbers.
    fn source(&self, pixel: usize) -> f32 {
        let point = (pixel as f32 + 0.5 - self.offset) / self.scale;
        let point = if self.mirrored { self.side - point } else { point };
        point - 0.5
    }

    /// The two original pixels around the source of each new one, and the weight of the second; `None` outside.
    fn taps(&self, side: usize) -> Vec<Option<(usize, usize, f32)>> {
        let last = side - 1;
        let tap = |pixel| {
            let source = self.source(pixel);
            if source < -0.5 || source > last as f32 + 0.5 {
                return None;
            }
            let source = source.clamp(0.0, last as f32);
            let first = source as usize;
            Some((first, (first + 1).min(last), source - first as f32))
        };
        (0..side).map(tap).collect()
    }
}

fn resample(
    plane: &[u8],
    [width, height]: [usize; 2],
    [across, down]: &[Axis; 2],
    out: &mut Vec<u8>,
    shade: impl Fn(f32) -> u8,
) {
    let (columns, rows) = (across.taps(width), down.taps(height));
    let shades: Vec<u8> = (0..=255_u8).map(|value| shade(f32::from(value))).collect();
    for row in rows {
        let Some((upper, lower, along)) = row else {
            out.extend(std::iter::repeat_n(AROUND as u8, width));
            continue;
        };
        let (upper, lower) = (&plane[upper * width..][..width], &plane[lower * width..][..width]);
        out.extend(columns.iter().map(|column| {
            let Some((left, right, share)) = *column else {
                return AROUND as u8;
            };
            let between = |line: &[u8]| {
                let [left, right] = [left, right].map(|at| f32::from(line[at]));
                left + (right - left) * share
            };
            let (top, bottom) = (between(upper), between(lower));
            shades[(top + (bottom - top) * along).round() as usize]
        }));
    }
}

/// An object on the changed image; `None` if nothing of it is left.
fn moved(object: Object, [across, down]: &[Axis; 2]) -> Option<Object> {
    let [x1, y1, x2, y2] = object.corners;
    let ([x1, x2], [y1, y2]) = (across.forward(x1, x2), down.forward(y1, y2));
    let inside: Corners = [
        x1.clamp(0.0, across.side),
        y1.clamp(0.0, down.side),
        x2.clamp(0.0, across.side),
        y2.clamp(0.0, down.side),
    ];
    let area = |[x1, y1, x2, y2]: Corners| (x2 - x1) * (y2 - y1);
    let left = area(inside);
    (left > 0.0).then(|| Object {
        corners: inside,
        ignored: object.ignored || left < LEAST_VISIBLE * area([x1, y1, x2, y2]),
        ..object
    })
}
