//! What a run takes from an earlier one instead of computing it.

use metricopt_sdk::{Error, Part, Result};
use std::collections::HashMap;

use super::memory::Key;
use super::observation::Observation;
use super::predictions::{Predictions, key};
use super::reference::Reference;
use super::trajectory::Trajectories;
use super::trust::Trained;

/// What is taken from an earlier run.
#[derive(Clone, Copy, Default)]
pub enum Past<'a> {
    /// Nothing: everything is computed.
    #[default]
    Nothing,
    /// Trajectories, and what the metric or the network said along them.
    Trajectories(&'a Stored),
    /// A value function, in place of trajectories and meta-training.
    ValueFunction(&'a StoredFunction),
}

impl<'a> Past<'a> {
    /// The calibrated width and the pre-trained network of that run.
    pub fn calibration(&self) -> Option<(f64, &'a Reference)> {
        match self {
            Self::Nothing => None,
            Self::Trajectories(stored) => Some((stored.width, &stored.reference)),
            Self::ValueFunction(stored) => Some((stored.width, &stored.reference)),
        }
    }
}

/// The value function of an earlier run.
pub struct StoredFunction {
    /// The value function with its replay points and the grounds to trust it.
    pub trained: Trained,
    /// Largest `|phi|` of the trajectories it was trained on.
    pub radius: f64,
    /// The calibrated width.
    pub width: f64,
    /// The pre-trained network.
    pub reference: Reference,
}

/// Values of the metric that an earlier run was given beside the observations of its trajectories.
#[derive(Clone, Debug, PartialEq)]
pub struct Answers {
    /// `phi_0` on the whole validation split.
    pub pretrained: f64,
    /// `phi_0` on the folds of the acceptance test.
    pub pretrained_folds: Observation,
    /// The best point of the trajectories on the whole validation split.
    pub best: f64,
}

/// The trajectories of an earlier run.
pub struct Stored {
    /// The trajectories, observed with that run's metric.
    pub trajectories: Trajectories,
    /// The calibrated width.
    pub width: f64,
    /// The pre-trained network.
    pub reference: Reference,
    /// Predictions of all observed adapters, if they were kept.
    pub predictions: Option<Predictions>,
    /// Values of this run's metric, by adapter and part of the validation split.
    values: HashMap<Key, f64>,
}

impl Stored {
    /// Trajectories whose values stay unused, as they are of another metric.
    pub fn new(
        trajectories: Trajectories,
        width: f64,
        reference: Reference,
        predictions: Option<Predictions>,
    ) -> Self {
        Self {
            trajectories,
            width,
            reference,
            predictions,
            values: HashMap::new(),
        }
    }

    /// The same with the values, which are of this run's metric; `sign` is that of its direction.
    #[must_use]
    pub fn with_values(mut self, answers: &Answers, sign: f64) -> Self {
        let mut values = HashMap::new();
        let mut observed = |phi: &[f32], observation: &Observation| {
            let count = observation.folds.len();
            for (index, &value) in observation.folds.iter().enumerate() {
                values.insert(key(phi, Part::Fold { index, count }), value);
            }
        };
        let trajectories = &self.trajectories;
        for (k, observations) in trajectories.observations.iter().enumerate() {
            for (&t, observation) in trajectories.observed.iter().zip(observations) {
                observed(trajectories.point(k, t), observation);
            }
        }
        let phi_0 = self.pretrained();
        observed(&phi_0, &answers.pretrained_folds);
        if let Some((k, t)) = trajectories.best(sign) {
            values.insert(key(trajectories.point(k, t), Part::All), answers.best);
        }
        values.insert(key(&phi_0, Part::All), answers.pretrained);
        self.values = values;
        self
    }

    /// The adapter of the pre-trained network.
    pub fn pretrained(&self) -> Vec<f32> {
        vec![0.0; self.trajectories.dimensions]
    }

    /// The metric at an adapter, if it was stored.
    pub fn value(&self, phi: &[f32], part: Part) -> Option<f64> {
        self.values.get(&key(phi, part)).copied()
    }

    /// The metric at an adapter on each of so many folds, if all were stored.
    pub fn observation(&self, phi: &[f32], folds: usize) -> Option<Observation> {
        let fold = |index| {
            let count = folds;
            self.value(phi, Part::Fold { index, count })
        };
        let folds: Option<Vec<f64>> = (0..folds).map(fold).collect();
        Some(Observation { folds: folds? })
    }

    /// Queries that the way to fine-tuning takes with these folds, at most: none for values that were stored.
    pub fn queries(&self, folds: usize, accept_folds: usize) -> u64 {
        let phi_0 = self.pretrained();
        let mut queries = u64::from(self.value(&phi_0, Part::All).is_none())
            + u64::from(self.observation(&phi_0, accept_folds).is_none());
        queries += self.along(folds);
        // With other observations another point may be the best.
        queries + u64::from(queries > 0)
    }

    /// Queries along the trajectories with so many folds: none for values that were stored.
    pub fn along(&self, folds: usize) -> u64 {
        let mut queries = 0;
        let trajectories = &self.trajectories;
        for &t in &trajectories.observed {
            let points = (0..trajectories.count()).map(|k| trajectories.point(k, t));
            let mut distinct: Vec<&[f32]> = Vec::new();
            for point in points {
                if !distinct.contains(&point) {
                    distinct.push(point);
                }
            }
            if distinct
                .iter()
                .any(|phi| self.observation(phi, folds).is_none())
            {
                queries += distinct.len() as u64;
            }
        }
        queries
    }

    /// Refuses folds for which neither values nor predictions are there: the network would have to be asked.
    ///
    /// # Errors
    ///
    /// Names the key and what it was.
    pub fn check(&self, folds: usize, accept_folds: usize) -> Result<()> {
        let phi_0 = self.pretrained();
        let knows = |phi: &[f32], count: usize| {
            let predicts = |index| {
                let kept = self.predictions.as_ref()?;
                kept.find(phi, Part::Fold { index, count })
            };
            self.observation(phi, count).is_some()
                || (0..count).all(|index| predicts(index).is_some())
        };
        let last = self.trajectories.observed.last().copied().unwrap_or(0);
        let wanted = [
            ("observation.folds", folds, self.trajectories.point(0, last)),
            ("finetune.accept_folds", accept_folds, &phi_0),
        ];
        for (key, count, phi) in wanted {
            if !knows(phi, count) {
                return Err(Error::configuration(format!(
                    "`{key}` is {count}, but there are neither values nor predictions for that many folds"
                ))
                .hint(format!(
                    "set `{key}` as in the run that collected the trajectories, or collect anew without `--trajectories`"
                )));
            }
        }
        Ok(())
    }
}
