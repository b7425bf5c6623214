//! Anchors: the boxes that a detector corrects (Lin et al., ICCV 2017, section 4).

use std::ops::Range;

use super::grid::{Grid, Level, Ranking, Step};
use super::name::DetectorName;
use super::{Corners, retinanet, tiny};

/// The anchors of images of one size, in the order of a detector's outputs: by level, the finest first, then by row, column
/// and shape.
#[derive(Clone, Debug, PartialEq)]
pub struct Anchors {
    boxes: Vec<Corners>,
    groups: Vec<Range<usize>>,
}

impl Anchors {
    /// Those of a detector for images of `[height, width]` pixels. Each halving of an odd number of rows is rounded up, as by a
    /// convolution.
    ///
    /// ```
    /// use metricopt_nn::detector::{Anchors, DetectorName};
    ///
    /// let anchors = Anchors::new(DetectorName::Tiny, [16, 9]);
    /// // 2 x 2 cells of stride 8, 1 x 1 of 16 and of 32, two anchors each; the first has sides of 12 pixels.
    /// assert_eq!(anchors.boxes().len(), 12);
    /// assert_eq!(anchors.boxes()[0], [-2.0, -2.0, 10.0, 10.0]);
    /// // Nine anchors a cell, of 16, 4, 1, 1 and 1 cells; the first is twice as wide as high.
    /// let anchors = Anchors::new(DetectorName::RetinanetResnet50, [32, 32]);
    /// assert_eq!(anchors.boxes().len(), 9 * 23);
    /// assert_eq!(anchors.boxes()[0], [-23.0, -11.0, 23.0, 11.0]);
    /// ```
    pub fn new(detector: DetectorName, [height, width]: [usize; 2]) -> Self {
        let grid = grid(detector);
        let mut boxes = Vec::new();
        let mut groups = Vec::new();
        for Level { stride, shapes } in &grid.levels {
            let first = boxes.len();
            let [rows, columns] = [height, width].map(|side| side.div_ceil(*stride));
            let step = |side: usize, cells: usize| match grid.step {
                Step::Stride => *stride,
                Step::Share => side / cells.max(1),
            };
            let [down, across] = [step(height, rows), step(width, columns)];
            for row in 0..rows {
                for column in 0..columns {
                    let middle =
                        |cell: usize, step: usize| (cell as f32 + grid.middle) * step as f32;
                    let (x, y) = (middle(column, across), middle(row, down));
                    let placed = shapes
                        .iter()
                        .map(|[x1, y1, x2, y2]| [x + x1, y + y1, x + x2, y + y2]);
                    boxes.extend(placed);
                }
            }
            groups.push(first..boxes.len());
        }
        if grid.ranking == Ranking::Together {
            groups = std::iter::once(0..boxes.len()).collect();
        }
        Self { boxes, groups }
    }

    /// The anchors, which may stick out of the image.
    pub fn boxes(&self) -> &[Corners] {
        &self.boxes
    }

    /// Runs of anchors, in order, from each of which candidates are chosen.
    pub fn groups(&self) -> &[Range<usize>] {
        &self.groups
    }
}

fn grid(detector: DetectorName) -> Grid {
    match detector {
        DetectorName::Tiny => tiny::grid(),
        DetectorName::RetinanetResnet18 | DetectorName::RetinanetResnet50 => retinanet::grid(),
    }
}
