//! How wide to search: step sizes that suit one network ruin another.

use metricopt_sdk::{Batch, Result, Split};

use super::config::{CalibrationConfig, TrajectoryConfig};
use super::observe::Observer;
use super::random::{normals, stream, stream_seed};
use super::reference::Reference;
use super::statistics::mean;

/// Widths tried, from wide to narrow: four to a decade.
pub(super) const WIDTHS: i32 = 13;

/// The factor on random starts, learning rates and search distribution, and how it came about.
#[derive(Clone, Debug, PartialEq)]
pub struct Calibration {
    /// The factor.
    pub width: f64,
    /// The pre-trained network on the validation rows.
    pub reference: Reference,
    /// Relative rise of the loss at each width tried; empty if the width was given.
    pub probed: Vec<(f64, f64)>,
}

/// The rows that the loss is measured on: never more than there are, since more would be the same ones again.
fn batch(units: usize, config: &CalibrationConfig, seed: u64) -> Batch<'static> {
    Batch {
        split: Split::Validation,
        seed: stream_seed(seed, "calibration batch", 0),
        step: 0,
        size: config.rows.min(units).max(1),
        fraction: 1.0,
        class_weights: &[],
    }
}

/// Measures the pre-trained network: one evaluation of it.
///
/// # Errors
///
/// Those of the task.
pub fn measure_reference(
    observer: &Observer<'_>,
    config: &CalibrationConfig,
    seed: u64,
) -> Result<Reference> {
    let task = observer.task.describe();
    let phi_0 = vec![0.0_f32; task.dimensions()];
    let batch = batch(task.units(Split::Validation), config, seed);
    let (losses, gradient) = observer.gradients(&[phi_0], &[batch])?;
    Ok(Reference {
        loss: mean(&losses),
        gradient,
    })
}

/// Finds the largest width at which random adapters `N(0, (width * start_sd)^2)` raise the validation loss by at most
/// the tolerance on average.
///
/// Uses the surrogate loss only: no query. The same directions are tried at every width.
///
/// # Errors
///
/// Those of the task.
pub fn calibrate(
    observer: &Observer<'_>,
    config: &CalibrationConfig,
    trajectories: &TrajectoryConfig,
    seed: u64,
) -> Result<Calibration> {
    let task = observer.task.describe();
    let (dimensions, units) = (task.dimensions(), task.units(Split::Validation));
    let losses = |phis: &[Vec<f32>]| -> Result<Vec<f64>> {
        let batches = vec![batch(units, config, seed); phis.len()];
        Ok(observer.gradients(phis, &batches)?.0)
    };
    let reference = measure_reference(observer, config, seed)?;
    let loss = reference.loss;
    if let Some(width) = config.width {
        return Ok(Calibration {
            width,
            reference,
            probed: Vec::new(),
        });
    }
    let sd = spread(trajectories);
    let directions: Vec<Vec<f32>> = (0..config.probes)
        .map(|probe| {
            normals(
                &mut stream(seed, "calibration", probe as u64),
                dimensions,
                sd,
            )
        })
        .collect();
    let mut probed = Vec::new();
    for index in 0..WIDTHS {
        observer.call.check()?;
        let width = 10_f64.powf(-f64::from(index) / 4.0);
        let phis: Vec<Vec<f32>> = directions
            .iter()
            .map(|direction| {
                direction
                    .iter()
                    .map(|&x| (width * f64::from(x)) as f32)
                    .collect()
            })
            .collect();
        let rise = (mean(&losses(&phis)?) - loss) / loss.abs().max(f64::MIN_POSITIVE);
        probed.push((width, rise));
        if rise <= config.tolerance {
            break;
        }
    }
    // If even the narrowest raises the loss too much, it is the best there is.
    let width = probed.last().map_or(1.0, |&(width, _)| width);
    Ok(Calibration {
        width,
        reference,
        probed,
    })
}

/// Standard deviation of the widest random starts, before the width is applied.
///
/// Without random starts there is still a scale to set for the steps: that of the default starts.
pub fn spread(trajectories: &TrajectoryConfig) -> f64 {
    if trajectories.start_sd > 0.0 {
        trajectories.start_sd
    } else {
        TrajectoryConfig::default().start_sd
    }
}
