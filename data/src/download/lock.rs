//! One process at a time for each data set.

use std::{
    fs::{File, TryLockError},
    path::Path,
};

use metricopt_sdk::Result;

use super::cannot;

/// Held as long as it lives, and no longer than the process.
pub(super) struct Lock {
    _file: File,
}

impl Lock {
    /// Takes the lock; calls `waiting` once if another process has it.
    pub(super) fn take(path: &Path, waiting: &dyn Fn()) -> Result<Self> {
        let failed = |error: std::io::Error| cannot("lock", path, &error);
        let file = File::create(path).map_err(failed)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                waiting();
                file.lock().map_err(failed)?;
            }
            Err(TryLockError::Error(error)) => return Err(failed(error)),
        }
        Ok(Self { _file: file })
    }
}
