//! Asking the true metric: candidates in, values out, every query counted.

use metricopt_sdk::tch::{Device, Tensor};
use metricopt_sdk::{
    Batch, Call, Classification, Direction, DynMetric, DynTask, Error, ErrorKind,
    OwnedClassification, Part, Predictions, Result, Rows, Split, Views,
};
use rayon::prelude::*;
use std::cell::Cell;
use std::sync::Arc;

use super::memory::{self, Memory};
use crate::foreign;

/// The task, the metric and what they are called with: the engine's view of the world.
pub struct Observer<'a> {
    /// The task.
    pub task: &'a dyn DynTask,
    /// The metric.
    pub metric: &'a dyn DynMetric,
    /// What the metric is called in messages, as in "metric `f1`".
    pub metric_label: Arc<str>,
    /// Which way the metric improves.
    pub direction: Direction,
    /// Where adapters are put.
    pub device: Device,
    /// Threads and the wish to stop.
    pub call: Call<'a>,
    /// The threads that metrics are evaluated on.
    pub pool: &'a rayon::ThreadPool,
    /// Queries so far.
    pub queries: Cell<u64>,
    /// What was answered before.
    pub memory: &'a dyn Memory,
}

/// One observation: the metric on each validation fold.
#[derive(Clone, Debug, PartialEq)]
pub struct Observation {
    /// Natural value on each fold.
    pub folds: Vec<f64>,
}

impl Observation {
    /// Mean over the folds.
    pub fn mean(&self) -> f64 {
        super::statistics::mean(&self.folds)
    }
}

