//! A small gated recurrent unit with a linear head, for one coordinate at a time, with hand-written backpropagation.
//!
//! The learned optimizer runs one such cell over every coordinate of the adapter, all with the same weights: sizes are
//! constants so that a cell is a few unrolled loops on the stack.

use rand::RngExt;

use super::random::Stream;

/// Numbers that a cell sees at each step.
pub const INPUTS: usize = 4;

/// Numbers that a cell remembers from step to step.
pub const HIDDEN: usize = 8;

/// Numbers that a cell answers at each step.
pub const OUTPUTS: usize = 2;

/// Reset gate, update gate and candidate, side by side.
const GATES: usize = 3 * HIDDEN;

/// Rows of the recurrent matrix: inputs, memory, and a constant one for the bias.
const ROWS: usize = INPUTS + HIDDEN + 1;

/// Rows of the head: memory, and a constant one for the bias.
const HEAD_ROWS: usize = HIDDEN + 1;

/// Number of weights.
pub const WEIGHTS: usize = ROWS * GATES + HEAD_ROWS * OUTPUTS;

/// What a cell remembers.
pub type Memory = [f32; HIDDEN];

/// Gated recurrent unit (Cho et al. 2014, arXiv 1406.1078), with the reset gate behind the recurrent product:
///
/// `r, z = sigmoid(W x + U h + b)`, `n = tanh(W_n x + r (U_n h) + b_n)`, `h' = (1 - z) n + z h`; the head answers
/// `V h' + c`.
#[derive(Clone, Debug, PartialEq)]
pub struct Gru {
    /// The recurrent matrix `[INPUTS + HIDDEN + 1, 3 HIDDEN]`, row-major, with columns for `r`, `z` and `n`; then the head
    /// `[HIDDEN + 1, OUTPUTS]`.
    weights: Vec<f32>,
}

/// What a forward pass leaves for the backward pass.
struct Gates {
    r: Memory,
    z: Memory,
    n: Memory,
    /// `U_n h`.
    recurrent: Memory,
}

impl Gru {
    /// Recurrent weights uniform in `+-1 / sqrt(HIDDEN)`; a head of zeros, so that it answers nothing before it has learnt.
    pub fn new(rng: &mut Stream) -> Self {
        let bound = 1.0 / (HIDDEN as f32).sqrt();
        let mut weights: Vec<f32> = (0..ROWS * GATES)
            .map(|_| rng.random_range(-bound..=bound))
            .collect();
        weights.resize(WEIGHTS, 0.0);
        Self { weights }
    }

    /// The unit with the given weights, if there are [`WEIGHTS`] of them and all are finite.
    pub fn from_weights(weights: Vec<f32>) -> Option<Self> {
        let fits = weights.len() == WEIGHTS && weights.iter().all(|w| w.is_finite());
        fits.then_some(Self { weights })
    }

    /// All weights, flat.
    pub fn weights(&self) -> &[f32] {
        &self.weights
    }

    /// All weights, flat.
    pub fn weights_mut(&mut self) -> &mut [f32] {
        &mut self.weights
    }

    fn row(&self, row: usize) -> &[f32] {
        &self.weights[row * GATES..(row + 1) * GATES]
    }

    fn head(&self, row: usize) -> &[f32] {
        let at = ROWS * GATES + row * OUTPUTS;
        &self.weights[at..at + OUTPUTS]
    }

    fn gates(&self, x: &[f32; INPUTS], h: &Memory) -> Gates {
        let mut sums = [0.0_f32; GATES];
        sums.copy_from_slice(self.row(INPUTS + HIDDEN));
        for (i, &x) in x.iter().enumerate() {
            sums.iter_mut()
                .zip(self.row(i))
                .for_each(|(s, w)| *s += x * w);
        }
        let mut memory = [0.0_f32; GATES];
        for (i, &h) in h.iter().enumerate() {
            let row = self.row(INPUTS + i);
            memory.iter_mut().zip(row).for_each(|(s, w)| *s += h * w);
        }
        let mut gates = Gates {
            r: [0.0; HIDDEN],
            z: [0.0; HIDDEN],
            n: [0.0; HIDDEN],
            recurrent: [0.0; HIDDEN],
        };
        for j in 0..HIDDEN {
            gates.r[j] = sigmoid(sums[j] + memory[j]);
            gates.z[j] = sigmoid(sums[HIDDEN + j] + memory[HIDDEN + j]);
            gates.recurrent[j] = memory[2 * HIDDEN + j];
            gates.n[j] = (sums[2 * HIDDEN + j] + gates.r[j] * gates.recurrent[j]).tanh();
        }
        gates
    }

