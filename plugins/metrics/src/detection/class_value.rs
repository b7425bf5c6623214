//! The value of a class, and the mean over the classes.

use metricopt_sdk::{Error, Result};

/// What a metric of detection says of one class.
#[derive(Clone, Debug, PartialEq)]
pub struct ClassValue {
    /// The class.
    pub label: i64,
    /// Its objects that are not difficult, at least 1.
    pub objects: usize,
    /// Boxes found of it.
    pub found: usize,
    /// The metric of this class alone.
    pub value: f64,
}

/// The mean over the classes that have a value.
pub(crate) fn mean(values: &[ClassValue]) -> Result<f64> {
    if values.is_empty() {
        return Err(Error::undefined("no objects that are not difficult"));
    }
    Ok(values.iter().map(|class| class.value).sum::<f64>() / values.len() as f64)
}
