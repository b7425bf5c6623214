//! One-dimensional Gaussian-process regression: fills a trajectory's sparse observations in.

use faer::prelude::Solve;
use faer::{Mat, Side};

/// A noisy series over time.
#[derive(Clone, Copy, Debug)]
pub struct Series<'a> {
    /// When it was observed.
    pub times: &'a [f64],
    /// What was observed.
    pub values: &'a [f64],
    /// Variance of the observation noise.
    pub noise: f64,
}

/// Posterior mean and standard deviation of the noise-free series at the times `at` (Rasmussen and Williams 2006,
/// equations 2.25 and 2.26), with a squared-exponential kernel around the mean of the values.
///
/// The signal variance is what the noise leaves of the variance of the values, at least a twentieth of it.
pub fn interpolate(series: &Series<'_>, lengthscale: f64, at: &[f64]) -> Vec<(f64, f64)> {
    let n = series.values.len();
    if n == 0 {
        return vec![(0.0, 0.0); at.len()];
    }
    let mean = series.values.iter().sum::<f64>() / n as f64;
    let variance = series
        .values
        .iter()
        .map(|v| (v - mean).powi(2))
        .sum::<f64>()
        / (n.max(2) - 1) as f64;
    let signal = (variance - series.noise).max(0.05 * variance);
    if signal <= 0.0 {
        return vec![(mean, (series.noise / n as f64).sqrt()); at.len()];
    }
    let kernel = |a: f64, b: f64| signal * (-0.5 * ((a - b) / lengthscale).powi(2)).exp();
    // A trace of jitter keeps the factorisation defined when the noise is zero.
    let jitter = series.noise + 1e-9 * signal;
    let covariance = Mat::from_fn(n, n, |i, j| {
        kernel(series.times[i], series.times[j]) + if i == j { jitter } else { 0.0 }
    });
    let cross = Mat::from_fn(n, at.len(), |i, j| kernel(series.times[i], at[j]));
    let residual = Mat::from_fn(n, 1, |i, _| series.values[i] - mean);
    let Ok(factor) = covariance.llt(Side::Lower) else {
        return vec![(mean, variance.sqrt()); at.len()];
    };
    let weights = factor.solve(&residual);
    let explained = factor.solve(&cross);
    (0..at.len())
        .map(|j| {
            let dot = |column: &dyn Fn(usize) -> f64| {
                (0..n).map(|i| cross[(i, j)] * column(i)).sum::<f64>()
            };
            let posterior = signal - dot(&|i| explained[(i, j)]);
            (mean + dot(&|i| weights[(i, 0)]), posterior.max(0.0).sqrt())
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Gauss-Jordan elimination, independent of the factorisation used above.
    fn dense_inverse(mut a: Vec<Vec<f64>>) -> Vec<Vec<f64>> {
        let n = a.len();
        let mut inverse: Vec<Vec<f64>> = (0..n)
            .map(|i| (0..n).map(|j| f64::from(u8::from(i == j))).collect())
            .collect();
        for i in 0..n {
            let pivot = a[i][i];
            for j in 0..n {
                a[i][j] /= pivot;
                inverse[i][j] /= pivot;
            }
            for k in (0..n).filter(|&k| k != i) {
                let factor = a[k][i];
                for j in 0..n {
                    a[k][j] -= factor * a[i][j];
                    inverse[k][j] -= factor * inverse[i][j];
                }
            }
        }
        inverse
    }

    #[test]
    fn equals_a_dense_solve() {
        let times = [0.0, 10.0, 20.0, 30.0, 40.0];
        let values = [0.40, 0.36, 0.35, 0.30, 0.33];
        let (noise, lengthscale) = (1e-4, 12.5);
        let mean = 0.348;
        let variance = values.iter().map(|v| (v - mean) * (v - mean)).sum::<f64>() / 4.0;
        let signal = variance - noise;
        let kernel = |a: f64, b: f64| {
            signal * (-(a - b) * (a - b) / (2.0 * lengthscale * lengthscale)).exp()
        };
        let inverse = dense_inverse(
            (0..5)
                .map(|i| {
                    (0..5)
                        .map(|j| kernel(times[i], times[j]) + if i == j { noise } else { 0.0 })
                        .collect()
                })
                .collect(),
        );
        let series = Series {
            times: &times,
            values: &values,
            noise,
        };
        for (at, (m, s)) in [3.0, 20.0, 37.5, 80.0].into_iter().zip(interpolate(
            &series,
            lengthscale,
            &[3.0, 20.0, 37.5, 80.0],
        )) {
            let k: Vec<f64> = times.iter().map(|&t| kernel(t, at)).collect();
            let product = |v: &dyn Fn(usize) -> f64| -> f64 {
                (0..5)
                    .map(|i| (0..5).map(|j| k[i] * inverse[i][j] * v(j)).sum::<f64>())
                    .sum()
            };
            let expected = mean + product(&|j| values[j] - mean);
            let deviation = (signal - product(&|j| k[j])).sqrt();
            assert!((m - expected).abs() < 1e-6, "{m} {expected}");
            assert!((s - deviation).abs() < 1e-5, "{s} {deviation}");
        }
    }

    #[test]
    fn a_constant_series_stays_constant() {
        let series = Series {
            times: &[0.0, 5.0],
            values: &[0.2, 0.2],
            noise: 0.0,
        };
        assert_eq!(
            interpolate(&series, 2.0, &[0.0, 3.0]),
            [(0.2, 0.0), (0.2, 0.0)]
        );
    }

    #[test]
    fn one_observation_is_its_own_mean() {
        let series = Series {
            times: &[0.0],
            values: &[0.7],
            noise: 0.04,
        };
        assert_eq!(interpolate(&series, 1.0, &[9.0]), [(0.7, 0.2)]);
    }
}
