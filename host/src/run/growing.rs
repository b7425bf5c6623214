//! A file that grows by whole records.

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// A file that nobody ever sees with half a record at its end, unless the machine stops.
#[derive(Debug)]
pub(super) struct GrowingFile {
    path: PathBuf,
    file: File,
    pending: Vec<u8>,
    /// Bytes of whole records in the file.
    written: u64,
}

impl GrowingFile {
    /// Pending bytes beyond which they are written.
    const CAPACITY: usize = 1 << 16;

    /// Creates it; there must be none yet.
    pub(super) fn create(path: PathBuf) -> io::Result<Self> {
        Ok(Self {
            file: File::create_new(&path)?,
            path,
            pending: Vec::new(),
            written: 0,
        })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Adds a whole record, on disk at the next flush or before.
    pub(super) fn push(&mut self, record: &[u8]) -> io::Result<()> {
        self.pending.extend_from_slice(record);
        if self.pending.len() > Self::CAPACITY {
            self.flush()
        } else {
            Ok(())
        }
    }

    pub(super) fn flush(&mut self) -> io::Result<()> {
        let result = self.file.write_all(&self.pending);
        match &result {
            Ok(()) => self.written += self.pending.len() as u64,
            // A full disk may have taken half a record: cut it off. What does not fit is lost, as the error says.
            Err(_) => self.file.set_len(self.written)?,
        }
        self.pending.clear();
        result
    }
}
