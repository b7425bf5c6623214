//! Small helpers for tensors.

use metricopt_sdk::tch::{Device, Tensor};
use metricopt_sdk::{Result, SharedTensor};

/// Tensors that nobody writes, shared between threads.
pub(crate) struct Shared(Vec<SharedTensor>);

impl Shared {
    pub(crate) fn new(tensors: Vec<Tensor>) -> Self {
        Self(tensors.into_iter().map(SharedTensor::new).collect())
    }

    /// The same tensors, for the calling thread.
    pub(crate) fn get(&self) -> Vec<Tensor> {
        self.0.iter().map(SharedTensor::get).collect()
    }
}

/// `[N, C, H, W]` with the channels innermost in memory where that is faster: on the CPU.
///
/// Nothing is copied if it is so already.
pub(crate) fn channels_last(tensor: &Tensor) -> Result<Tensor> {
    if tensor.device() != Device::Cpu {
        return Ok(tensor.shallow_clone());
    }
    Ok(tensor
        .f_permute([0, 2, 3, 1])?
        .f_contiguous()?
        .f_permute([0, 3, 1, 2])?)
}

/// The images of a stem `[N, ..]` for each of `P` candidates, one candidate after the other: `[P * N, ..]`.
pub(crate) fn for_each(candidates: i64, stem: &Tensor) -> Result<Tensor> {
    let mut repeats = vec![1; stem.dim()];
    if let Some(first) = repeats.first_mut() {
        *first = candidates;
    }
    Ok(stem.f_repeat(&repeats)?)
}