    /// One step: updates the memory and answers.
    pub fn forward(&self, x: &[f32; INPUTS], h: &mut Memory) -> [f32; OUTPUTS] {
        let gates = self.gates(x, h);
        let mut outputs = [0.0; OUTPUTS];
        outputs.copy_from_slice(self.head(HIDDEN));
        for (j, h) in h.iter_mut().enumerate() {
            *h = gates.n[j] + gates.z[j] * (*h - gates.n[j]);
            let row = self.head(j);
            outputs.iter_mut().zip(row).for_each(|(o, w)| *o += *h * w);
        }
        outputs
    }

    /// Back through the step that was taken at `x` with the memory `h` before it. The gates are computed again: that is
    /// cheaper than the memory to keep them for every coordinate and step.
    ///
    /// `d_after` is the gradient of a scalar with respect to the memory after the step, but for this step's own answer,
    /// and `d_outputs` that with respect to the answer. Adds to `gradient` that with respect to the weights, and returns
    /// that with respect to the memory before the step.
    pub fn backward(
        &self,
        x: &[f32; INPUTS],
        h: &Memory,
        d_after: &Memory,
        d_outputs: &[f32; OUTPUTS],
        gradient: &mut [f32],
    ) -> Memory {
        let gates = self.gates(x, h);
        let (recurrent, head) = gradient.split_at_mut(ROWS * GATES);
        let mut d_before = [0.0; HIDDEN];
        // Gradients with respect to what the input and what the memory add to each gate; they differ for the candidate.
        let mut d_sums = [0.0_f32; GATES];
        let mut d_memory = [0.0_f32; GATES];
        for j in 0..HIDDEN {
            let (r, z, n) = (gates.r[j], gates.z[j], gates.n[j]);
            let after = n + z * (h[j] - n);
            let mut d = d_after[j];
            for (k, &d_output) in d_outputs.iter().enumerate() {
                d += d_output * self.head(j)[k];
                head[j * OUTPUTS + k] += d_output * after;
            }
            let d_candidate = d * (1.0 - z) * (1.0 - n * n);
            let d_reset = d_candidate * gates.recurrent[j] * r * (1.0 - r);
            let d_update = d * (h[j] - n) * z * (1.0 - z);
            d_before[j] = d * z;
            for d_gates in [&mut d_sums, &mut d_memory] {
                d_gates[j] = d_reset;
                d_gates[HIDDEN + j] = d_update;
            }
            d_sums[2 * HIDDEN + j] = d_candidate;
            d_memory[2 * HIDDEN + j] = d_candidate * r;
        }
        for (k, &d_output) in d_outputs.iter().enumerate() {
            head[HIDDEN * OUTPUTS + k] += d_output;
        }
        let (of_inputs, rest) = recurrent.split_at_mut(INPUTS * GATES);
        let (of_memory, of_bias) = rest.split_at_mut(HIDDEN * GATES);
        for (row, &x) in of_inputs.chunks_exact_mut(GATES).zip(x) {
            row.iter_mut().zip(&d_sums).for_each(|(g, d)| *g += x * d);
        }
        of_bias.iter_mut().zip(&d_sums).for_each(|(g, d)| *g += d);
        for (j, row) in of_memory.chunks_exact_mut(GATES).enumerate() {
            let weights = self.row(INPUTS + j);
            let mut back = 0.0;
            for ((g, &w), &d) in row.iter_mut().zip(weights).zip(&d_memory) {
                *g += h[j] * d;
                back += w * d;
            }
            d_before[j] += back;
        }
        d_before
    }
}

