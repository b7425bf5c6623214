//! The metric at the points of a trajectory between those that were observed.

use super::gaussian_process::{Series, interpolate};
use super::observation::Observation;
use super::statistics::{mean, standard_deviation};
use super::trajectory::Trajectories;

/// Deviations of standardised observations are not trusted below this: one lucky point would outweigh all others.
const MIN_DEVIATION: f64 = 1e-3;

/// The metric along every trajectory at every step: signed (lower is better) and standardised.
#[derive(Clone, Debug, PartialEq)]
pub struct Interpolation {
    /// Mean of the signed metric over all points.
    pub mean: f64,
    /// Deviation of the signed metric over all points; 0 if it never varied.
    pub deviation: f64,
    steps: usize,
    /// `[K, T + 1]` of standardised mean and deviation.
    values: Vec<(f64, f64)>,
}

impl Interpolation {
    /// Standardised mean and deviation of trajectory `k` at step `t`.
    pub fn at(&self, k: usize, t: usize) -> (f64, f64) {
        self.values[k * (self.steps + 1) + t]
    }

    /// All values, `[K, T + 1]` of standardised mean and deviation.
    pub fn values(&self) -> &[(f64, f64)] {
        &self.values
    }
}

/// Fills the observations in by a Gaussian process over the steps of each trajectory, and standardises them.
///
/// The noise of an observation is the deviation of its folds after the effect of each fold, which all observations
/// share, is taken out: with fixed folds most of the spread between them says nothing about the adapter.
pub fn interpolate_observations(trajectories: &Trajectories, sign: f64) -> Interpolation {
    let all: Vec<&Observation> = trajectories.observations.iter().flatten().collect();
    let folds = all.first().map_or(0, |observation| observation.folds.len());
    let effects: Vec<f64> = (0..folds)
        .map(|fold| {
            mean(
                &all.iter()
                    .map(|observation| observation.folds[fold])
                    .collect::<Vec<_>>(),
            )
        })
        .collect();
    let noise = |observation: &Observation| {
        let residuals: Vec<f64> = observation
            .folds
            .iter()
            .zip(&effects)
            .map(|(value, effect)| value - effect)
            .collect();
        standard_deviation(&residuals) / (folds.max(1) as f64).sqrt()
    };
    let times: Vec<f64> = trajectories.observed.iter().map(|&t| t as f64).collect();
    let at: Vec<f64> = (0..=trajectories.steps).map(|t| t as f64).collect();
    let mut values: Vec<(f64, f64)> = Vec::with_capacity(trajectories.count() * at.len());
    for observations in &trajectories.observations {
        let means: Vec<f64> = observations
            .iter()
            .map(|observation| sign * observation.mean())
            .collect();
        let variances: Vec<f64> = observations
            .iter()
            .map(|observation| noise(observation).powi(2))
            .collect();
        let series = Series {
            times: &times,
            values: &means,
            noise: mean(&variances),
        };
        values.extend(interpolate(&series, 0.25 * trajectories.steps as f64, &at));
    }
    let means: Vec<f64> = values.iter().map(|&(mean, _)| mean).collect();
    let centre = mean(&means);
    let mut deviation = standard_deviation(&means);
    // Rounding in the interpolation of a constant is no variation.
    if deviation <= 1e-12 * centre.abs() {
        deviation = 0.0;
    }
    let scale = if deviation > 0.0 { deviation } else { 1.0 };
    for (mean, sd) in &mut values {
        *mean = (*mean - centre) / scale;
        *sd = (*sd / scale).max(MIN_DEVIATION);
    }
    Interpolation {
        mean: centre,
        deviation,
        steps: trajectories.steps,
        values,
    }
}

#[cfg(test)]
mod tests {
    use super::super::trajectory::TrajectorySettings;
    use super::*;

    fn trajectories(folds: &[[[f64; 2]; 2]]) -> Trajectories {
        Trajectories {
            dimensions: 1,
            steps: 1,
            points: vec![0.0; 2 * folds.len()],
            observed: vec![0, 1],
            observations: folds
                .iter()
                .map(|run| {
                    run.iter()
                        .map(|folds| Observation {
                            folds: folds.to_vec(),
                        })
                        .collect()
                })
                .collect(),
            settings: vec![
                TrajectorySettings {
                    learning_rate: 0.1,
                    start_sd: 0.0,
                    class_weights: vec![]
                };
                folds.len()
            ],
        }
    }

    #[test]
    fn fold_effects_are_no_noise() {
        // The second fold lies 0.2 above the first in every observation: nothing is uncertain.
        let interpolation = interpolate_observations(
            &trajectories(&[[[0.1, 0.3], [0.2, 0.4]], [[0.3, 0.5], [0.0, 0.2]]]),
            1.0,
        );
        assert!(
            (interpolation.mean - 0.25).abs() < 1e-6,
            "{}",
            interpolation.mean
        );
        for &(_, sd) in interpolation.values() {
            assert!(sd <= 2.0 * MIN_DEVIATION, "{sd}");
        }
        // Standardised: means 0.2, 0.3, 0.4, 0.1 have the deviation sqrt(0.05 / 3).
        let expected = (0.2 - 0.25) / (0.05_f64 / 3.0).sqrt();
        assert!((interpolation.at(0, 0).0 - expected).abs() < 1e-3);
    }

    #[test]
    fn the_sign_turns_a_metric_to_maximise_round() {
        let runs = [[[0.1, 0.1], [0.2, 0.2]], [[0.3, 0.3], [0.4, 0.4]]];
        let up = interpolate_observations(&trajectories(&runs), -1.0);
        assert!(up.at(1, 1).0 < up.at(0, 0).0);
    }

    #[test]
    fn a_metric_that_never_varies_has_no_deviation() {
        let flat = interpolate_observations(&trajectories(&[[[0.3, 0.3], [0.3, 0.3]]]), 1.0);
        assert_eq!(flat.deviation, 0.0);
        assert!(
            flat.values()
                .iter()
                .all(|&(mean, sd)| mean == 0.0 && sd == MIN_DEVIATION)
        );
    }
}
