//! Whether a metric can be optimised on a task: its values along random lines through the pre-trained network.

use metricopt_sdk::Result;
use metricopt_sdk::testkit::Profile;
use serde::Serialize;

use super::calibrate::{calibrate, spread};
use super::config::EngineConfig;
use super::observe::Observer;
use super::random::{normals, stream};
use super::vector::add_scaled;

/// Number of lines.
const LINES: u64 = 3;
/// Points of a line, the pre-trained network in their middle.
const POINTS: usize = 33;

/// The metric along random lines through the pre-trained network.
#[derive(Clone, Debug, Serialize)]
pub struct Profiles {
    /// The calibrated width.
    pub width: f64,
    /// Number of validation folds.
    pub folds: usize,
    /// Each line.
    pub lines: Vec<Line>,
}

/// The metric along one line.
#[derive(Clone, Debug, Serialize)]
pub struct Line {
    /// The judgement.
    #[serde(flatten)]
    pub profile: Profile,
    /// Places on the line, in `[-1, 1]`; the pre-trained network is at 0.
    pub t: Vec<f64>,
    /// Mean over the folds at each place.
    pub values: Vec<f64>,
}

/// Follows the metric along random lines through `phi = 0` on the validation folds.
///
/// The ends of a line are as far away as the random starts of the trajectories: at the calibrated width, where the loss
/// has risen by the tolerance on average. That is the region that the engine searches.
///
/// # Errors
///
/// Those of the task and of the metric.
pub fn profiles(
    observer: &Observer<'_>,
    config: &EngineConfig,
    seed: u64,
    progress: &dyn Fn(&str, u64, u64),
) -> Result<Profiles> {
    let width = calibrate(observer, &config.calibration, &config.trajectories, seed)?.width;
    let sd = width * spread(&config.trajectories);
    let dimensions = observer.task.describe().dimensions();
    let folds = config.observation.folds;
    let half = (POINTS / 2) as f64;
    let t: Vec<f64> = (0..POINTS).map(|point| point as f64 / half - 1.0).collect();
    let mut lines = Vec::new();
    for line in 0..LINES {
        observer.call.check()?;
        progress("lines", line, LINES);
        let direction = normals(&mut stream(seed, "profile", line), dimensions, sd);
        let phis: Vec<Vec<f32>> = t
            .iter()
            .map(|&t| {
                let mut phi = vec![0.0; dimensions];
                add_scaled(&mut phi, t, &direction);
                phi
            })
            .collect();
        let observations = observer.observe(&phis, folds)?;
        let by_fold: Vec<Vec<f64>> = (0..folds)
            .map(|fold| observations.iter().map(|seen| seen.folds[fold]).collect())
            .collect();
        lines.push(Line {
            profile: Profile::of(&t, &by_fold),
            t: t.clone(),
            values: observations.iter().map(|seen| seen.mean()).collect(),
        });
    }
    Ok(Profiles {
        width,
        folds,
        lines,
    })
}
