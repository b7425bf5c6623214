//! The anchors of torchvision's RetinaNet: three sizes by three shapes a cell, on five levels.

use super::super::grid::{Grid, Level, Ranking, Step};

/// Pixels of the image between two cells of each level, and the side of its smallest anchor.
const LEVELS: [(usize, u32); 5] = [(8, 32), (16, 64), (32, 128), (64, 256), (128, 512)];

/// Sides of the anchors of a level, as exponents of two over its smallest; torchvision cuts the sides to whole pixels.
const OCTAVES: [f64; 3] = [0.0, 1.0 / 3.0, 2.0 / 3.0];

/// Height over width.
const RATIOS: [f32; 3] = [0.5, 1.0, 2.0];

/// Anchors of a cell.
pub(super) const PER_CELL: usize = OCTAVES.len() * RATIOS.len();

pub(in crate::detector) fn grid() -> Grid {
    let levels = LEVELS.map(|(stride, smallest)| {
        let sides = OCTAVES.map(|octave| (f64::from(smallest) * octave.exp2()).floor() as f32);
        let shapes = RATIOS.iter().flat_map(|ratio| {
            let height = ratio.sqrt();
            let width = 1.0 / height;
            sides.map(|side| {
                // Halves go to the even neighbour, as in PyTorch.
                [-width, -height, width, height]
                    .map(|extent| (extent * side / 2.0).round_ties_even())
            })
        });
        Level {
            stride,
            shapes: shapes.collect(),
        }
    });
    Grid {
        levels: Vec::from(levels),
        middle: 0.0,
        step: Step::Share,
        ranking: Ranking::ByLevel,
    }
}
