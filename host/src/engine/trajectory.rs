//! Trajectories: diversified loss-only runs with sparse observations of the metric.

use metricopt_sdk::{Batch, Error, Result, Split};
use rand::RngExt;

use super::config::{OptimizerKind, TrajectoryConfig};
use super::events::{Event, EventLog, Progress};
use super::gaussian_process::{Series, interpolate};
use super::observe::{Observation, Observer};
use super::optimizer::Optimizer;
use super::random::{normals, stream, stream_seed};
use super::statistics::{mean, standard_deviation};

/// Deviations of standardised observations are not trusted below this: one lucky point would outweigh all others.
const MIN_DEVIATION: f64 = 1e-3;

/// How one trajectory differs from the others.
#[derive(Clone, Debug, PartialEq)]
pub struct TrajectorySettings {
    /// Learning rate of SGD, width applied.
    pub learning_rate: f64,
    /// Deviation of the random start, width applied; 0 at the pre-trained network.
    pub start_sd: f64,
    /// Weight of each class in the loss; empty for none.
    pub class_weights: Vec<f32>,
}

/// `K` trajectories of `T` steps.
#[derive(Clone, Debug, PartialEq)]
pub struct Trajectories {
    /// Length `D` of an adapter.
    pub dimensions: usize,
    /// Steps `T`; there are `T + 1` points.
    pub steps: usize,
    /// Adapters, row-major `[K, T + 1, D]`.
    pub points: Vec<f32>,
    /// Steps at which the metric was observed, ascending.
    pub observed: Vec<usize>,
    /// Observations, `[K]` of `[observed]`.
    pub observations: Vec<Vec<Observation>>,
    /// How each one ran.
    pub settings: Vec<TrajectorySettings>,
}

impl Trajectories {
    /// Number of trajectories `K`.
    pub fn count(&self) -> usize {
        self.settings.len()
    }

    /// The adapter of trajectory `k` at step `t`.
    pub fn point(&self, k: usize, t: usize) -> &[f32] {
        let at = (k * (self.steps + 1) + t) * self.dimensions;
        &self.points[at..at + self.dimensions]
    }

    /// The observed adapter with the best mean over folds: trajectory and step, the first of equals.
    pub fn best(&self, sign: f64) -> Option<(usize, usize)> {
        let mut best: Option<(f64, (usize, usize))> = None;
        for (k, observations) in self.observations.iter().enumerate() {
            for (&t, observation) in self.observed.iter().zip(observations) {
                let signed = sign * observation.mean();
                if best.is_none_or(|(incumbent, _)| signed < incumbent) {
                    best = Some((signed, (k, t)));
                }
            }
        }
        best.map(|(_, at)| at)
    }

    /// Largest `|phi|` visited.
    pub fn radius(&self) -> f64 {
        self.points
            .chunks_exact(self.dimensions.max(1))
            .map(super::vector::norm)
            .fold(0.0, f64::max)
    }
}

/// Draws how each trajectory differs: learning rate, class weights, random start.
///
/// Plain-loss runs from one start carry little signal for metrics of decisions; that is why they are made different.
pub fn diversify(
    config: &TrajectoryConfig,
    width: f64,
    classes: Option<usize>,
    seed: u64,
) -> Vec<TrajectorySettings> {
    (0..config.count)
        .map(|k| {
            let mut rng = stream(seed, "trajectory settings", k as u64);
            let mut log_uniform =
                |[low, high]: [f64; 2]| (rng.random_range(low.ln()..=high.ln())).exp();
            let learning_rate = width * log_uniform(config.learning_rates);
            let class_weights = match classes {
                _ if config.class_weights == [1.0, 1.0] => Vec::new(),
                None => Vec::new(),
                // Only the ratio counts, so a binary task draws the weight of its positive class alone.
                Some(2) => vec![1.0, log_uniform(config.class_weights) as f32],
                Some(classes) => (0..classes)
                    .map(|_| log_uniform(config.class_weights) as f32)
                    .collect(),
            };
            let start_sd = if k % 2 == 1 && config.start_sd > 0.0 {
                width * rng.random_range(0.0..=config.start_sd)
            } else {
                0.0
            };
            TrajectorySettings {
                learning_rate,
                start_sd,
                class_weights,
            }
        })
        .collect()
}

/// Runs the trajectories side by side by SGD with momentum on the surrogate loss, and observes the metric along them.
///
/// # Errors
///
/// Those of the task, the metric and the log, or that the user asked to stop.
pub fn collect(
    observer: &Observer<'_>,
    config: &TrajectoryConfig,
    settings: Vec<TrajectorySettings>,
    folds: usize,
    seed: u64,
    progress: &Progress<'_>,
    log: &mut dyn EventLog,
) -> Result<Trajectories> {
    let dimensions = observer.task.describe().dimensions();
    let count = settings.len();
    let mut phis: Vec<Vec<f32>> = settings
        .iter()
        .enumerate()
        .map(|(k, settings)| {
            normals(
                &mut stream(seed, "trajectory start", k as u64),
                dimensions,
                settings.start_sd,
            )
        })
        .collect();
    let mut optimizers =
        vec![Optimizer::new(OptimizerKind::Sgd, config.momentum, dimensions); count];
    let mut trajectories = Trajectories {
        dimensions,
        steps: config.steps,
        points: room_for(count, config.steps + 1, dimensions)?,
        observed: (0..=config.steps).step_by(config.observe_every).collect(),
        observations: vec![Vec::new(); count],
        settings,
    };
    for step in 0..=config.steps {
        observer.call.check()?;
        progress("trajectories", step as u64, config.steps as u64);
        for (k, phi) in phis.iter().enumerate() {
            let at = (k * (config.steps + 1) + step) * dimensions;
            trajectories.points[at..at + dimensions].copy_from_slice(phi);
        }
        if step % config.observe_every == 0 {
            observe_all(observer, &phis, folds, &mut trajectories, step, log)?;
        }
        if step == config.steps {
            break;
        }
        let batches: Vec<Batch<'_>> = trajectories
            .settings
            .iter()
            .enumerate()
            .map(|(k, settings)| Batch {
                split: Split::Train,
                seed: stream_seed(seed, "trajectory batches", k as u64),
                step: step as u64,
                size: config.batch_size,
                fraction: config.fraction,
                class_weights: &settings.class_weights,
            })
            .collect();
        let (_, flat) = observer.gradients(&phis, &batches)?;
        check_gradient(&flat, count * dimensions)?;
        for (k, (phi, optimizer)) in phis.iter_mut().zip(&mut optimizers).enumerate() {
            let gradient = &flat[k * dimensions..(k + 1) * dimensions];
            optimizer.step(phi, gradient, trajectories.settings[k].learning_rate);
        }
    }
    Ok(trajectories)
}

