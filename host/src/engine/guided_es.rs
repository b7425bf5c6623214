//! Guided Evolution Strategies (Maheswaranathan et al., ICML 2019).

use metricopt_sdk::Result;
use std::collections::VecDeque;

use super::config::EsConfig;
use super::random::{Stream, normals};
use super::vector::{add_scaled, dot, norm, unit};

/// The last gradients, newest last: what the search distribution is stretched along.
#[derive(Clone, Debug)]
pub struct GuidingSubspace {
    capacity: usize,
    gradients: VecDeque<Vec<f32>>,
}

impl GuidingSubspace {
    /// An empty memory of at most `capacity` gradients.
    pub fn new(capacity: usize) -> Self {
        Self {
            capacity,
            gradients: VecDeque::with_capacity(capacity + 1),
        }
    }

    /// Remembers the direction of a gradient; a zero gradient has none.
    pub fn push(&mut self, gradient: &[f32]) {
        let direction = unit(gradient);
        if direction.iter().any(|&x| x != 0.0) {
            self.gradients.push_back(direction);
            if self.gradients.len() > self.capacity {
                self.gradients.pop_front();
            }
        }
    }

    /// An orthonormal basis `U` of what is remembered: at most as many vectors as gradients or dimensions.
    pub fn basis(&self) -> Vec<Vec<f32>> {
        let mut basis: Vec<Vec<f32>> = Vec::with_capacity(self.gradients.len());
        for gradient in &self.gradients {
            let mut rest = gradient.clone();
            // Twice is enough (Kahan; Parlett 1980): one pass of Gram-Schmidt loses orthogonality to rounding.
            for _ in 0..2 {
                for direction in &basis {
                    let share = dot(&rest, direction);
                    add_scaled(&mut rest, -share, direction);
                }
            }
            // A gradient that lies in the span of the others leaves rounding noise only.
            if norm(&rest) > 1e-4 {
                basis.push(unit(&rest));
            }
        }
        basis
    }
}

/// `P` draws `E ~ N(0, s^2 (alpha / D I + (1 - alpha) / k U U^T))`.
///
/// Without a subspace all variance goes to the full space.
pub fn perturbations(
    config: &EsConfig,
    sigma: f64,
    dimensions: usize,
    basis: &[Vec<f32>],
    rng: &mut Stream,
) -> Vec<Vec<f32>> {
    let alpha = if basis.is_empty() { 1.0 } else { config.alpha };
    let full = sigma * (alpha / dimensions.max(1) as f64).sqrt();
    let guided = sigma * ((1.0 - alpha) / basis.len().max(1) as f64).sqrt();
    (0..config.pairs)
        .map(|_| {
            let mut e = normals(rng, dimensions, full);
            let shares = normals(rng, basis.len(), guided);
            for (direction, share) in basis.iter().zip(shares) {
                add_scaled(&mut e, f64::from(share), direction);
            }
            e
        })
        .collect()
}

/// The antithetic candidates `phi + E_i` and `phi - E_i`, in the order `+1, -1, +2, -2, ...`.
pub fn candidates(phi: &[f32], perturbations: &[Vec<f32>]) -> Vec<Vec<f32>> {
    let moved = |e: &Vec<f32>, sign: f64| {
        let mut candidate = phi.to_vec();
        add_scaled(&mut candidate, sign, e);
        candidate
    };
    perturbations
        .iter()
        .flat_map(|e| [moved(e, 1.0), moved(e, -1.0)])
        .collect()
}

/// The estimate `g = beta / (2 s^2 P) sum_i E_i (F(phi + E_i) - F(phi - E_i))` with `beta = 1`.
///
/// `values` are the objectives of [`candidates`], in the same order. The `1 / P` keeps the length of the step from
/// growing with the population.
pub fn estimate(perturbations: &[Vec<f32>], values: &[f64], sigma: f64) -> Vec<f32> {
    let dimensions = perturbations.first().map_or(0, Vec::len);
    let mut gradient = vec![0.0; dimensions];
    let scale = 1.0 / (2.0 * sigma * sigma * perturbations.len().max(1) as f64);
    for (e, pair) in perturbations.iter().zip(values.as_chunks::<2>().0) {
        add_scaled(&mut gradient, scale * (pair[0] - pair[1]), e);
    }
    gradient
}

