//! The optimizer of MetricOpt(learned): Adam with a learned, coordinate-wise, recurrent correction.
//!
//! One small recurrent cell runs over every coordinate with the same weights and a memory of its own (Andrychowicz et al.
//! 2016, arXiv 1606.04474), so that an update rule fits adapters of any length. It sees the loss gradient and the
//! metric's direction, each by its usual size, and answers how to change the step of Adam. Stepping relative to a usual
//! optimizer (as the learned optimizers of Wichrowska et al. 2017, arXiv 1703.04813, do with averaged gradients) has two
//! merits: what has learnt nothing is Adam, and both factors are bounded, so that no rule can leap.

use super::gru::{HIDDEN, Memory};
use super::optimizer::Adam;
use super::update_rule::{Felt, UpdateRule};
use super::vector::Direction;

/// What a step is made of.
#[derive(Clone, Copy, Debug)]
pub struct Signals<'a> {
    /// Gradient of the surrogate loss `[D]`.
    pub loss: &'a [f32],
    /// Usual length of the gradient of the surrogate loss.
    pub loss_norm: f64,
    /// Direction of the metric `[D]`, with the trust in it, 0 to 1.
    pub metric: &'a Direction,
    /// The combined gradient `[D]` that any other optimizer would follow.
    pub combined: &'a [f32],
    /// Share of the run that is over, 0 to 1.
    pub progress: f64,
}

/// An update rule at work.
#[derive(Clone, Debug)]
pub struct LearnedOptimizer {
    adam: Adam,
    memory: Vec<Memory>,
    /// Step of Adam, in learning rates.
    direction: Vec<f32>,
}

impl LearnedOptimizer {
    /// At rest.
    pub fn new(dimensions: usize) -> Self {
        Self {
            adam: Adam::new(dimensions, 0.9, 0.99),
            memory: vec![[0.0; HIDDEN]; dimensions],
            direction: vec![0.0; dimensions],
        }
    }

    /// One step of `x` by `rule`: `x <- x - lr u`, with [`Felt::update`] for `u` of each coordinate.
    ///
    /// `watched` are coordinates of which is kept what the cell felt, in `felt`.
    pub fn step(
        &mut self,
        rule: &UpdateRule,
        x: &mut [f32],
        signals: &Signals<'_>,
        learning_rate: f64,
        watched: &[usize],
        felt: &mut Vec<Felt>,
    ) {
        self.direction.fill(0.0);
        self.adam.step(&mut self.direction, signals.combined, 1.0);
        let root = (x.len() as f64).sqrt();
        let by_loss = if signals.loss_norm > 0.0 {
            (root / signals.loss_norm) as f32
        } else {
            0.0
        };
        let by_metric = (root * signals.metric.strength) as f32;
        let rate = learning_rate as f32;
        let mut watched = watched.iter().copied().peekable();
        for (i, (x, memory)) in x.iter_mut().zip(&mut self.memory).enumerate() {
            let inputs = [
                squash(by_loss * signals.loss.get(i).copied().unwrap_or_default()),
                squash(by_metric * signals.metric.unit.get(i).copied().unwrap_or_default()),
                -self.direction[i],
                signals.progress as f32,
            ];
            let now = rule.feel(inputs, memory);
            *x -= rate * now.update();
            if watched.next_if_eq(&i).is_some() {
                felt.push(now);
            }
        }
    }
}

/// Keeps the sign and tames the size, of which a few coordinates have much (Andrychowicz et al. 2016, appendix A, take
/// logarithms too).
fn squash(x: f32) -> f32 {
    x.signum() * x.abs().ln_1p()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::gru::WEIGHTS;
    use crate::engine::random::{normals, stream};
    use crate::engine::update_rule::{SHIFT, STRETCH};

    static NOWHERE: Direction = Direction {
        unit: Vec::new(),
        strength: 0.0,
    };

    fn signals<'a>(gradient: &'a [f32]) -> Signals<'a> {
        Signals {
            loss: gradient,
            loss_norm: 1.0,
            metric: &NOWHERE,
            combined: gradient,
            progress: 0.25,
        }
    }

    #[test]
    fn untrained_it_is_adam() {
        let rule = UpdateRule::untrained(&mut stream(1, "test", 0));
        let mut learned = LearnedOptimizer::new(3);
        let mut adam = Adam::new(3, 0.9, 0.99);
        let (mut x, mut y) = ([0.5, 0.0, -2.0], [0.5, 0.0, -2.0]);
        for gradient in [[1.0, -3.0, 0.01], [0.5, 2.0, 0.0], [-1.0, 1.0, 4.0]] {
            learned.step(
                &rule,
                &mut x,
                &signals(&gradient),
                0.1,
                &[],
                &mut Vec::new(),
            );
            adam.step(&mut y, &gradient, 0.1);
        }
        for (x, y) in x.iter().zip(y) {
            assert!((x - y).abs() < 1e-6, "{x} {y}");
        }
    }

    #[test]
    fn no_rule_can_leap() {
        // All weights huge: both corrections are at their bounds. The first step of Adam is one learning rate.
        let rule = UpdateRule::from_weights(vec![50.0; WEIGHTS]).unwrap();
        let mut x = [0.0];
        let mut learned = LearnedOptimizer::new(1);
        learned.step(&rule, &mut x, &signals(&[1e6]), 0.1, &[], &mut Vec::new());
        assert!((x[0] + 0.1 * (STRETCH + SHIFT)).abs() < 1e-4, "{}", x[0]);
    }

    #[test]
    fn the_way_back_agrees_with_finite_differences() {
        let mut rng = stream(5, "test", 0);
        let rule = UpdateRule::from_weights(normals(&mut rng, WEIGHTS, 0.3)).unwrap();
        let gradients: Vec<Vec<f32>> = (0..3).map(|_| normals(&mut rng, 2, 1.0)).collect();
        let (wanted, rate) = ([0.7_f32, -1.3], 0.1);
        // `wanted . x` after each step, summed: an update at step `t` counts in all sums from there on.
        let scalar = |rule: &UpdateRule| {
            let (mut learned, mut x, mut sum) = (LearnedOptimizer::new(2), [0.0; 2], 0.0);
            for gradient in &gradients {
                learned.step(rule, &mut x, &signals(gradient), rate, &[], &mut Vec::new());
                sum += f64::from(x[0] * wanted[0]) + f64::from(x[1] * wanted[1]);
            }
            sum
        };
        let (mut learned, mut x, mut felt) = (LearnedOptimizer::new(2), [0.0; 2], Vec::new());
        for gradient in &gradients {
            learned.step(&rule, &mut x, &signals(gradient), rate, &[0, 1], &mut felt);
        }
        let mut gradient = vec![0.0; WEIGHTS];
        for (i, &wanted) in wanted.iter().enumerate() {
            let mut d = [0.0; HIDDEN];
            for t in (0..3).rev() {
                let d_update = -(rate as f32) * wanted * (3 - t) as f32;
                d = rule.backward(&felt[2 * t + i], &d, d_update, &mut gradient);
            }
        }
        let epsilon = 1e-2;
        for (i, &analytic) in gradient.iter().enumerate() {
            let shifted = |by: f32| {
                let mut weights = rule.weights().to_vec();
                weights[i] += by;
                scalar(&UpdateRule::from_weights(weights).unwrap())
            };
            let numeric = (shifted(epsilon) - shifted(-epsilon)) / f64::from(2.0 * epsilon);
            let error = (numeric - f64::from(analytic)).abs();
            assert!(
                error < 5e-4 * (1.0 + numeric.abs()),
                "{i}: {numeric} {analytic}"
            );
        }
    }
}
