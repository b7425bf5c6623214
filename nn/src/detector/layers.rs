//! What all detectors have in common.

use metricopt_sdk::Result;
use metricopt_sdk::tch::Tensor;

use crate::pass::Pass;

/// The layers of a detector and how they follow each other.
pub(super) trait Layers: Send + Sync {
    /// All that stands in front of the first FiLM site.
    fn stem(&self, pass: &Pass<'_>, images: &Tensor) -> Result<Tensor>;

    /// Logits `[N, A, classes]` and codes `[N, A, 4]`.
    fn heads(&self, pass: &Pass<'_>, stem: &Tensor) -> Result<[Tensor; 2]>;

    /// Names of the biases of the scores.
    fn score_biases(&self) -> Vec<String>;
}
