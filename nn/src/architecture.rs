//! What all networks have in common.

use metricopt_sdk::Result;
use metricopt_sdk::tch::Tensor;

use crate::layers::{global_average, relu};
use crate::pass::Pass;

/// The layers of a network and how they follow each other.
pub(crate) trait Architecture: Send + Sync {
    /// All that stands in front of the first normalisation.
    fn stem(&self, pass: &Pass<'_>, images: &Tensor) -> Result<Tensor>;

    /// Outputs of the stages, the finest first.
    fn maps(&self, pass: &Pass<'_>, stem: &Tensor) -> Result<Vec<Tensor>>;

    /// The embedding `[N, F]` of the last map.
    fn features(&self, map: &Tensor) -> Result<Tensor> {
        global_average(map)
    }

    /// Logits `[N, classes]` of embeddings.
    fn classify(&self, pass: &Pass<'_>, features: &Tensor) -> Result<Tensor>;
}

/// A residual sum and its ReLU.
pub(crate) fn residual(mut x: Tensor, shortcut: &Tensor) -> Result<Tensor> {
    relu(x.f_add_(shortcut)?)
}
