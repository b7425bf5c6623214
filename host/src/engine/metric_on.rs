//! A metric that is asked somewhere: its errors say where.

use metricopt_sdk::{Call, Details, DynMetric, Error, Result, Views};
use std::sync::Arc;

use crate::foreign;

/// A metric with its name and the place it is evaluated at.
pub struct MetricOn<'a> {
    pub(super) metric: &'a dyn DynMetric,
    pub(super) label: Arc<str>,
    pub(super) place: String,
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

    fn unit_values(&self, views: &Views<'_>, call: &Call<'_>) -> Option<Result<Vec<(usize, f64)>>> {
        let values = foreign::call(&self.label, || {
            self.metric.unit_values(views, call).transpose()
        });
        Some(values.transpose()?.map_err(|error| self.explain(error)))
    }

    fn details(&self, views: &Views<'_>) -> Option<Result<Details>> {
        let details = foreign::call(&self.label, || self.metric.details(views).transpose());
        Some(details.transpose()?.map_err(|error| self.explain(error)))
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
