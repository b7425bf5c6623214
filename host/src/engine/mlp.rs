//! A multilayer perceptron on flat vectors with hand-written backpropagation.
//!
//! The value function has a few thousand weights and is asked for thousands of tiny gradients; closed-form passes over
//! preallocated buffers are an order of magnitude cheaper than building an autograd graph for each.

use faer::linalg::matmul::matmul;
use faer::{Accum, MatMut, MatRef, Par};
use rand::RngExt;

use super::elu::{elu, elu_slope};
use super::random::Stream;

/// A perceptron with ELU activations and one linear output.
#[derive(Clone, Debug, PartialEq)]
pub struct Mlp {
    /// Widths from the input to the last hidden layer.
    widths: Vec<usize>,
    /// For each layer its matrix `[in, out]`, row-major, and then its bias `[out]`.
    weights: Vec<f32>,
}

/// Activations of one forward pass, kept for the backward pass and reused between passes.
#[derive(Clone, Debug, Default)]
pub struct Tape {
    rows: usize,
    /// Input and activations of every hidden layer, each row-major `[rows, width]`.
    layers: Vec<Vec<f32>>,
    /// Outputs `[rows]`.
    pub outputs: Vec<f32>,
    /// Gradient with respect to the layer at hand, and the next.
    delta: Vec<f32>,
    below: Vec<f32>,
}

impl Tape {
    /// The embedding `g_w`: activations of the last hidden layer, row-major `[rows, width]`.
    pub fn features(&self) -> &[f32] {
        self.layers.last().map_or(&[], Vec::as_slice)
    }

    /// Gradient with respect to the inputs, after a backward pass that was asked for it.
    pub fn input_gradient(&self) -> &[f32] {
        &self.delta
    }
}

impl Mlp {
    /// Weights and biases uniform in `+-1 / sqrt(fan_in)`.
    pub fn new(inputs: usize, hidden: &[usize], rng: &mut Stream) -> Self {
        let widths: Vec<usize> = std::iter::once(inputs)
            .chain(hidden.iter().copied())
            .collect();
        let mut weights = Vec::new();
        for (layer, &fan_in) in widths.iter().enumerate() {
            let fan_out = widths.get(layer + 1).copied().unwrap_or(1);
            let bound = 1.0 / (fan_in.max(1) as f32).sqrt();
            weights.extend((0..(fan_in + 1) * fan_out).map(|_| rng.random_range(-bound..=bound)));
        }
        Self { widths, weights }
    }

    /// The perceptron with the given weights, if their number fits.
    pub fn from_weights(inputs: usize, hidden: &[usize], weights: Vec<f32>) -> Option<Self> {
        let widths: Vec<usize> = std::iter::once(inputs)
            .chain(hidden.iter().copied())
            .collect();
        let this = Self { widths, weights };
        (this.layers().last()?.1.end + 1 == this.weights.len()).then_some(this)
    }

    /// Number of inputs.
    pub fn inputs(&self) -> usize {
        self.widths[0]
    }

    /// Width of the embedding.
    pub fn features(&self) -> usize {
        self.widths[self.widths.len() - 1]
    }

    /// Widths of input and hidden layers.
    pub fn widths(&self) -> &[usize] {
        &self.widths
    }

    /// All weights, flat.
    pub fn weights(&self) -> &[f32] {
        &self.weights
    }

    /// All weights, flat.
    pub fn weights_mut(&mut self) -> &mut [f32] {
        &mut self.weights
    }

    /// For each layer its fan-in and fan-out, and where its matrix lies; its bias follows.
    fn layers(&self) -> Vec<((usize, usize), std::ops::Range<usize>)> {
        let mut start = 0;
        let mut layers = Vec::with_capacity(self.widths.len());
        for (layer, &fan_in) in self.widths.iter().enumerate() {
            let fan_out = self.widths.get(layer + 1).copied().unwrap_or(1);
            let end = start + fan_in * fan_out;
            layers.push(((fan_in, fan_out), start..end));
            start = end + fan_out;
        }
        layers
    }

    /// Values at `x`, row-major `[rows, inputs]`; they stand in `tape.outputs`.
    pub fn forward(&self, x: &[f32], tape: &mut Tape) {
        let rows = x.len() / self.inputs().max(1);
        tape.rows = rows;
        tape.layers.resize_with(self.widths.len(), Vec::new);
        tape.layers[0].clear();
        tape.layers[0].extend_from_slice(x);
        let last = self.widths.len() - 1;
        for (layer, ((fan_in, fan_out), matrix)) in self.layers().into_iter().enumerate() {
            let bias = &self.weights[matrix.end..matrix.end + fan_out];
            let (below, above) = tape.layers.split_at_mut(layer + 1);
            let out = if layer == last {
                &mut tape.outputs
            } else {
                &mut above[0]
            };
            out.clear();
            for _ in 0..rows {
                out.extend_from_slice(bias);
            }
            matmul(
                MatMut::from_row_major_slice_mut(out, rows, fan_out),
                Accum::Add,
                MatRef::from_row_major_slice(&below[layer], rows, fan_in),
                MatRef::from_row_major_slice(&self.weights[matrix], fan_in, fan_out),
                1.0,
                Par::Seq,
            );
            if layer != last {
                elu(out);
            }
        }
    }

