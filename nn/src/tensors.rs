//! Small helpers for tensors.

use metricopt_sdk::Result;
use metricopt_sdk::tch::{Device, Tensor};
use std::sync::Mutex;

/// Tensors that nobody writes, shared between threads: the lock is held only to add one to each reference count.
pub(crate) struct Shared(Mutex<Vec<Tensor>>);

impl Shared {
    pub(crate) fn new(tensors: Vec<Tensor>) -> Self {
        Self(Mutex::new(tensors))
    }

    /// The same tensors, for the calling thread.
    pub(crate) fn get(&self) -> Vec<Tensor> {
        let guard = self
            .0
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        guard.iter().map(Tensor::shallow_clone).collect()
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
