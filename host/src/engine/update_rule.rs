//! What the learned optimizer learns: how to correct the step of one coordinate.

use super::gru::{Gru, HIDDEN, INPUTS, Memory, OUTPUTS, WEIGHTS};
use super::random::Stream;

/// The step of Adam is stretched by at most this factor, or shrunk by it.
pub const STRETCH: f32 = 10.0;

/// What is added to the step is at most this many learning rates.
pub const SHIFT: f32 = 2.0;

/// Where among its inputs the cell sees the step of Adam.
const ADAM: usize = 2;

/// A rule for all coordinates. It has no size of its own and fits any adapter.
#[derive(Clone, Debug, PartialEq)]
pub struct UpdateRule {
    gru: Gru,
}

/// What one cell felt and answered at one step.
#[derive(Clone, Copy, Debug)]
pub struct Felt {
    inputs: [f32; INPUTS],
    /// Memory before the step.
    memory: Memory,
    answer: [f32; OUTPUTS],
}

impl Felt {
    /// The update in learning rates: with `a` the step of Adam and `o` the answer, `10^tanh(o_1) a + 2 tanh(o_2)`.
    pub fn update(&self) -> f32 {
        stretch(self.answer[0]) * self.inputs[ADAM] + SHIFT * self.answer[1].tanh()
    }
}

impl UpdateRule {
    /// Numbers of weights, inputs, hidden units and outputs.
    pub const SHAPE: [usize; 4] = [WEIGHTS, INPUTS, HIDDEN, OUTPUTS];

    /// A rule that corrects nothing yet.
    pub fn untrained(rng: &mut Stream) -> Self {
        Self { gru: Gru::new(rng) }
    }

    /// The rule with the given weights, if there are as many as a rule has and all are finite.
    pub fn from_weights(weights: Vec<f32>) -> Option<Self> {
        Gru::from_weights(weights).map(|gru| Self { gru })
    }

    /// All weights, flat.
    pub fn weights(&self) -> &[f32] {
        self.gru.weights()
    }

    /// All weights, flat.
    pub fn weights_mut(&mut self) -> &mut [f32] {
        self.gru.weights_mut()
    }

    /// One step of one coordinate: loss gradient and direction of the metric, each by its usual size; step of Adam, in
    /// learning rates; and share of the run that is over.
    pub fn feel(&self, inputs: [f32; INPUTS], memory: &mut Memory) -> Felt {
        let before = *memory;
        let answer = self.gru.forward(&inputs, memory);
        Felt {
            inputs,
            memory: before,
            answer,
        }
    }

    /// Back through a step of one coordinate, as [`Gru::backward`]; `d_update` is the gradient with respect to
    /// [`Felt::update`].
    pub fn backward(
        &self,
        felt: &Felt,
        d_after: &Memory,
        d_update: f32,
        gradient: &mut [f32],
    ) -> Memory {
        let stretched = stretch(felt.answer[0]) * felt.inputs[ADAM];
        let d_outputs = [
            d_update * stretched * STRETCH.ln() * slope(felt.answer[0]),
            d_update * SHIFT * slope(felt.answer[1]),
        ];
        self.gru
            .backward(&felt.inputs, &felt.memory, d_after, &d_outputs, gradient)
    }
}

fn stretch(answer: f32) -> f32 {
    (STRETCH.ln() * answer.tanh()).exp()
}

/// Slope of the hyperbolic tangent.
fn slope(x: f32) -> f32 {
    1.0 - x.tanh().powi(2)
}
