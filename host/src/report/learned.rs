//! The trajectories and the value function, as far as figures need them.

use metricopt_sdk::{Direction, Result};
use std::path::Path;

use super::tensors::TensorFile;
use crate::engine::mlp::{Mlp, Tape};
use crate::engine::statistics::mean;

/// Most widths and coordinates that a file may claim: beyond it the file is damaged.
const MOST: f64 = 1e6;

/// The trajectories of a run at the steps where they were observed.
#[derive(Clone, Debug)]
pub struct Walks {
    /// Observed steps, ascending.
    pub steps: Vec<usize>,
    /// One for each trajectory.
    pub walks: Vec<Walk>,
}

/// One trajectory.
#[derive(Clone, Debug)]
pub struct Walk {
    /// Natural metric, mean over folds, at each observed step.
    pub observed: Vec<f64>,
    /// Mean and deviation at every step: signed and standardised.
    interpolated: Vec<(f64, f64)>,
    standard: (f64, f64),
    /// Adapters at the observed steps.
    points: Vec<Vec<f32>>,
}

impl Walk {
    /// Mean and deviation of the natural metric at every step.
    pub fn interpolated(&self, direction: Direction) -> Vec<(f64, f64)> {
        let (mean, deviation) = self.standard;
        let natural =
            |&(m, s): &(f64, f64)| (direction.sign() * (mean + deviation * m), deviation * s);
        self.interpolated.iter().map(natural).collect()
    }
}

impl Walks {
    /// Reads `trajectories.safetensors`; none if there is none.
    ///
    /// # Errors
    ///
    /// If the file is damaged.
    pub fn read(path: &Path) -> Result<Option<Self>> {
        let Some(file) = TensorFile::read(path, "trajectories")? else {
            return Ok(None);
        };
        let points = file.get("points", 3)?;
        let observations = file.get("observations", 3)?;
        let steps = file.get("observed_steps", 1)?;
        let means = file.get("interpolated_mean", 2)?;
        let deviations = file.get("interpolated_deviation", 2)?;
        let standard = (
            file.value("standard_mean")?,
            file.value("standard_deviation")?,
        );
        let (&[k, n, d], &[k2, o, folds]) = (&points.shape[..], &observations.shape[..]) else {
            return Err(file.damaged("shapes do not fit together"));
        };
        let places: Option<Vec<usize>> = steps
            .values
            .iter()
            .map(|&t| (t >= 0.0 && t < n as f64).then_some(t as usize))
            .collect();
        let fits = k == k2
            && o == steps.values.len()
            && means.shape == [k, n]
            && deviations.shape == [k, n]
            && k * o * folds * n * d > 0;
        let (true, Some(steps)) = (fits, places) else {
            return Err(file.damaged("shapes do not fit together"));
        };
        let walks = (0..k).map(|walk| Walk {
            observed: observations.values[walk * o * folds..(walk + 1) * o * folds]
                .chunks_exact(folds)
                .map(mean)
                .collect(),
            interpolated: (walk * n..(walk + 1) * n)
                .map(|at| (means.values[at], deviations.values[at]))
                .collect(),
            standard,
            points: steps
                .iter()
                .map(|t| {
                    let at = (walk * n + t) * d;
                    points.values[at..at + d]
                        .iter()
                        .map(|&x| x as f32)
                        .collect()
                })
                .collect(),
        });
        Ok(Some(Self {
            walks: walks.collect(),
            steps,
        }))
    }
}

/// What the value function says at the observed points.
#[derive(Clone, Debug)]
pub struct Learned {
    /// For each trajectory and observed step the prediction: signed, in the units of the metric.
    signed: Vec<Vec<f64>>,
    /// The embedding `g_w` of the same points, in the same order, row-major.
    pub features: Vec<f32>,
    /// Width of the embedding.
    pub width: usize,
}

impl Learned {
    /// Reads `value_function.safetensors` and follows it along the trajectories; none without either.
    ///
    /// # Errors
    ///
    /// If the file is damaged.
    pub fn read(path: &Path, walks: Option<&Walks>) -> Result<Option<Self>> {
        let (Some(file), Some(walks)) = (TensorFile::read(path, "value-function")?, walks) else {
            return Ok(None);
        };
        let widths = file.get("widths", 1)?.values;
        let weights: Vec<f32> = file
            .get("weights", 1)?
            .values
            .into_iter()
            .map(|weight| weight as f32)
            .collect();
        let scale = file.value("input_scale")?;
        let (mean, deviation) = (
            file.value("standard_mean")?,
            file.value("standard_deviation")?,
        );
        let dimensions = walks
            .walks
            .first()
            .and_then(|walk| walk.points.first())
            .map_or(0, Vec::len);
        let directions = match file.find("directions")? {
            Some(array) if array.shape.get(1) == Some(&dimensions) => Some(array.values),
            Some(_) => return Err(file.damaged("its directions do not fit the trajectories")),
            None => None,
        };
        let inputs = directions
            .as_ref()
            .map_or(dimensions, |flat| flat.len() / dimensions.max(1));
        let sane = widths.iter().all(|&width| (1.0..=MOST).contains(&width));
        let widths: Vec<usize> = widths.into_iter().map(|width| width as usize).collect();
        let mlp = match widths.split_first() {
            Some((&first, hidden)) if sane && first == inputs => {
                Mlp::from_weights(first, hidden, weights)
            }
            _ => None,
        };
        let Some(mlp) = mlp else {
            return Err(file.damaged("shapes do not fit together"));
        };
        let mut learned = Self {
            signed: Vec::with_capacity(walks.walks.len()),
            features: Vec::new(),
            width: mlp.features(),
        };
        let mut tape = Tape::default();
        for walk in &walks.walks {
            let x: Vec<f32> = walk
                .points
                .iter()
                .flat_map(|phi| coordinates(phi, directions.as_deref(), scale))
                .collect();
            mlp.forward(&x, &mut tape);
            let natural = |&y: &f32| mean + deviation * f64::from(y);
            learned
                .signed
                .push(tape.outputs.iter().map(natural).collect());
            learned.features.extend_from_slice(tape.features());
        }
        Ok(Some(learned))
    }

    /// The prediction of the natural metric for each trajectory and observed step.
    pub fn predicted(&self, direction: Direction) -> Vec<Vec<f64>> {
        let natural = |signed: &Vec<f64>| signed.iter().map(|y| direction.sign() * y).collect();
        self.signed.iter().map(natural).collect()
    }
}

/// An adapter as the value function sees it.
fn coordinates(phi: &[f32], directions: Option<&[f64]>, scale: f64) -> Vec<f32> {
    match directions {
        None => phi.iter().map(|&x| (f64::from(x) / scale) as f32).collect(),
        Some(directions) => directions
            .chunks_exact(phi.len().max(1))
            .map(|direction| {
                let dot: f64 = direction
                    .iter()
                    .zip(phi)
                    .map(|(a, &b)| a * f64::from(b))
                    .sum();
                (dot / scale) as f32
            })
            .collect(),
    }
}
