//! What the metric said of one adapter.

use super::statistics::mean;

/// One observation: the metric on each validation fold.
#[derive(Clone, Debug, PartialEq)]
pub struct Observation {
    /// Natural value on each fold.
    pub folds: Vec<f64>,
}

impl Observation {
    /// Mean over the folds.
    pub fn mean(&self) -> f64 {
        mean(&self.folds)
    }
}
