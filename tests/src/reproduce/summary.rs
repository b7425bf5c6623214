//! What is read of a `summary.json`.

use anyhow::{Context, Result};
use serde::Deserialize;

/// The part of a `summary.json` that the tables need.
#[derive(Clone, Debug, Deserialize)]
#[expect(missing_docs, reason = "named as in the file")]
pub struct Summary {
    pub metric: Metric,
    pub methods: Vec<Method>,
    pub accepted: bool,
    pub tuned: Tuned,
    pub value_function: ValueFunction,
}

/// The metric of a run.
#[derive(Clone, Debug, Deserialize)]
#[expect(missing_docs, reason = "named as in the file")]
pub struct Metric {
    pub direction: Direction,
}

/// Which way the metric improves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
#[expect(missing_docs, reason = "named as in the file")]
pub enum Direction {
    Minimise,
    Maximise,
}

/// One row of the table.
#[derive(Clone, Debug, Deserialize)]
#[expect(missing_docs, reason = "named as in the file")]
pub struct Method {
    pub name: String,
    pub test: f64,
    pub queries: u64,
    pub seconds: f64,
}

/// The tuned adapter before acceptance.
#[derive(Clone, Debug, Deserialize)]
#[expect(missing_docs, reason = "named as in the file")]
pub struct Tuned {
    pub best: Reading,
    pub last: Reading,
}

/// Values of one adapter.
#[derive(Clone, Debug, Deserialize)]
#[expect(missing_docs, reason = "named as in the file")]
pub struct Reading {
    pub test: f64,
}

/// Agreement of the value function on held-out trajectories.
#[derive(Clone, Debug, Deserialize)]
#[expect(missing_docs, reason = "named as in the file")]
pub struct ValueFunction {
    pub rank_correlation: Option<f64>,
    pub correlation: Option<f64>,
}

impl Summary {
    /// The row of a method.
    ///
    /// # Errors
    ///
    /// If there is none.
    pub fn method(&self, name: &str) -> Result<&Method> {
        self.methods
            .iter()
            .find(|method| method.name == name)
            .with_context(|| format!("`summary.json` has no method `{name}`"))
    }

    /// A metric value as error in percentage points: lower is better.
    pub fn error(&self, value: f64) -> f64 {
        100.0
            * match self.metric.direction {
                Direction::Minimise => value,
                Direction::Maximise => 1.0 - value,
            }
    }

    /// Test error of a method in percentage points.
    ///
    /// # Errors
    ///
    /// If there is no such method.
    pub fn test_error(&self, method: &str) -> Result<f64> {
        Ok(self.error(self.method(method)?.test))
    }
}
