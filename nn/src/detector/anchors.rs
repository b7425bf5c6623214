//! Anchors: the boxes that a detector corrects (Lin et al., ICCV 2017, section 4).

use super::Corners;

/// Pixels of the image between two cells of each level of the pyramid.
pub(super) const STRIDES: [usize; 3] = [8, 16, 32];

/// Sides of the square anchors of a cell, in strides: from level to level they go on in steps of the square root of two.
const SIDES: [f32; 2] = [1.5, 1.5 * std::f32::consts::SQRT_2];

/// Anchors of a cell.
pub(super) const PER_CELL: usize = SIDES.len();

/// The anchors of images of one size, in the order of a detector's outputs: by level, the finest first, then by row, column
/// and side.
#[derive(Clone, Debug, PartialEq)]
pub struct Anchors {
    boxes: Vec<Corners>,
}

impl Anchors {
    /// For images of `[height, width]` pixels. Each halving of an odd number of rows is rounded up, as by a convolution.
    ///
    /// ```
    /// let anchors = metricopt_nn::detector::Anchors::new([16, 9]);
    /// // 2 x 2 cells of stride 8, 1 x 1 of 16 and of 32, two anchors each; the first has sides of 12 pixels.
    /// assert_eq!(anchors.boxes().len(), 12);
    /// assert_eq!(anchors.boxes()[0], [-2.0, -2.0, 10.0, 10.0]);
    /// ```
    pub fn new([height, width]: [usize; 2]) -> Self {
        let mut boxes = Vec::new();
        for stride in STRIDES {
            for row in 0..height.div_ceil(stride) {
                for column in 0..width.div_ceil(stride) {
                    let centre = |cell: usize| (cell as f32 + 0.5) * stride as f32;
                    let (x, y) = (centre(column), centre(row));
                    for side in SIDES {
                        let half = 0.5 * side * stride as f32;
                        boxes.push([x - half, y - half, x + half, y + half]);
                    }
                }
            }
        }
        Self { boxes }
    }

    /// The anchors, which may stick out of the image.
    pub fn boxes(&self) -> &[Corners] {
        &self.boxes
    }
}
