//! The metric under test, and what a call of it may come to.

use serde_json::Value;
use std::sync::{Arc, Mutex, PoisonError};

use super::Sample;
use crate::{Call, DynMetric, Error, ErrorKind, MetricEntry, Views, panics};

/// A metric under test.
pub(crate) struct Subject<'a> {
    pub(crate) entry: &'a MetricEntry,
    metric: &'a dyn DynMetric,
    config: Value,
    /// In place of one that panicked, which must not be called again.
    fresh: Mutex<Option<Arc<dyn DynMetric>>>,
}

/// What a call came to.
#[derive(Clone, Debug)]
pub(crate) enum Outcome {
    /// A value within the range.
    Value(f64),
    /// The metric says that it has none here.
    NoValue(Error),
    /// What no metric may do.
    Fault(String),
}

impl Outcome {
    pub(crate) fn value(&self) -> Option<f64> {
        match self {
            Self::Value(value) => Some(*value),
            _ => None,
        }
    }

    /// For messages about a difference.
    pub(crate) fn describe(&self) -> String {
        match self {
            Self::Value(value) => value.to_string(),
            Self::NoValue(error) => format!("no value ({error})"),
            Self::Fault(fault) => fault.clone(),
        }
    }
}

const NEVER: &(dyn Fn() -> bool + Sync) = &|| false;

impl<'a> Subject<'a> {
    pub(crate) fn new(entry: &'a MetricEntry, metric: &'a dyn DynMetric) -> Self {
        Self {
            entry,
            metric,
            config: metric.config(),
            fresh: Mutex::new(None),
        }
    }

    /// Calls the metric, or a new one if it panicked before.
    fn call<T>(&self, call: impl FnOnce(&dyn DynMetric) -> T) -> Result<T, String> {
        let lock = || self.fresh.lock().unwrap_or_else(PoisonError::into_inner);
        let fresh = lock().clone();
        let metric = fresh.as_deref().unwrap_or(self.metric);
        panics::catch(|| call(metric)).map_err(|panic| {
            if let Ok(metric) = self.entry.create(&self.config) {
                *lock() = Some(Arc::from(metric));
            }
            format!("panicked: {} (at {})", panic.message, panic.location)
        })
    }

    pub(crate) fn evaluate(&self, sample: &Sample) -> Outcome {
        self.evaluate_on(sample, 1)
    }

    /// The value when the call may use that many threads.
    pub(crate) fn evaluate_on(&self, sample: &Sample, threads: usize) -> Outcome {
        let call = Call {
            threads,
            cancelled: NEVER,
        };
        let result = self.call(|metric| sample.with_views(|views| metric.evaluate(views, &call)));
        match result {
            Err(panic) => Outcome::Fault(panic),
            Ok(Ok(value)) => match self.within(value) {
                Ok(value) => Outcome::Value(value),
                Err(fault) => Outcome::Fault(fault),
            },
            Ok(Err(error)) => match error.kind() {
                ErrorKind::Undefined | ErrorKind::Data | ErrorKind::Unsupported => {
                    Outcome::NoValue(error)
                }
                _ => Outcome::Fault(error.to_string()),
            },
        }
    }

    /// The values of all samples in one call, if the metric has a form of its own for that.
    pub(crate) fn evaluate_many(&self, samples: &[&Sample]) -> Option<Result<Vec<f64>, String>> {
        let call = Call {
            threads: 1,
            cancelled: NEVER,
        };
        let tensors: Vec<_> = samples.iter().map(|sample| sample.views()).collect();
        let views: Vec<_> = tensors.iter().map(|tensors| Views::new(tensors)).collect();
        let result = self.call(|metric| metric.evaluate_many(&views, &call));
        match result {
            Err(panic) => Some(Err(panic)),
            Ok(None) => None,
            Ok(Some(values)) => Some(match values {
                Ok(values) => values.into_iter().map(|value| self.within(value)).collect(),
                Err(error) => Err(error.to_string()),
            }),
        }
    }

    /// Holds a metric that was not written in Rust to its range too.
    fn within(&self, value: f64) -> Result<f64, String> {
        self.entry.within(value).map_err(|error| error.to_string())
    }
}