/// Observes trajectories of an earlier run, at the same points as when they were collected.
///
/// # Errors
///
/// Those of the metric and the log, or that the user asked to stop.
pub fn observe_again(
    observer: &Observer<'_>,
    earlier: &Trajectories,
    folds: usize,
    progress: &Progress<'_>,
    log: &mut dyn EventLog,
) -> Result<Trajectories> {
    let mut trajectories = Trajectories {
        observations: vec![Vec::new(); earlier.count()],
        ..earlier.clone()
    };
    for &step in &earlier.observed {
        observer.call.check()?;
        progress("observations", step as u64, earlier.steps as u64);
        let phis: Vec<Vec<f32>> = (0..earlier.count())
            .map(|k| earlier.point(k, step).to_vec())
            .collect();
        observe_all(observer, &phis, folds, &mut trajectories, step, log)?;
    }
    Ok(trajectories)
}

/// Zeros for all points, or an error that says how much memory they would take.
fn room_for(count: usize, points: usize, dimensions: usize) -> Result<Vec<f32>> {
    let values = count
        .checked_mul(points)
        .and_then(|n| n.checked_mul(dimensions));
    let mut room = Vec::new();
    match values {
        Some(values) if room.try_reserve_exact(values).is_ok() => {
            room.resize(values, 0.0);
            Ok(room)
        }
        _ => {
            let gigabytes = count as f64 * points as f64 * dimensions as f64 * 4e-9;
            Err(Error::configuration(format!(
                "{count} trajectories of {points} points with {dimensions} numbers each take {gigabytes:.0} GB of memory"
            ))
            .hint("lower `trajectories.count` or `trajectories.steps`"))
        }
    }
}

/// Checks that a gradient has the expected length and is finite.
pub(super) fn check_gradient(flat: &[f32], expected: usize) -> Result<()> {
    if flat.len() != expected {
        return Err(Error::failed(format!(
            "the task returned {} gradient components, expected {expected}",
            flat.len()
        )));
    }
    if flat.iter().any(|g| !g.is_finite()) {
        return Err(Error::failed("the gradient of the surrogate loss is not finite")
            .hint("a smaller `calibration.width` or learning rate keeps the adapter closer to the pre-trained network"));
    }
    Ok(())
}

/// Observes all trajectories at a step; those that stand at the same point share one query.
fn observe_all(
    observer: &Observer<'_>,
    phis: &[Vec<f32>],
    folds: usize,
    trajectories: &mut Trajectories,
    step: usize,
    log: &mut dyn EventLog,
) -> Result<()> {
    let mut distinct: Vec<&[f32]> = Vec::with_capacity(phis.len());
    let places: Vec<usize> = phis
        .iter()
        .map(|phi| {
            distinct
                .iter()
                .position(|seen| *seen == phi.as_slice())
                .unwrap_or_else(|| {
                    distinct.push(phi);
                    distinct.len() - 1
                })
        })
        .collect();
    let observations = observer.observe(&distinct, folds)?;
    let means: Vec<f64> = observations.iter().map(Observation::mean).collect();
    let sign = observer.direction.sign();
    let best = means
        .iter()
        .copied()
        .min_by(|a, b| (sign * a).total_cmp(&(sign * b)));
    for (observed, place) in trajectories.observations.iter_mut().zip(places) {
        observed.push(observations[place].clone());
    }
    log.record(&Event::TrajectoriesObserved {
        step,
        mean: mean(&means),
        best: best.unwrap_or_default(),
    })
}

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
        assert_eq!(trajectories(&runs).best(-1.0), Some((1, 1)));
        assert_eq!(trajectories(&runs).best(1.0), Some((0, 0)));
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

    #[test]
    fn settings_stay_in_their_ranges_and_differ() {
        let config = TrajectoryConfig::default();
        let settings = diversify(&config, 0.5, Some(2), 1);
        assert_eq!(settings.len(), 24);
        for (k, one) in settings.iter().enumerate() {
            assert!((0.0015..=0.05).contains(&one.learning_rate));
            assert!(one.class_weights[0] == 1.0 && (0.25..=4.0).contains(&one.class_weights[1]));
            assert!(if k % 2 == 0 {
                one.start_sd == 0.0
            } else {
                one.start_sd <= 0.05
            });
        }
        assert_ne!(settings[0], settings[2]);
        assert_eq!(settings, diversify(&config, 0.5, Some(2), 1));
        assert!(diversify(&config, 1.0, None, 1)[0].class_weights.is_empty());
    }
}
