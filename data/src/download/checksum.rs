//! Checksums of files against those that were published.

use std::{
    fs::File,
    io::{self, Read},
    path::Path,
};

use md5::Md5;
use metricopt_sdk::{Error, Result};
use sha2::{Digest, Sha256};

use crate::{catalogue::Checksum, stream};

const BUFFER: usize = 1 << 16;

/// Checks a file.
///
/// # Errors
///
/// If its checksum is another one; both are named.
pub(super) fn check(path: &Path, expected: Checksum, progress: &dyn Fn(u64)) -> Result<()> {
    let (kind, expected, found) = match expected {
        Checksum::Md5(expected) => ("MD5", expected, of_file::<Md5>(path, progress)?),
        Checksum::Sha256(expected) => ("SHA-256", expected, of_file::<Sha256>(path, progress)?),
    };
    if found == expected {
        return Ok(());
    }
    Err(Error::data(format!(
        "`{}` has the {kind} checksum {found}, but {expected} is published",
        path.display()
    )))
}

/// The SHA-256 checksum of a file.
pub(super) fn sha256(path: &Path) -> Result<String> {
    of_file::<Sha256>(path, &|_| {})
}

fn of_file<D: Digest>(path: &Path, progress: &dyn Fn(u64)) -> Result<String> {
    let unreadable = |error: io::Error| stream::unreadable(path, &error);
    let mut file = File::open(path).map_err(unreadable)?;
    let mut hash = D::new();
    let mut buffer = vec![0; BUFFER];
    let mut done = 0;
    loop {
        let count = file.read(&mut buffer).map_err(unreadable)?;
        if count == 0 {
            return Ok(hex(&hash.finalize()));
        }
        hash.update(buffer.get(..count).unwrap_or_default());
        done += count as u64;
        progress(done);
    }
}

/// Bytes in hexadecimal digits.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
