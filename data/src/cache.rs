//! Decoded pixels on disk, by the files they were made from.
//!
//! A file is 16 bytes `metricopt-pixels`; a version; the height and the width of the images and their number, `u64` little-endian
//! each; the pixels, `[N, 3, H, W]`; and the SHA-256 of all that. It can always be made again, so whatever is wrong with it is no
//! error.

use std::{
    fs::{self, File},
    io::{self, BufWriter, Write},
    path::{Path, PathBuf},
    sync::atomic::{AtomicU64, Ordering},
};

use metricopt_sdk::{Error, Result};
use sha2::{Digest, Sha256};

use crate::resize::CHANNELS;

const MAGIC: &[u8; 16] = b"metricopt-pixels";
/// Changes whenever the same files would give other pixels.
const VERSION: u64 = 1;
const HEADER: usize = 16 + 4 * 8;
const DIGEST: usize = 32;

/// How many files this process has begun to write.
static WRITTEN: AtomicU64 = AtomicU64::new(0);

/// Pixels of images of one size, `[N, 3, H, W]`.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Pixels {
    pub(crate) height: usize,
    pub(crate) width: usize,
    pub(crate) bytes: Vec<u8>,
}

/// What pixels are made from, as a name.
pub(crate) struct Key(Sha256);

impl Key {
    pub(crate) fn new() -> Self {
        Self(Sha256::new())
    }

    /// Adds one part; parts do not run into each other.
    pub(crate) fn add(&mut self, part: &[u8]) {
        self.0.update((part.len() as u64).to_le_bytes());
        self.0.update(part);
    }

    /// The file for it.
    pub(crate) fn path(self, folder: &Path) -> PathBuf {
        let digest = self.0.finalize();
        let name: String = digest
            .iter()
            .take(16)
            .map(|byte| format!("{byte:02x}"))
            .collect();
        folder.join("images").join(format!("{name}.pixels"))
    }
}

/// Reads `count` images; `None` if there is no such file or it is damaged.
pub(crate) fn read(path: &Path, count: usize) -> Option<Pixels> {
    let mut bytes = fs::read(path).ok()?;
    let (content, digest) = bytes.split_at_checked(bytes.len().checked_sub(DIGEST)?)?;
    if Sha256::digest(content).as_slice() != digest {
        return None;
    }
    let numbers = content.strip_prefix(MAGIC)?.as_chunks::<8>().0;
    let mut numbers = numbers.iter().map(|bytes| u64::from_le_bytes(*bytes));
    let version = numbers.next()?;
    let (height, width) = (numbers.next()? as usize, numbers.next()? as usize);
    let images = numbers.next()? as usize;
    let length = [height, width, CHANNELS]
        .iter()
        .try_fold(images, |all, &size| all.checked_mul(size))?;
    if version != VERSION || images != count || content.len() != HEADER + length {
        return None;
    }
    bytes.truncate(HEADER + length);
    bytes.drain(..HEADER);
    Some(Pixels {
        height,
        width,
        bytes,
    })
}

/// Writes a file beside and renames it, so that no reader sees half of it.
pub(crate) fn write(path: &Path, pixels: &Pixels, count: usize) -> Result<()> {
    let failed = |error: io::Error| {
        Error::failed(format!("cannot write the cache file `{}`: {error}", path.display()))
            .hint("point `METRICOPT_CACHE` at a writable folder, or set it to the empty string for no cache")
    };
    let mut header = MAGIC.to_vec();
    for number in [
        VERSION,
        pixels.height as u64,
        pixels.width as u64,
        count as u64,
    ] {
        header.extend(number.to_le_bytes());
    }
    let mut hash = Sha256::new();
    hash.update(&header);
    hash.update(&pixels.bytes);
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(failed)?;
    }
    // Two runs may write the same file, and so may two seeds of one run.
    let (process, number) = (std::process::id(), WRITTEN.fetch_add(1, Ordering::Relaxed));
    let temporary = path.with_extension(format!("{process}-{number}.tmp"));
    let written = File::create(&temporary)
        .and_then(|file| {
            let mut file = BufWriter::new(file);
            file.write_all(&header)?;
            file.write_all(&pixels.bytes)?;
            file.write_all(hash.finalize().as_slice())?;
            file.flush()
        })
        .and_then(|()| fs::rename(&temporary, path));
    written.map_err(|error| {
        // Nothing half-written stays behind; if even that fails, the first error says why.
        let _ = fs::remove_file(&temporary);
        failed(error)
    })
}