/// One Guided-ES step: draws, asks `objective` for the candidates (lower is better), and estimates the gradient.
///
/// # Errors
///
/// Those of `objective`.
pub fn search_gradient(
    config: &EsConfig,
    sigma: f64,
    phi: &[f32],
    subspace: &GuidingSubspace,
    rng: &mut Stream,
    objective: impl FnOnce(&[Vec<f32>]) -> Result<Vec<f64>>,
) -> Result<Vec<f32>> {
    let basis = if config.alpha < 1.0 {
        subspace.basis()
    } else {
        Vec::new()
    };
    let perturbations = perturbations(config, sigma, phi.len(), &basis, rng);
    let values = objective(&candidates(phi, &perturbations))?;
    Ok(estimate(&perturbations, &values, sigma))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::random::stream;

    /// `F(x) = 1/2 x^T H x + b^T x` with a diagonal `H`; its gradient is `H x + b`.
    struct Quadratic {
        h: [f32; 4],
        b: [f32; 4],
    }

    impl Quadratic {
        fn value(&self, x: &[f32]) -> f64 {
            (0..4)
                .map(|i| f64::from(0.5 * self.h[i] * x[i] * x[i] + self.b[i] * x[i]))
                .sum()
        }

        fn gradient(&self, x: &[f32]) -> Vec<f64> {
            (0..4)
                .map(|i| f64::from(self.h[i] * x[i] + self.b[i]))
                .collect()
        }
    }

    /// On a quadratic `F(phi + E) - F(phi - E) = 2 E . grad F` exactly, so `g = 1 / (s^2 P) sum E E^T grad F`: its mean
    /// is `S grad F` and its covariance `(S (v^T S v) + S v v^T S) / P` with `v = grad F` (fourth moment of a Gaussian).
    #[test]
    fn mean_and_covariance_on_a_quadratic_are_the_closed_form() {
        let quadratic = Quadratic {
            h: [1.0, 2.0, 0.5, 1.5],
            b: [0.3, -0.2, 0.1, 0.4],
        };
        let phi = [0.5, -1.0, 0.25, 0.1];
        let mut subspace = GuidingSubspace::new(2);
        subspace.push(&[1.0, 1.0, 0.0, 0.0]);
        subspace.push(&[0.0, 0.0, 2.0, 0.0]);
        let basis = subspace.basis();
        let config = EsConfig {
            pairs: 3,
            alpha: 0.4,
            ..EsConfig::default()
        };
        let (alpha, k, d) = (0.4, 2.0, 4.0);
        let s = |i: usize, j: usize| -> f64 {
            let full = if i == j { alpha / d } else { 0.0 };
            let guided: f64 = basis
                .iter()
                .map(|u| f64::from(u[i]) * f64::from(u[j]))
                .sum();
            full + (1.0 - alpha) / k * guided
        };
        let v = quadratic.gradient(&phi);
        let sv: Vec<f64> = (0..4)
            .map(|i| (0..4).map(|j| s(i, j) * v[j]).sum())
            .collect();
        let vsv: f64 = (0..4).map(|i| v[i] * sv[i]).sum();

        let mut rng = stream(5, "test", 0);
        let draws = 40_000;
        let mut mean = [0.0; 4];
        let mut moment = [[0.0; 4]; 4];
        for _ in 0..draws {
            let g = search_gradient(&config, 0.3, &phi, &subspace, &mut rng, |candidates| {
                assert_eq!(candidates.len(), 6);
                Ok(candidates.iter().map(|x| quadratic.value(x)).collect())
            })
            .unwrap();
            for i in 0..4 {
                mean[i] += f64::from(g[i]) / f64::from(draws);
                for j in 0..4 {
                    moment[i][j] += f64::from(g[i]) * f64::from(g[j]) / f64::from(draws);
                }
            }
        }
        let p = 3.0;
        for i in 0..4 {
            assert!(
                (mean[i] - sv[i]).abs() < 0.01,
                "mean {i}: {} {}",
                mean[i],
                sv[i]
            );
            for j in 0..4 {
                let covariance = moment[i][j] - mean[i] * mean[j];
                let expected = (s(i, j) * vsv + sv[i] * sv[j]) / p;
                assert!(
                    (covariance - expected).abs() < 0.02,
                    "covariance {i} {j}: {covariance} {expected}"
                );
            }
        }
    }

    #[test]
    fn the_length_does_not_grow_with_the_population() {
        let e = vec![vec![1.0, 0.0]];
        let one = estimate(&e, &[3.0, 1.0], 0.5);
        let many = estimate(
            &[e[0].clone(), e[0].clone(), e[0].clone()],
            &[3.0, 1.0, 3.0, 1.0, 3.0, 1.0],
            0.5,
        );
        // (3 - 1) / (2 * 0.25) = 4
        assert_eq!(one, [4.0, 0.0]);
        assert!((many[0] - 4.0).abs() < 1e-6);
    }

    #[test]
    fn a_zero_gradient_adds_no_direction_and_equal_ones_add_one() {
        let mut subspace = GuidingSubspace::new(4);
        subspace.push(&[0.0, 0.0, 0.0]);
        assert!(subspace.basis().is_empty());
        subspace.push(&[1.0, 0.0, 0.0]);
        subspace.push(&[2.0, 0.0, 0.0]);
        assert_eq!(subspace.basis(), [[1.0, 0.0, 0.0]]);
    }

    #[test]
    fn more_gradients_than_dimensions_span_the_space_once() {
        let mut subspace = GuidingSubspace::new(5);
        for gradient in [[1.0, 0.0], [1.0, 1.0], [0.0, 1.0], [1.0, -1.0], [0.3, 0.7]] {
            subspace.push(&gradient);
        }
        let basis = subspace.basis();
        assert_eq!(basis.len(), 2);
        assert!(dot(&basis[0], &basis[1]).abs() < 1e-6);
    }

    #[test]
    fn without_a_subspace_all_variance_is_isotropic() {
        let config = EsConfig {
            pairs: 2000,
            ..EsConfig::default()
        };
        let draws = perturbations(&config, 0.5, 8, &[], &mut stream(1, "test", 0));
        let squared: f64 = draws.iter().map(|e| dot(e, e)).sum::<f64>() / 2000.0;
        // E |E|^2 = s^2
        assert!((squared - 0.25).abs() < 0.01, "{squared}");
    }

    #[test]
    fn only_the_newest_gradients_are_kept() {
        let mut subspace = GuidingSubspace::new(1);
        subspace.push(&[1.0, 0.0]);
        subspace.push(&[0.0, 1.0]);
        assert_eq!(subspace.basis(), [[0.0, 1.0]]);
    }
}
