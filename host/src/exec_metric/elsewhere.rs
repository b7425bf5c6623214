//! Where there are no process groups and no pipes to wait for.

use metricopt_sdk::{DynMetric, Error, MetricEntry, Result};
use serde_json::Value;

/// Starts nothing.
///
/// # Errors
///
/// Always.
pub fn start(_: &Value) -> Result<(MetricEntry, Box<dyn DynMetric>)> {
    Err(Error::unsupported(
        "programs as metrics need Linux, macOS or another Unix",
    ))
}

/// There are none.
pub fn kill_all() {}
