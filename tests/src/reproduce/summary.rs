//! What is read of a `summary.json`.

use anyhow::{Context, Result};
use serde::Deserialize;

/// The part of a `summary.json` that the tables need.
#[derive(Clone, Debug, Deserialize)]
pub struct Summary {
    /// The metric that was tuned for.
    pub metric: Metric,
    /// The table.
    pub methods: Vec<Method>,
    /// Whether the tuned adapter passed the acceptance test.
    pub accepted: bool,
    /// The tuned adapter before acceptance.
    pub tuned: Tuned,
    /// Agreement of the value function.
    pub value_function: ValueFunction,
}

/// The metric of a run.
#[derive(Clone, Debug, Deserialize)]
pub struct Metric {
    /// Which way it improves.
    pub direction: Direction,
}

/// Which way the metric improves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Direction {
    /// Lower is better.
    Minimise,
    /// Higher is better.
    Maximise,
}

/// One row of the table.
#[derive(Clone, Debug, Deserialize)]
pub struct Method {
    /// Its name.
    pub name: String,
    /// Natural metric value on the test split.
    pub test: f64,
    /// Metric queries it took.
    pub queries: u64,
    /// Wall-clock seconds it took.
    pub seconds: f64,
}

/// The tuned adapter before acceptance.
#[derive(Clone, Debug, Deserialize)]
pub struct Tuned {
    /// The best on validation.
    pub best: Reading,
    /// The last step.
    pub last: Reading,
}

/// Values of one adapter.
#[derive(Clone, Debug, Deserialize)]
pub struct Reading {
    /// Natural metric value on the test split.
    pub test: f64,
}

/// Agreement of the value function on held-out trajectories.
#[derive(Clone, Debug, Deserialize)]
pub struct ValueFunction {
    /// Spearman's.
    pub rank_correlation: Option<f64>,
    /// Pearson's.
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
