//! Work on rows in pieces that fit into the memory of a device.

use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::{Error, Result};

/// How much a task puts on a GPU at a time: a guess that is halved each time the device runs out of memory.
///
/// What was learned is kept: an opened task holds one and asks it for every call.
///
/// ```
/// use metricopt_sdk::DeviceMemory;
///
/// // Room for six numbers; a row takes two.
/// let memory = DeviceMemory::new(6);
/// assert_eq!(memory.each(7, 2, |rows| Ok(rows))?, [0..3, 3..6, 6..7]);
/// # Ok::<(), metricopt_sdk::Error>(())
/// ```
#[derive(Debug)]
pub struct DeviceMemory {
    values: AtomicUsize,
}

impl DeviceMemory {
    /// A first guess: so many values of intermediate tensors at a time.
    pub const fn new(values: usize) -> Self {
        Self {
            values: AtomicUsize::new(values),
        }
    }

    /// Calls `work` for consecutive ranges of `rows` rows, in order, each of at most as many rows as fit at `values_a_row`, at
    /// least one. Where the device runs out of memory, goes on with half as many from the same row, and logs a line.
    ///
    /// # Errors
    ///
    /// Those of `work`; that the device is out of memory only where one row is too much.
    pub fn each<T>(
        &self,
        rows: usize,
        values_a_row: usize,
        mut work: impl FnMut(Range<usize>) -> Result<T>,
    ) -> Result<Vec<T>> {
        let values_a_row = values_a_row.max(1);
        let mut done = Vec::new();
        let mut start = 0;
        while start < rows {
            let most = (self.values.load(Ordering::Relaxed) / values_a_row).max(1);
            let count = most.min(rows - start);
            match work(start..start + count) {
                Err(error) if is_out_of_memory(&error) => {
                    if count == 1 {
                        return Err(error.hint("not even one row fits: ask for fewer candidates (`finetune.es.pairs`) or smaller minibatches (`finetune.batch_size`), or use `--device cpu`"));
                    }
                    let half = count / 2;
                    tracing::warn!(
                        "the device is out of memory with {count} rows at a time: going on with {half}"
                    );
                    self.values
                        .fetch_min(half.saturating_mul(values_a_row), Ordering::Relaxed);
                }
                found => {
                    done.push(found?);
                    start += count;
                }
            }
        }
        Ok(done)
    }
}

/// Whether this is what libtorch says when a device has no memory left; it has no error of its own for that.
fn is_out_of_memory(error: &Error) -> bool {
    error.to_string().contains("out of memory")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A device that takes so many rows at a time and keeps every range that it was given.
    fn worked(
        memory: &DeviceMemory,
        rows: usize,
        fits: usize,
    ) -> (Result<Vec<usize>>, Vec<Range<usize>>) {
        let mut asked = Vec::new();
        let result = memory.each(rows, 10, |range| {
            asked.push(range.clone());
            if range.len() > fits {
                // The words of PyTorch's allocator.
                return Err(Error::failed(
                    "libtorch: CUDA out of memory. Tried to allocate 2.00 GiB.",
                ));
            }
            Ok(range.len())
        });
        (result, asked)
    }

    #[test]
    fn half_as_many_from_the_same_row_until_they_fit() {
        let memory = DeviceMemory::new(80);
        let (result, asked) = worked(&memory, 10, 3);
        assert_eq!(asked, [0..8, 0..4, 0..2, 2..4, 4..6, 6..8, 8..10]);
        assert_eq!(result.unwrap(), [2, 2, 2, 2, 2]);
        // The next call begins with what fitted.
        let (result, asked) = worked(&memory, 5, 3);
        assert_eq!(asked, [0..2, 2..4, 4..5]);
        assert_eq!(result.unwrap().iter().sum::<usize>(), 5);
    }

    #[test]
    fn one_row_that_does_not_fit_is_an_error_with_advice() {
        let (result, asked) = worked(&DeviceMemory::new(40), 4, 0);
        let error = result.unwrap_err();
        assert_eq!(asked, [0..4, 0..2, 0..1]);
        assert!(error.to_string().contains("out of memory"), "{error}");
        assert!(
            error
                .hints()
                .iter()
                .any(|hint| hint.contains("--device cpu"))
        );
    }

    #[test]
    fn other_errors_end_the_work() {
        let memory = DeviceMemory::new(80);
        let mut calls = 0;
        let result: Result<Vec<()>> = memory.each(20, 10, |_| {
            calls += 1;
            Err(Error::failed("the shape does not fit"))
        });
        assert!(result.unwrap_err().to_string().contains("shape"));
        assert_eq!(calls, 1);
    }

    #[test]
    fn a_row_that_is_larger_than_the_guess_goes_alone_and_no_rows_are_no_work() {
        let memory = DeviceMemory::new(4);
        let (result, asked) = worked(&memory, 2, 1);
        assert_eq!(asked, [0..1, 1..2]);
        assert_eq!(result.unwrap().len(), 2);
        assert!(worked(&memory, 0, 1).1.is_empty());
    }
}
