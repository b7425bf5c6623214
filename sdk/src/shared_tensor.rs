//! Tensors that several threads read.

use std::sync::{Mutex, PoisonError};
use tch::Tensor;

/// A tensor that nobody writes, shared between threads: a handle of `tch` may move from one thread to another but not be used
/// by two. The lock is held only to add one to a reference count, and nothing is copied.
///
/// ```
/// use metricopt_sdk::{SharedTensor, tch::Tensor};
///
/// let shared = SharedTensor::new(Tensor::from_slice(&[1.0_f32, 2.0]));
/// let of_thread = || f64::try_from(shared.get().sum(None)).ok();
/// let sums = std::thread::scope(|scope| [0, 1].map(|_| scope.spawn(of_thread)).map(|thread| thread.join().ok().flatten()));
/// assert_eq!(sums, [Some(3.0), Some(3.0)]);
/// ```
#[derive(Debug)]
pub struct SharedTensor(Mutex<Tensor>);

impl SharedTensor {
    /// Takes the tensor, which must not be written through any other handle.
    pub const fn new(tensor: Tensor) -> Self {
        Self(Mutex::new(tensor))
    }

    /// The same tensor, for the calling thread.
    pub fn get(&self) -> Tensor {
        let guard = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        guard.shallow_clone()
    }
}