    /// Gradient of a scalar with respect to the weights, written to `gradient`, and to the inputs, left in the tape.
    ///
    /// `d_outputs` is its gradient with respect to the outputs `[rows]`, `d_features`, if any, that with respect to the
    /// embedding `[rows, features]`.
    pub fn backward(
        &self,
        tape: &mut Tape,
        d_outputs: &[f32],
        d_features: Option<&[f32]>,
        gradient: &mut [f32],
    ) {
        let rows = tape.rows;
        tape.delta.clear();
        tape.delta.extend_from_slice(d_outputs);
        let last = self.widths.len() - 1;
        for (layer, ((fan_in, fan_out), matrix)) in self.layers().into_iter().enumerate().rev() {
            let input = &tape.layers[layer];
            let delta = MatRef::from_row_major_slice(&tape.delta, rows, fan_out);
            matmul(
                MatMut::from_row_major_slice_mut(&mut gradient[matrix.clone()], fan_in, fan_out),
                Accum::Replace,
                MatRef::from_row_major_slice(input, rows, fan_in).transpose(),
                delta,
                1.0,
                Par::Seq,
            );
            let d_bias = &mut gradient[matrix.end..matrix.end + fan_out];
            d_bias.fill(0.0);
            for row in tape.delta.chunks_exact(fan_out) {
                d_bias.iter_mut().zip(row).for_each(|(sum, d)| *sum += d);
            }
            tape.below.clear();
            tape.below.resize(rows * fan_in, 0.0);
            matmul(
                MatMut::from_row_major_slice_mut(&mut tape.below, rows, fan_in),
                Accum::Replace,
                delta,
                MatRef::from_row_major_slice(&self.weights[matrix], fan_in, fan_out).transpose(),
                1.0,
                Par::Seq,
            );
            if layer == last
                && let Some(d_features) = d_features
            {
                tape.below
                    .iter_mut()
                    .zip(d_features)
                    .for_each(|(sum, d)| *sum += d);
            }
            if layer > 0 {
                for (d, &a) in tape.below.iter_mut().zip(input) {
                    *d *= elu_slope(a);
                }
            }
            std::mem::swap(&mut tape.delta, &mut tape.below);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::random::{normals, stream};

    #[test]
    fn one_layer_by_hand() {
        // f(x) = 0.5 + 2 elu(3 x - 1): at x = 1, 4.5; slope 6. At x = 0, 0.5 + 2 (1/e - 1); slope 6 / e.
        let mlp = Mlp::from_weights(1, &[1], vec![3.0, -1.0, 2.0, 0.5]).unwrap();
        let mut tape = Tape::default();
        mlp.forward(&[1.0, 0.0], &mut tape);
        assert_eq!(tape.outputs[0], 4.5);
        let e = std::f32::consts::E;
        assert!((tape.outputs[1] - (0.5 + 2.0 * (1.0 / e - 1.0))).abs() < 1e-6);
        let mut gradient = vec![0.0; 4];
        mlp.backward(&mut tape, &[1.0, 1.0], None, &mut gradient);
        assert!((tape.input_gradient()[0] - 6.0).abs() < 1e-6);
        assert!((tape.input_gradient()[1] - 6.0 / e).abs() < 1e-6);
    }

    #[test]
    fn gradients_equal_finite_differences() {
        let mut rng = stream(1, "test", 0);
        let mut mlp = Mlp::new(3, &[5, 4], &mut rng);
        let x = normals(&mut rng, 6, 1.0);
        let d_outputs = [0.7, -1.3];
        let d_features = normals(&mut rng, 8, 1.0);
        let scalar = |mlp: &Mlp, x: &[f32]| -> f64 {
            let mut tape = Tape::default();
            mlp.forward(x, &mut tape);
            let outputs: f64 = tape
                .outputs
                .iter()
                .zip(d_outputs)
                .map(|(&a, b)| f64::from(a * b))
                .sum();
            let features: f64 = tape
                .features()
                .iter()
                .zip(&d_features)
                .map(|(&a, &b)| f64::from(a) * f64::from(b))
                .sum();
            outputs + features
        };
        let mut tape = Tape::default();
        mlp.forward(&x, &mut tape);
        let mut gradient = vec![0.0; mlp.weights().len()];
        mlp.backward(&mut tape, &d_outputs, Some(&d_features), &mut gradient);

        let h = 1e-2;
        for (index, &exact) in gradient.iter().enumerate() {
            let at = mlp.weights()[index];
            mlp.weights_mut()[index] = at + h;
            let high = scalar(&mlp, &x);
            mlp.weights_mut()[index] = at - h;
            let low = scalar(&mlp, &x);
            mlp.weights_mut()[index] = at;
            let numeric = (high - low) / f64::from(2.0 * h);
            assert!((numeric - f64::from(exact)).abs() < 2e-3, "weight {index}");
        }
        for index in 0..x.len() {
            let mut moved = x.clone();
            moved[index] += h;
            let high = scalar(&mlp, &moved);
            moved[index] -= 2.0 * h;
            let low = scalar(&mlp, &moved);
            let numeric = (high - low) / f64::from(2.0 * h);
            assert!(
                (numeric - f64::from(tape.input_gradient()[index])).abs() < 2e-3,
                "input {index}"
            );
        }
    }
}