impl Observer<'_> {
    /// Puts adapters into one tensor f32 `[P, D]`.
    pub fn tensor(&self, phis: &[impl AsRef<[f32]>]) -> Result<Tensor> {
        let flat: Vec<f32> = phis
            .iter()
            .flat_map(|phi| phi.as_ref().iter().copied())
            .collect();
        let dimensions = phis.first().map_or(0, |phi| phi.as_ref().len());
        let tensor = Tensor::f_from_slice(&flat)?;
        Ok(tensor
            .f_view([phis.len() as i64, dimensions as i64])?
            .f_to_device(self.device)?)
    }

    /// Calls `each` with the predictions of every candidate, in groups as the task emits them.
    ///
    /// # Errors
    ///
    /// Those of the task and of `each`.
    pub fn predict(
        &self,
        phis: &[impl AsRef<[f32]>],
        rows: &Rows,
        each: &mut dyn FnMut(usize, &[Views<'_>]) -> Result<()>,
    ) -> Result<()> {
        self.task
            .predict(&self.tensor(phis)?, rows, &self.call, each)
    }

    /// Losses `[P]` and gradients `[P, D]`, row-major, at adapters, each with a batch of its own.
    ///
    /// # Errors
    ///
    /// Those of the task, or that the user asked to stop.
    pub fn gradients(
        &self,
        phis: &[impl AsRef<[f32]>],
        batches: &[Batch<'_>],
    ) -> Result<(Vec<f64>, Vec<f32>)> {
        self.call.check()?;
        let components = phis.iter().map(|phi| phi.as_ref().len()).sum();
        let key = memory::gradients_key(phis, batches);
        if let Some(answer) = self.memory.recall(&key)?
            && let Some(known) = memory::decode(&answer, phis.len(), components)
        {
            return Ok(known);
        }
        let found = self
            .task
            .gradients(&self.tensor(phis)?, batches, &self.call)?;
        let flat = Vec::<f32>::try_from(found.gradients.f_reshape([-1])?)?;
        self.memory
            .keep(&key, &memory::encode(&found.losses, &flat))?;
        Ok((found.losses, flat))
    }

    /// Natural metric values of the candidates; counts nothing.
    fn evaluate(&self, phis: &[impl AsRef<[f32]>], rows: &Rows) -> Result<Vec<f64>> {
        self.call.check()?;
        let key = memory::values_key(phis, rows);
        if let Some(answer) = self.memory.recall(&key)?
            && let Some((known, _)) = memory::decode(&answer, phis.len(), 0)
        {
            return Ok(known);
        }
        let values = self.evaluate_anew(phis, rows)?;
        self.memory.keep(&key, &memory::encode(&values, &[]))?;
        Ok(values)
    }

    fn evaluate_anew(&self, phis: &[impl AsRef<[f32]>], rows: &Rows) -> Result<Vec<f64>> {
        let mut values = vec![0.0; phis.len()];
        let metric = self.metric_on(describe(rows));
        self.predict(phis, rows, &mut |first, views| {
            let call = &self.call;
            let evaluated: Result<Vec<f64>> = match metric.evaluate_many(views, call) {
                Some(values) => values,
                None if views.len() == 1 => views
                    .iter()
                    .map(|views| metric.evaluate(views, call))
                    .collect(),
                None => self.pool.install(|| {
                    views
                        .par_iter()
                        .map(|views| metric.evaluate(views, call))
                        .collect()
                }),
            };
            let evaluated = evaluated?;
            values[first..first + views.len()].copy_from_slice(&evaluated);
            Ok(())
        })?;
        Ok(values)
    }

    /// The metric, whose errors and panics say that they are its own and where they came up.
    pub fn metric_on(&self, place: impl Into<String>) -> MetricOn<'_> {
        MetricOn {
            metric: self.metric,
            label: self.metric_label.clone(),
            place: place.into(),
        }
    }

    fn count(&self, queries: usize) {
        self.queries.set(self.queries.get() + queries as u64);
    }

    /// Natural metric values of the candidates on a part of the validation split: one query each.
    ///
    /// # Errors
    ///
    /// Those of the task and of the metric.
    pub fn query(&self, phis: &[impl AsRef<[f32]>], part: Part) -> Result<Vec<f64>> {
        self.count(phis.len());
        let split = Split::Validation;
        self.evaluate(phis, &Rows { split, part })
    }

    /// Natural metric values of the candidates on a part of the validation split, to be shown and never selected on:
    /// no query.
    ///
    /// # Errors
    ///
    /// Those of the task and of the metric.
    pub fn show(&self, phis: &[impl AsRef<[f32]>], part: Part) -> Result<Vec<f64>> {
        let split = Split::Validation;
        self.evaluate(phis, &Rows { split, part })
    }

    /// Natural metric values of the candidates on every validation fold: one query each, however many folds.
    ///
    /// # Errors
    ///
    /// Those of the task and of the metric.
    pub fn observe(&self, phis: &[impl AsRef<[f32]>], folds: usize) -> Result<Vec<Observation>> {
        self.count(phis.len());
        let mut observations = vec![
            Observation {
                folds: Vec::with_capacity(folds)
            };
            phis.len()
        ];
        for index in 0..folds {
            let part = Part::Fold {
                index,
                count: folds,
            };
            let rows = Rows {
                split: Split::Validation,
                part,
            };
            let values = self.evaluate(phis, &rows).map_err(in_small_folds)?;
            for (observation, value) in observations.iter_mut().zip(values) {
                observation.folds.push(value);
            }
        }
        Ok(observations)
    }

    /// Copies the classification predictions of one adapter on a split.
    ///
    /// # Errors
    ///
    /// Those of the task, or if it yields another kind of predictions.
    pub fn classification(&self, phi: &[f32], split: Split) -> Result<OwnedClassification> {
        let mut owned = None;
        self.predict(&[phi], &Rows::all(split), &mut |_, views| {
            for views in views {
                owned = Some(Classification::from_views(views)?.to_owned());
            }
            Ok(())
        })?;
        owned.ok_or_else(|| Error::failed("the task emitted no prediction"))
    }

    /// The value on the whole validation split: one query.
    ///
    /// # Errors
    ///
    /// Those of the task and of the metric.
    pub fn validation(&self, phi: &[f32]) -> Result<f64> {
        let values = self.query(&[phi], Part::All)?;
        Ok(values.first().copied().unwrap_or_default())
    }

    /// The value on the test split; reported, never selected on, and so no query.
    ///
    /// # Errors
    ///
    /// Those of the task and of the metric.
    pub fn test(&self, phi: &[f32]) -> Result<f64> {
        let values = self.evaluate(&[phi], &Rows::all(Split::Test))?;
        Ok(values.first().copied().unwrap_or_default())
    }
}

/// A metric without a value on a fold may have one on a larger fold.
fn in_small_folds(error: Error) -> Error {
    match error.kind() {
        ErrorKind::Undefined => error.hint(
            "fewer folds hold more rows each: lower `observation.folds` or `finetune.accept_folds`",
        ),
        _ => error,
    }
}

/// A metric with its name and the place it is evaluated at.
pub struct MetricOn<'a> {
    metric: &'a dyn DynMetric,
    label: Arc<str>,
    place: String,
}

impl DynMetric for MetricOn<'_> {
    fn evaluate(&self, views: &Views<'_>, call: &Call<'_>) -> Result<f64> {
        foreign::call(&self.label, || self.metric.evaluate(views, call))
            .map_err(|error| self.explain(error))
    }

    fn evaluate_many(&self, candidates: &[Views<'_>], call: &Call<'_>) -> Option<Result<Vec<f64>>> {
        let values = foreign::call(&self.label, || {
            self.metric.evaluate_many(candidates, call).transpose()
        });
        Some(values.transpose()?.map_err(|error| self.explain(error)))
    }

    fn config(&self) -> serde_json::Value {
        self.metric.config()
    }
}

impl MetricOn<'_> {
    fn explain(&self, error: Error) -> Error {
        error.context(format!("{} on {}", self.label, self.place))
    }
}

fn describe(rows: &Rows) -> String {
    let split = rows.split.name();
    match rows.part {
        Part::All => format!("the {split} split"),
        Part::Fold { index, count } => format!("{split} fold {} of {count}", index + 1),
        Part::Sample { size, .. } => format!("{size} rows of the {split} split"),
    }
}
