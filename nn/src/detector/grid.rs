//! Where a detector has its anchors.

use super::Corners;

/// Where a detector has its anchors, for images of any size.
pub(super) struct Grid {
    /// The finest first.
    pub(super) levels: Vec<Level>,
    /// Where the middle of a cell's anchors lies, in steps from the cell's upper left corner.
    pub(super) middle: f32,
    /// How far it is from cell to cell.
    pub(super) step: Step,
    /// Which boxes are compared when candidates are chosen.
    pub(super) ranking: Ranking,
}

/// A level of the pyramid.
pub(super) struct Level {
    /// Pixels of the image a cell, a power of two.
    pub(super) stride: usize,
    /// The anchors of a cell around its middle.
    pub(super) shapes: Vec<Corners>,
}

/// Pixels from one cell to the next.
#[derive(Clone, Copy)]
pub(super) enum Step {
    /// The stride of the level.
    Stride,
    /// The whole pixels of the image for each cell, which is less where the stride does not divide the image.
    Share,
}

/// Which boxes are compared when candidates are chosen.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Ranking {
    /// Those of all levels.
    Together,
    /// Those of a level.
    ByLevel,
}
