//! Asking the true metric: candidates in, values out, every query counted.

use metricopt_sdk::tch::{Device, Tensor};
use metricopt_sdk::{
    Batch, Call, Classification, Direction, DynMetric, DynTask, Error, ErrorKind,
    OwnedClassification, Part, Predictions, Result, Rows, Split, View, Views,
};
use rayon::prelude::*;
use std::cell::{Cell, RefCell};
use std::sync::Arc;

use super::memory::{self, Memory};
use super::metric_on::MetricOn;
use super::observation::Observation;
use super::past::{Past, Stored};
use super::predictions::{self, Emitted, Keeper};
use crate::numbers::OwnedTensor;

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
    /// Most queries that may be asked, if there is a bound.
    pub most_queries: Option<u64>,
    /// Evaluations of the network so far: adapters, once for each set of rows they are asked for. An answer that a
    /// resumed run remembers counts as in the run that asked; what an earlier run stored does not count.
    pub evaluations: Cell<u64>,
    /// Those of the evaluations that were loss gradients.
    pub loss_gradients: Cell<u64>,
    /// Keeps predictions on the validation split while there is one.
    pub keeper: RefCell<Option<Keeper>>,
    /// What is taken from an earlier run.
    pub past: Past<'a>,
    /// What was answered before.
    pub memory: &'a dyn Memory,
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

    /// Calls `each` with the predictions of every candidate, in groups as the task emits them; what an earlier run
    /// stored is not asked for.
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
        if let Some(stored) = self.stored_predictions(phis, rows) {
            return show_all(&stored, each);
        }
        self.count_evaluations(phis.len());
        self.task
            .predict(&self.tensor(phis)?, rows, &self.call, each)
    }

    fn count_evaluations(&self, adapters: usize) {
        self.evaluations
            .set(self.evaluations.get() + adapters as u64);
    }

    fn stored(&self, rows: &Rows) -> Option<&Stored> {
        match self.past {
            Past::Trajectories(stored) if rows.split == Split::Validation => Some(stored),
            _ => None,
        }
    }

    /// Predictions that an earlier run stored, if it did for all of these adapters.
    fn stored_predictions(&self, phis: &[impl AsRef<[f32]>], rows: &Rows) -> Option<Vec<Emitted>> {
        let kept = self.stored(rows)?.predictions.as_ref()?;
        phis.iter()
            .map(|phi| kept.find(phi.as_ref(), rows.part))
            .collect()
    }

    /// Values of the same metric that an earlier run stored, if it did for all of these adapters.
    fn stored_values(&self, phis: &[impl AsRef<[f32]>], rows: &Rows) -> Option<Vec<f64>> {
        let stored = self.stored(rows)?;
        phis.iter()
            .map(|phi| stored.value(phi.as_ref(), rows.part))
            .collect()
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
        self.count_evaluations(phis.len());
        self.loss_gradients
            .set(self.loss_gradients.get() + phis.len() as u64);
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

    /// Natural metric values of the candidates; counts no query.
    fn evaluate(&self, phis: &[impl AsRef<[f32]>], rows: &Rows) -> Result<Vec<f64>> {
        self.call.check()?;
        let key = memory::values_key(phis, rows);
        if let Some(answer) = self.memory.recall(&key)?
            && let Some((known, _)) = memory::decode(&answer, phis.len(), 0)
            && self.keep_again(phis, rows)?
        {
            if self.stored_predictions(phis, rows).is_none() {
                self.count_evaluations(phis.len());
            }
            return Ok(known);
        }
        let values = self.evaluate_anew(phis, rows)?;
        self.memory.keep(&key, &memory::encode(&values, &[]))?;
        Ok(values)
    }

    fn evaluate_anew(&self, phis: &[impl AsRef<[f32]>], rows: &Rows) -> Result<Vec<f64>> {
        let mut values = vec![0.0; phis.len()];
        let metric = self.metric_on(describe(rows));
        let mut copies: Vec<Option<Emitted>> = vec![None; phis.len()];
        let keeps = self.keeps(rows);
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
            if keeps {
                for (copy, views) in copies[first..].iter_mut().zip(views) {
                    *copy = predictions::copy(views).ok();
                }
            }
            Ok(())
        })?;
        if keeps {
            self.keep(phis, rows, copies.into_iter().collect())?;
        }
        Ok(values)
    }

    /// Whether predictions on these rows are kept.
    fn keeps(&self, rows: &Rows) -> bool {
        rows.split == Split::Validation
            && self.keeper.borrow().as_ref().is_some_and(Keeper::is_open)
    }

    /// Keeps predictions, in memory before their values: whoever remembers the values then remembers these too.
    fn keep(
        &self,
        phis: &[impl AsRef<[f32]>],
        rows: &Rows,
        copies: Option<Vec<Emitted>>,
    ) -> Result<()> {
        let mut keeper = self.keeper.borrow_mut();
        let Some(keeper) = keeper.as_mut() else {
            return Ok(());
        };
        match copies {
            Some(copies) => {
                if let Ok(answer) = predictions::encode(&copies) {
                    let key = memory::predictions_key(phis, rows);
                    self.memory.keep(&key, &answer)?;
                }
                keeper.add(phis, rows.part, copies);
            }
            None => keeper.close("they hold tensors of a type that cannot be kept".to_owned()),
        }
        Ok(())
    }

    /// Keeps predictions that an interrupted run was given, if any are to be kept; whether they are there.
    fn keep_again(&self, phis: &[impl AsRef<[f32]>], rows: &Rows) -> Result<bool> {
        if !self.keeps(rows) {
            return Ok(true);
        }
        let answer = self.memory.recall(&memory::predictions_key(phis, rows))?;
        let Some(known) = answer.and_then(|answer| predictions::decode(&answer, phis.len())) else {
            return Ok(false);
        };
        if let Some(keeper) = self.keeper.borrow_mut().as_mut() {
            keeper.add(phis, rows.part, known);
        }
        Ok(true)
    }

    /// The metric, whose errors and panics say that they are its own and where they came up.
    pub fn metric_on(&self, place: impl Into<String>) -> MetricOn<'_> {
        MetricOn {
            metric: self.metric,
            label: self.metric_label.clone(),
            place: place.into(),
        }
    }

    /// Counts queries that are about to be asked.
    ///
    /// # Errors
    ///
    /// If they would exceed the bound; nothing is counted then. Whoever asks sees to it before that they fit.
    pub fn count(&self, queries: u64) -> Result<()> {
        let total = self.queries.get() + queries;
        if let Some(most) = self.most_queries.filter(|&most| total > most) {
            return Err(Error::failed(format!(
                "query {total} of the metric would exceed the bound of {most}"
            )));
        }
        self.queries.set(total);
        Ok(())
    }

    /// How many queries may still be asked; none for no bound.
    pub fn remaining(&self) -> Option<u64> {
        Some(self.most_queries?.saturating_sub(self.queries.get()))
    }

    /// Whether so many queries may still be asked.
    pub fn affords(&self, queries: u64) -> bool {
        self.remaining()
            .is_none_or(|remaining| queries <= remaining)
    }

    /// Natural metric values of the candidates on a part of the validation split: one query each, but for values that an
    /// earlier run stored.
    ///
    /// # Errors
    ///
    /// Those of the task and of the metric, or that the bound on queries would be exceeded.
    pub fn query(&self, phis: &[impl AsRef<[f32]>], part: Part) -> Result<Vec<f64>> {
        let split = Split::Validation;
        let rows = Rows { split, part };
        if let Some(values) = self.stored_values(phis, &rows) {
            return Ok(values);
        }
        self.count(phis.len() as u64)?;
        self.evaluate(phis, &rows)
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

    /// Natural metric values of the candidates on every validation fold: one query each, however many folds, but for
    /// values that an earlier run stored.
    ///
    /// # Errors
    ///
    /// Those of the task and of the metric, or that the bound on queries would be exceeded.
    pub fn observe(&self, phis: &[impl AsRef<[f32]>], folds: usize) -> Result<Vec<Observation>> {
        let stored = match self.past {
            Past::Trajectories(stored) => phis
                .iter()
                .map(|phi| stored.observation(phi.as_ref(), folds))
                .collect(),
            _ => None,
        };
        if let Some(stored) = stored {
            return Ok(stored);
        }
        self.count(phis.len() as u64)?;
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

    /// Calls `each` with the predictions of one adapter on the test split.
    ///
    /// # Errors
    ///
    /// Those of the task and of `each`, or that the user asked to stop.
    pub fn on_test(
        &self,
        phi: &[f32],
        each: &mut dyn FnMut(&Views<'_>) -> Result<()>,
    ) -> Result<()> {
        self.call.check()?;
        self.predict(&[phi], &Rows::all(Split::Test), &mut |_, views| {
            views.iter().try_for_each(&mut *each)
        })
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

/// Calls `each` with predictions that are all at hand.
fn show_all(
    predictions: &[Emitted],
    each: &mut dyn FnMut(usize, &[Views<'_>]) -> Result<()>,
) -> Result<()> {
    let views: Result<Vec<Vec<View<'_>>>> = predictions
        .iter()
        .map(|tensors| tensors.iter().map(OwnedTensor::view).collect())
        .collect();
    let views = views?;
    let views: Vec<Views<'_>> = views.iter().map(|tensors| Views::new(tensors)).collect();
    each(0, &views)
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

fn describe(rows: &Rows) -> String {
    let split = rows.split.name();
    match rows.part {
        Part::All => format!("the {split} split"),
        Part::Fold { index, count } => format!("{split} fold {} of {count}", index + 1),
        Part::Sample { size, .. } => format!("{size} rows of the {split} split"),
    }
}
