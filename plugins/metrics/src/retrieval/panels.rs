//! Distances of a few queries to a few items at a time: the hot loop.
//!
//! Components of several items lie side by side in a *panel*, those of several queries in a *group*, and the distances
//! between the two are held in registers while the loop runs over the components. Each distance is one sum in the
//! order of the components, whatever its place in a tile: so equal embeddings have equal distances to the last bit, the
//! value does not depend on how the work is shared out, and without fused operations it is the same on every machine.

use pulp::{Arch, Simd, WithSimd};
use std::marker::PhantomData;

use super::Distance;
use super::distance::Scaling;

/// Items of a panel.
pub(super) const ITEMS: usize = 16;
/// Queries of a group.
pub(super) const QUERIES: usize = 12;

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
pub(super) fn tile(arch: Arch, distance: Distance, group: &[f32], panel: &[f32]) -> Tile {
    match distance {
        Distance::Cosine => arch.dispatch(Sum {
            group,
            panel,
            term: PhantomData::<Product>,
        }),
        Distance::L2 => arch.dispatch(Sum {
            group,
            panel,
            term: PhantomData::<SquaredDifference>,
        }),
    }
}

/// What one component adds to a distance.
trait Term {
    fn add<S: Simd>(simd: S, far: S::f32s, query: S::f32s, item: S::f32s) -> S::f32s;
}

/// The inner product, subtracted.
struct Product;

impl Term for Product {
    #[inline(always)]
    fn add<S: Simd>(simd: S, far: S::f32s, query: S::f32s, item: S::f32s) -> S::f32s {
        simd.sub_f32s(far, simd.mul_f32s(query, item))
    }
}

/// The square of the difference. Norms and a product would do with less, but cancel: so equal embeddings are at 0.
struct SquaredDifference;

impl Term for SquaredDifference {
    #[inline(always)]
    fn add<S: Simd>(simd: S, far: S::f32s, query: S::f32s, item: S::f32s) -> S::f32s {
        let difference = simd.sub_f32s(query, item);
        simd.add_f32s(far, simd.mul_f32s(difference, difference))
    }
}

struct Sum<'a, T> {
    group: &'a [f32],
    panel: &'a [f32],
    term: PhantomData<T>,
}

impl<T: Term> WithSimd for Sum<'_, T> {
    type Output = Tile;

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> Tile {
        // So many vectors hold the items of a panel, and so many queries at a time fill the registers but do not spill:
        // AVX-512 has 32 of them, others 16.
        match S::F32_LANES {
            16 => self.in_vectors::<S, 1, QUERIES>(simd),
            8 => self.in_vectors::<S, 2, { QUERIES / 2 }>(simd),
            4 => self.in_vectors::<S, 4, { QUERIES / 4 }>(simd),
            2 => self.in_vectors::<S, 8, 1>(simd),
            _ => self.in_vectors::<S, ITEMS, 1>(simd),
        }
    }
}

impl<T: Term> Sum<'_, T> {
    #[inline(always)]
    fn in_vectors<S: Simd, const VECTORS: usize, const AT_A_TIME: usize>(self, simd: S) -> Tile {
        let mut tile = [[0.0; ITEMS]; QUERIES];
        let components = self.group.as_chunks::<QUERIES>().0;
        let panel = S::as_simd_f32s(self.panel).0.as_chunks::<VECTORS>().0;
        for first in (0..QUERIES).step_by(AT_A_TIME) {
            let mut sums = [[simd.splat_f32s(0.0); VECTORS]; AT_A_TIME];
            for (queries, items) in components.iter().zip(panel) {
                for query in 0..AT_A_TIME {
                    let component = simd.splat_f32s(queries[first + query]);
                    for at in 0..VECTORS {
                        sums[query][at] = T::add(simd, sums[query][at], component, items[at]);
                    }
                }
            }
            for (row, sums) in tile[first..].iter_mut().zip(sums) {
                for (to, sum) in S::as_mut_simd_f32s(row).0.iter_mut().zip(sums) {
                    *to = sum;
                }
            }
        }
        tile
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Numbers of no pattern, always the same.
    fn rows(count: usize, dimensions: usize) -> Vec<f32> {
        let bits = (1..).map(|at: u32| at.wrapping_mul(2_654_435_761) >> 8);
        let numbers = bits.map(|bits| bits as f32 / 8_388_608.0 - 1.0);
        numbers.take(count * dimensions).collect()
    }

    /// To the last bit, on whatever machine.
    #[test]
    fn each_distance_is_a_plain_sum_in_the_order_of_the_components() {
        for dimensions in [1, 3, 130] {
            let (queries, items) = (rows(QUERIES - 1, dimensions), rows(ITEMS - 3, dimensions));
            let packed = |rows: &[f32], width| {
                let mut packed = vec![7.0];
                let rows = rows.chunks_exact(dimensions);
                pack(&mut packed, rows, dimensions, width, Scaling::Common(0.5));
                packed
            };
            let (group, panel) = (packed(&queries, QUERIES), packed(&items, ITEMS));
            for distance in [Distance::Cosine, Distance::L2] {
                let tile = tile(Arch::new(), distance, &group, &panel);
                for (query, row) in queries.chunks(dimensions).zip(&tile) {
                    for (item, far) in items.chunks(dimensions).zip(row) {
                        let mut expected = 0.0_f32;
                        for (q, x) in query.iter().zip(item) {
                            let (q, x) = (0.5 * q, 0.5 * x);
                            expected += match distance {
                                Distance::Cosine => -(q * x),
                                Distance::L2 => (q - x) * (q - x),
                            };
                        }
                        assert_eq!(far.to_bits(), expected.to_bits());
                    }
                }
            }
        }
    }
}