fn sigmoid(x: f32) -> f32 {
    1.0 / (1.0 + (-x).exp())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::random::{normals, stream};

    /// A unit whose head answers something.
    fn taught(seed: u64) -> Gru {
        let mut rng = stream(seed, "test", 0);
        let mut gru = Gru::new(&mut rng);
        let head = normals(&mut rng, HEAD_ROWS * OUTPUTS, 0.5);
        gru.weights[ROWS * GATES..].copy_from_slice(&head);
        gru
    }

    #[test]
    fn one_step_by_hand() {
        // All weights zero but: reset and update bias 0, candidate bias 1, head of the first memory 2 and its bias 0.5.
        // Then r = z = 1/2, n = tanh 1, h' = (tanh 1 + h) / 2.
        let mut weights = vec![0.0; WEIGHTS];
        weights[(INPUTS + HIDDEN) * GATES + 2 * HIDDEN] = 1.0;
        weights[ROWS * GATES] = 2.0;
        weights[ROWS * GATES + HIDDEN * OUTPUTS] = 0.5;
        let gru = Gru::from_weights(weights).unwrap();
        let mut h = [0.0; HIDDEN];
        h[0] = 0.3;
        let outputs = gru.forward(&[9.0; INPUTS], &mut h);
        let expected = (1.0_f32.tanh() + 0.3) / 2.0;
        assert!((h[0] - expected).abs() < 1e-6);
        assert!((outputs[0] - (2.0 * expected + 0.5)).abs() < 1e-6 && outputs[1] == 0.0);
    }

    #[test]
    fn untaught_it_answers_nothing() {
        let gru = Gru::new(&mut stream(1, "test", 0));
        let mut h = [0.4; HIDDEN];
        assert_eq!(gru.forward(&[1.0, -2.0, 3.0, 0.5], &mut h), [0.0; OUTPUTS]);
    }

    #[test]
    fn wrong_weights_are_refused() {
        assert!(Gru::from_weights(vec![0.0; WEIGHTS - 1]).is_none());
        assert!(Gru::from_weights(vec![f32::NAN; WEIGHTS]).is_none());
    }

    /// `sum_t c_t . answer_t` over three steps, in which the memory carries from step to step.
    fn scalar(gru: &Gru, xs: &[[f32; INPUTS]], cs: &[[f32; OUTPUTS]], start: &Memory) -> f64 {
        let mut h = *start;
        let mut sum = 0.0;
        for (x, c) in xs.iter().zip(cs) {
            let outputs = gru.forward(x, &mut h);
            sum += outputs
                .iter()
                .zip(c)
                .map(|(&o, &c)| f64::from(o) * f64::from(c))
                .sum::<f64>();
        }
        sum
    }

    #[test]
    fn gradients_agree_with_finite_differences() {
        let gru = taught(3);
        let mut rng = stream(4, "test", 0);
        let mut draw = |n| normals(&mut rng, n, 1.0);
        let xs: Vec<[f32; INPUTS]> = (0..3).map(|_| draw(INPUTS).try_into().unwrap()).collect();
        let cs: Vec<[f32; OUTPUTS]> = (0..3).map(|_| draw(OUTPUTS).try_into().unwrap()).collect();
        let start: Memory = draw(HIDDEN).try_into().unwrap();

        let mut before = vec![start];
        for x in &xs {
            let mut h = before[before.len() - 1];
            gru.forward(x, &mut h);
            before.push(h);
        }
        let mut gradient = vec![0.0; WEIGHTS];
        let mut d = [0.0; HIDDEN];
        for t in (0..3).rev() {
            d = gru.backward(&xs[t], &before[t], &d, &cs[t], &mut gradient);
        }

        let epsilon = 4e-3;
        for (i, &analytic) in gradient.iter().enumerate() {
            let shifted = |by: f32| {
                let mut weights = gru.weights().to_vec();
                weights[i] += by;
                scalar(&Gru::from_weights(weights).unwrap(), &xs, &cs, &start)
            };
            let numeric = (shifted(epsilon) - shifted(-epsilon)) / f64::from(2.0 * epsilon);
            let error = (numeric - f64::from(analytic)).abs();
            assert!(
                error < 1e-3 * (1.0 + numeric.abs()),
                "weight {i}: {numeric} {analytic}"
            );
        }
        for (j, &analytic) in d.iter().enumerate() {
            let shifted = |by: f32| {
                let mut start = start;
                start[j] += by;
                scalar(&gru, &xs, &cs, &start)
            };
            let numeric = (shifted(epsilon) - shifted(-epsilon)) / f64::from(2.0 * epsilon);
            let error = (numeric - f64::from(analytic)).abs();
            assert!(
                error < 1e-3 * (1.0 + numeric.abs()),
                "memory {j}: {numeric} {analytic}"
            );
        }
    }
}
