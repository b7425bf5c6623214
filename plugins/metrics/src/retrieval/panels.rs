//! Distances of a few queries to a few items at a time: the hot loop.
//!
//! Components of several items lie side by side in a *panel*, those of several queries in a *group*, and the distances
//! between the two are held in registers while the loop runs over the components. Each distance is one sum in the
//! order of the components, whatever its place in a tile: so equal embeddings have equal distances to the last bit, the
//! value does not depend on how the work is shared out, and without fused operations it is the same on every machine.

use super::Distance;
use super::distance::Scaling;

/// Items of a panel.
pub(super) const ITEMS: usize = 16;
/// Queries of a group.
pub(super) const QUERIES: usize = 6;

/// How far each query of a group is from each item of a panel: numbers in the order of the distances, the nearer the
/// smaller.
pub(super) type Tile = [[f32; ITEMS]; QUERIES];

/// Packs rows, `width` at a time, each component of all of them side by side; what is missing in the last is zero.
pub(super) fn pack<'a>(
    packed: &mut Vec<f32>,
    rows: impl ExactSizeIterator<Item = &'a [f32]>,
    dimensions: usize,
    width: usize,
    scaling: Scaling,
) {
    packed.clear();
    packed.resize(rows.len().div_ceil(width) * width * dimensions, 0.0);
    for (at, row) in rows.enumerate() {
        let factor = scaling.factor(row);
        let start = at / width * width * dimensions + at % width;
        let slots = packed[start..].iter_mut().step_by(width);
        for (slot, &x) in slots.zip(row) {
            *slot = (f64::from(x) * factor) as f32;
        }
    }
}

/// The distances of a packed group to a packed panel.
#[inline(always)]
pub(super) fn tile(distance: Distance, group: &[f32], panel: &[f32]) -> Tile {
    match distance {
        Distance::Cosine => sum(group, panel, |far, q, x| far - q * x),
        // Differences rather than norms and products, which would cancel: equal embeddings are at 0 exactly.
        Distance::L2 => sum(group, panel, |far, q, x| far + (q - x) * (q - x)),
    }
}

#[inline(always)]
fn sum(group: &[f32], panel: &[f32], add: impl Fn(f32, f32, f32) -> f32) -> Tile {
    let mut tile = [[0.0; ITEMS]; QUERIES];
    let components = group.as_chunks::<QUERIES>().0;
    for (queries, items) in components.iter().zip(panel.as_chunks::<ITEMS>().0) {
        for (row, &q) in tile.iter_mut().zip(queries) {
            for (far, &x) in row.iter_mut().zip(items) {
                *far = add(*far, q, x);
            }
        }
    }
    tile
}
