//! One launcher at a time in `.libtorch/`.

use std::fs::{File, TryLockError};
use std::io;
use std::path::Path;
use std::process::Stdio;

use crate::error::{Error, Result};
use crate::say;

pub(crate) struct Lock(File);

impl Lock {
    /// Waits for another launcher. The lock ends with its holder, however that ends.
    pub(crate) fn acquire(directory: &Path) -> Result<Self> {
        let path = directory.join("lock");
        let failure = |source| Error::file("lock", &path, &source);
        let file = File::options()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .map_err(failure)?;
        match file.try_lock() {
            Err(TryLockError::WouldBlock) => {
                say::note(format_args!(
                    "waiting for another launcher that is busy in `{}`",
                    directory.display()
                ));
                file.lock().map_err(failure)?;
            }
            // A file system without locks: better to go on than to be of no use there.
            Err(TryLockError::Error(error)) if error.kind() == io::ErrorKind::Unsupported => {}
            Err(TryLockError::Error(error)) => return Err(failure(error)),
            Ok(()) => {}
        }
        Ok(Self(file))
    }

    /// The lock as the standard input of a child: always at its end, and held until the child ends too. An installation
    /// that outlives its killed launcher must not meet a second one.
    pub(crate) fn shared_with_child(&self) -> Stdio {
        self.0
            .try_clone()
            .map_or_else(|_| Stdio::null(), Stdio::from)
    }
}
