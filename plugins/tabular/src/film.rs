//! The frozen network with FiLM, evaluated for many adapters at once on the CPU.
//!
//! Candidates of a population share the network and, in front of the first FiLM site, every activation. What is left
//! is worked off in blocks of rows small enough that all intermediate values stay in cache; within a block the values
//! of one channel lie side by side, so that scale, shift and ReLU are one multiply-add and one maximum a vector.

use faer::linalg::matmul::matmul;
use faer::{Accum, MatMut, MatRef, Par};
use pulp::Arch;

use crate::network::Network;

/// Rows of a block: three blocks of a hundred channels take 150 KB, which a level-2 cache holds.
pub(crate) const BLOCK: usize = 128;

/// Buffers of one thread.
#[derive(Default)]
pub(crate) struct Scratch {
    /// Gathered pre-activations of the first layer, channel by channel.
    gathered: Vec<f32>,
    /// Activations in front of and behind the layer at hand, channel by channel.
    front: Vec<f32>,
    behind: Vec<f32>,
}

/// Pre-activations of the first hidden layer for one split, which no adapter changes: `[channels, rows]`.
pub(crate) struct FirstLayer {
    values: Vec<f32>,
    rows: usize,
}

impl FirstLayer {
    /// Computes them from row-major features `[rows, columns]`.
    pub(crate) fn new(network: &Network, features: &[f32]) -> Self {
        let layer = &network.layers[0];
        let rows = features.len() / layer.inputs.max(1);
        let mut values: Vec<f32> = layer
            .bias
            .iter()
            .flat_map(|&bias| std::iter::repeat_n(bias, rows))
            .collect();
        matmul(
            MatMut::from_column_major_slice_mut(&mut values, rows, layer.outputs),
            Accum::Add,
            MatRef::from_row_major_slice(features, rows, layer.inputs),
            MatRef::from_row_major_slice(&layer.matrix, layer.inputs, layer.outputs),
            1.0,
            Par::Seq,
        );
        Self { values, rows }
    }

    /// The values, `[channels, rows]`.
    pub(crate) fn values(&self) -> &[f32] {
        &self.values
    }
}

/// Scores, the probabilities of the positive class, of every candidate on at most [`BLOCK`] rows.
///
/// `phis` is row-major `[P, D]`, `rows` are ascending, `scores` is `[P, rows]`.
pub(crate) fn score_block(
    network: &Network,
    first: &FirstLayer,
    phis: &[f32],
    rows: &[u32],
    scratch: &mut Scratch,
    scores: &mut [f32],
) {
    let n = rows.len();
    let Scratch {
        gathered,
        front,
        behind,
    } = scratch;
    let contiguous = rows.windows(2).all(|pair| pair[1] == pair[0] + 1);
    if !contiguous {
        gathered.clear();
        for channel in first.values.chunks_exact(first.rows) {
            gathered.extend(rows.iter().map(|&row| channel[row as usize]));
        }
    }
    let start = rows.first().map_or(0, |&row| row as usize);
    let channel = |index: usize| -> &[f32] {
        if contiguous {
            &first.values[index * first.rows + start..][..n]
        } else {
            &gathered[index * n..][..n]
        }
    };
    let [hidden @ .., output] = network.layers.as_slice() else {
        return;
    };
    let arch = Arch::new();
    for (phi, scores) in phis
        .chunks_exact(network.dimensions())
        .zip(scores.chunks_exact_mut(n))
    {
        let mut film = phi;
        for (index, layer) in hidden.iter().enumerate() {
            let (scales, rest) = film.split_at(layer.outputs);
            let (shifts, rest) = rest.split_at(layer.outputs);
            film = rest;
            behind.resize(layer.outputs * n, 0.0);
            if index == 0 {
                arch.dispatch(
                    #[inline(always)]
                    || {
                        for (c, out) in behind.chunks_exact_mut(n).enumerate() {
                            let (scale, shift) = (1.0 + scales[c], shifts[c]);
                            for (out, &z) in out.iter_mut().zip(channel(c)) {
                                *out = (scale * z + shift).max(0.0);
                            }
                        }
                    },
                );
            } else {
                matmul(
                    MatMut::from_column_major_slice_mut(behind, n, layer.outputs),
                    Accum::Replace,
                    MatRef::from_column_major_slice(front, n, layer.inputs),
                    MatRef::from_row_major_slice(&layer.matrix, layer.inputs, layer.outputs),
                    1.0,
                    Par::Seq,
                );
                arch.dispatch(
                    #[inline(always)]
                    || {
                        for (c, out) in behind.chunks_exact_mut(n).enumerate() {
                            // The bias of the layer goes through the scale: folded into the shift.
                            let scale = 1.0 + scales[c];
                            let shift = scale * layer.bias[c] + shifts[c];
                            for out in out {
                                *out = (scale * *out + shift).max(0.0);
                            }
                        }
                    },
                );
            }
            std::mem::swap(front, behind);
        }
        scores.fill(output.bias[0]);
        arch.dispatch(
            #[inline(always)]
            || {
                for (activations, &weight) in front.chunks_exact(n).zip(&output.matrix) {
                    for (score, &a) in scores.iter_mut().zip(activations) {
                        *score += weight * a;
                    }
                }
            },
        );
        scores
            .iter_mut()
            .for_each(|score| *score = 1.0 / (1.0 + (-*score).exp()));
    }
}
