//! Files as streams of bytes, whether plain, gzip or xz.

use std::{
    fs::File,
    io::{self, BufRead, BufReader, ErrorKind, Read},
    path::{Path, PathBuf},
};

use flate2::bufread::MultiGzDecoder;
use lzma_rust2::XzReader;
use metricopt_sdk::{Error, Result};

/// The largest dictionary an xz file may ask for, in KiB; `xz -9` takes 64 MiB.
const XZ_MEMORY_KIB: u32 = 256 * 1024;

const BUFFER: usize = 1 << 17;

/// Opens a file, whose first bytes tell how it is compressed.
pub(crate) fn open(path: &Path) -> Result<Box<dyn BufRead + Send>> {
    let file = File::open(path).map_err(|error| unreadable(path, &error))?;
    let meta = file.metadata().map_err(|error| unreadable(path, &error))?;
    if meta.is_dir() {
        return Err(Error::data(format!(
            "`{}` is a folder, not a file",
            path.display()
        )));
    }
    decompress(BufReader::with_capacity(BUFFER, file)).map_err(|error| unreadable(path, &error))
}

/// Decompresses a stream, whose first bytes tell how.
pub(crate) fn decompress<'a>(
    mut stream: impl BufRead + Send + 'a,
) -> io::Result<Box<dyn BufRead + Send + 'a>> {
    let start = stream.fill_buf()?;
    if start.starts_with(&[0x1f, 0x8b]) {
        return Ok(buffered(MultiGzDecoder::new(stream)));
    }
    if start.starts_with(b"\xfd7zXZ\0") {
        return Ok(buffered(XzReader::new_mem_limit(
            stream,
            true,
            XZ_MEMORY_KIB,
        )));
    }
    Ok(Box::new(stream))
}

fn buffered<'a>(reader: impl Read + Send + 'a) -> Box<dyn BufRead + Send + 'a> {
    Box::new(BufReader::with_capacity(BUFFER, reader))
}

/// The whole of a file that may hold at most `limit` bytes once decompressed.
pub(crate) fn read(path: &Path, limit: u64) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    open(path)?
        .take(limit.saturating_add(1))
        .read_to_end(&mut bytes)
        .map_err(|error| unreadable(path, &error))?;
    if bytes.len() as u64 > limit {
        return Err(Error::data(format!(
            "`{}` holds more than the {limit} bytes that are expected",
            path.display()
        )));
    }
    Ok(bytes)
}

/// What a read error means to the user.
pub(crate) fn unreadable(path: &Path, error: &io::Error) -> Error {
    let shown = path.display();
    Error::data(match error.kind() {
        ErrorKind::NotFound => format!("`{shown}` does not exist"),
        ErrorKind::UnexpectedEof => format!("`{shown}` is cut off"),
        ErrorKind::OutOfMemory => format!(
            "`{shown}` needs more than {} MiB of memory to be decompressed",
            XZ_MEMORY_KIB / 1024
        ),
        ErrorKind::InvalidData | ErrorKind::InvalidInput => {
            format!("`{shown}` is damaged: {error}")
        }
        _ => format!("`{shown}` cannot be read: {error}"),
    })
}

/// The file of this name in a folder, plain or compressed.
pub(crate) fn find(folder: &Path, name: &str) -> Option<PathBuf> {
    ["", ".gz", ".xz"]
        .iter()
        .map(|suffix| folder.join(format!("{name}{suffix}")))
        .find(|path| path.is_file())
}
