//! Collects trajectories: runs them on the surrogate loss, and observes the metric along them.

use metricopt_sdk::{Batch, Error, Result, Split};

use super::config::{OptimizerKind, TrajectoryConfig};
use super::events::{Event, EventLog, Progress};
use super::observation::Observation;
use super::observe::Observer;
use super::optimizer::Optimizer;
use super::random::{normals, stream, stream_seed};
use super::statistics::mean;
use super::trajectory::{Trajectories, TrajectorySettings};

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
