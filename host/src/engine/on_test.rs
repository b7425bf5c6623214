//! Finished models on the test split: their values, and how sure the differences between them are.

use metricopt_sdk::{DynMetric, Kind, Result, Split};

use super::bootstrap::{self, Boxes, Queries, Units, images_of};
use super::metric_on::MetricOn;
use super::observe::Observer;
use super::threshold;

/// Models on the test split, which nothing selects on.
pub struct OnTest<'a> {
    observer: &'a Observer<'a>,
    kind: Kind,
    metric: MetricOn<'a>,
    values: Vec<f64>,
    /// What samples of the predictions are drawn from; none of predictions that cannot be drawn again.
    units: Vec<Box<dyn Units>>,
    /// The same of detection, whose units are known once all models are there.
    boxes: Vec<Boxes>,
}

impl<'a> OnTest<'a> {
    /// Without models yet; `kind` is what the task yields.
    pub fn new(observer: &'a Observer<'a>, kind: Kind) -> Self {
        Self {
            observer,
            kind,
            metric: observer.metric_on("the test split"),
            values: Vec::new(),
            units: Vec::new(),
            boxes: Vec::new(),
        }
    }

    /// Measures a model: its natural metric value. `threshold` moves the scores of a binary classification, 0.5 leaves them.
    ///
    /// # Errors
    ///
    /// Those of the task and the metric.
    pub fn add(&mut self, phi: &[f32], threshold: f64) -> Result<f64> {
        let (observer, metric) = (self.observer, &self.metric);
        let call = &observer.call;
        let mut value = f64::NAN;
        match self.kind {
            Kind::Classification => {
                let scores = observer.classification(phi, Split::Test)?;
                let scores = threshold::apply(&scores, threshold)?;
                value = scores.with_views(|views| metric.evaluate(views, call))?;
                self.units.push(Box::new(scores));
            }
            Kind::Retrieval => observer.on_test(phi, &mut |views| {
                value = metric.evaluate(views, call)?;
                self.units
                    .push(Box::new(Queries::new(views, metric, call)?));
                Ok(())
            })?,
            Kind::Detection => observer.on_test(phi, &mut |views| {
                value = metric.evaluate(views, call)?;
                self.boxes.push(Boxes::new(views)?);
                Ok(())
            })?,
            _ => value = observer.test(phi)?,
        }
        self.values.push(value);
        Ok(value)
    }

    /// The values in the order in which the models came.
    pub fn values(&self) -> &[f64] {
        &self.values
    }

    /// 95 % intervals of the difference of every model to that at place `reference`, by the paired bootstrap of
    /// [`bootstrap::intervals`]; `None` where predictions cannot be drawn again or `samples` is 0.
    ///
    /// # Errors
    ///
    /// Those of the metric, or that the user asked to stop.
    pub fn intervals(
        self,
        reference: usize,
        samples: usize,
        seed: u64,
    ) -> Result<Option<Vec<[f64; 2]>>> {
        let mut units = self.units;
        let images = images_of(&self.boxes);
        for boxes in self.boxes {
            units.push(Box::new(boxes.on(&images)));
        }
        let mut models: Vec<&dyn Units> = units.iter().map(Box::as_ref).collect();
        if reference >= models.len() {
            return Ok(None);
        }
        let base = models.remove(reference);
        let mut intervals = bootstrap::intervals(
            &self
                .observer
                .metric_on("a bootstrap sample of the test split"),
            base,
            &models,
            samples,
            seed,
            self.observer.pool,
            &self.observer.call,
        )?;
        if let Some(intervals) = &mut intervals {
            // A model differs from itself by nothing.
            intervals.insert(reference, [0.0, 0.0]);
        }
        Ok(intervals)
    }
}
