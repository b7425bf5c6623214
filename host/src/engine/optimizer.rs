//! Optimizers on flat vectors.

use pulp::Arch;

use super::config::OptimizerKind;

/// Turns gradients into steps.
#[derive(Clone, Debug)]
pub enum Optimizer {
    /// Stochastic gradient descent with momentum: `v <- m v + g`, `x <- x - lr v`.
    Sgd {
        /// Momentum `m`.
        momentum: f64,
        /// Velocity `v`.
        velocity: Vec<f32>,
    },
    /// Adam (Kingma and Ba 2015, algorithm 1).
    Adam(Adam),
}

impl Optimizer {
    /// An optimizer at rest; for a learned one, the one that it corrects.
    pub fn new(kind: OptimizerKind, momentum: f64, dimensions: usize) -> Self {
        match kind {
            OptimizerKind::Sgd => Self::Sgd {
                momentum,
                velocity: vec![0.0; dimensions],
            },
            // The second moment forgets faster than usual: a run has about a hundred steps.
            OptimizerKind::Adam | OptimizerKind::Learned => {
                Self::Adam(Adam::new(dimensions, 0.9, 0.99))
            }
        }
    }

    /// One step of `x` against `gradient`.
    pub fn step(&mut self, x: &mut [f32], gradient: &[f32], learning_rate: f64) {
        match self {
            Self::Sgd { momentum, velocity } => {
                let (m, lr) = (*momentum as f32, learning_rate as f32);
                for ((x, v), &g) in x.iter_mut().zip(velocity).zip(gradient) {
                    *v = m * *v + g;
                    *x -= lr * *v;
                }
            }
            Self::Adam(adam) => adam.step(x, gradient, learning_rate),
        }
    }
}

/// State of Adam.
#[derive(Clone, Debug)]
pub struct Adam {
    betas: (f64, f64),
    steps: i32,
    first: Vec<f32>,
    second: Vec<f32>,
}

impl Adam {
    /// Adam at rest, with decay rates `beta_1` and `beta_2`.
    pub fn new(dimensions: usize, beta_1: f64, beta_2: f64) -> Self {
        Self {
            betas: (beta_1, beta_2),
            steps: 0,
            first: vec![0.0; dimensions],
            second: vec![0.0; dimensions],
        }
    }

    /// One step of `x` against `gradient`.
    pub fn step(&mut self, x: &mut [f32], gradient: &[f32], learning_rate: f64) {
        self.steps = self.steps.saturating_add(1);
        let (b1, b2) = (self.betas.0 as f32, self.betas.1 as f32);
        let rate = (learning_rate / (1.0 - self.betas.0.powi(self.steps))) as f32;
        let scale = (1.0 / (1.0 - self.betas.1.powi(self.steps))) as f32;
        let moments = self.first.iter_mut().zip(&mut self.second);
        let components = x.iter_mut().zip(gradient).zip(moments);
        // Square roots and quotients by the widest vectors there are; each has the same bits whatever their width.
        Arch::new().dispatch(
            #[inline(always)]
            || {
                for ((x, &g), (m, v)) in components {
                    *m = b1 * *m + (1.0 - b1) * g;
                    *v = b2 * *v + (1.0 - b2) * g * g;
                    *x -= rate * *m / ((*v * scale).sqrt() + 1e-8);
                }
            },
        );
    }
}

/// Half a cosine from 1 at the first of `steps` to 0 after the last (Loshchilov and Hutter 2017, without restarts).
pub fn cosine(step: usize, steps: usize) -> f64 {
    0.5 * (1.0 + (std::f64::consts::PI * step as f64 / steps.max(1) as f64).cos())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sgd_by_hand() {
        let mut sgd = Optimizer::new(OptimizerKind::Sgd, 0.5, 1);
        let mut x = [1.0];
        sgd.step(&mut x, &[2.0], 0.1);
        assert!((x[0] - 0.8).abs() < 1e-6);
        // velocity 0.5 * 2 + 2 = 3
        sgd.step(&mut x, &[2.0], 0.1);
        assert!((x[0] - 0.5).abs() < 1e-6);
    }

    #[test]
    fn the_first_step_of_adam_is_the_learning_rate() {
        let mut adam = Optimizer::new(OptimizerKind::Adam, 0.0, 2);
        let mut x = [0.0, 0.0];
        adam.step(&mut x, &[1e-3, -50.0], 0.01);
        assert!(
            (x[0] + 0.01).abs() < 1e-6 && (x[1] - 0.01).abs() < 1e-6,
            "{x:?}"
        );
    }

    #[test]
    fn adam_by_hand_over_two_steps() {
        // beta = (0.9, 0.99), gradients 1 then 3: m = 0.39, v = 0.0999; corrected m 0.39/0.19, v 0.0999/0.0199.
        let mut adam = Adam::new(1, 0.9, 0.99);
        let mut x = [0.0];
        adam.step(&mut x, &[1.0], 0.1);
        adam.step(&mut x, &[3.0], 0.1);
        let expected = -0.1 - 0.1 * (0.39 / 0.19) / (0.0999_f32 / 0.0199).sqrt();
        assert!((x[0] - expected).abs() < 1e-5, "{} {expected}", x[0]);
    }

    #[test]
    fn the_cosine_falls_from_one_to_zero() {
        assert_eq!(cosine(0, 100), 1.0);
        assert!((cosine(50, 100) - 0.5).abs() < 1e-12);
        assert!(cosine(100, 100).abs() < 1e-12);
    }
}
