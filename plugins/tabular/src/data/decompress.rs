//! Files as streams of bytes, whether plain, gzip or xz.

use std::{
    fs::File,
    io::{self, BufRead, BufReader, ErrorKind, Read},
    path::Path,
};

use flate2::bufread::MultiGzDecoder;
use lzma_rust2::XzReader;
use metricopt_sdk::{Error, Result};

/// The largest dictionary an xz file may ask for, in KiB; `xz -9` takes 64 MiB.
const XZ_MEMORY_KIB: u32 = 256 * 1024;

const BUFFER: usize = 1 << 17;

/// How a file is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Compression {
    Plain,
    Gzip,
    Xz,
}

impl Compression {
    /// What a read error means to the user.
    pub(super) fn explain(self, error: &io::Error) -> String {
        let name = match self {
            Compression::Plain => return format!("cannot be read: {error}"),
            Compression::Gzip => "gzip",
            Compression::Xz => "xz",
        };
        match error.kind() {
            ErrorKind::UnexpectedEof => format!("the {name} data is cut off"),
            ErrorKind::OutOfMemory => {
                format!(
                    "the {name} data needs more than {} MiB of memory",
                    XZ_MEMORY_KIB / 1024
                )
            }
            ErrorKind::InvalidData | ErrorKind::InvalidInput => {
                format!("the {name} data is damaged: {error}")
            }
            _ => format!("cannot be read: {error}"),
        }
    }
}

/// Opens a file and tells by its first bytes how it is compressed.
pub(super) fn open(path: &Path) -> Result<(Box<dyn BufRead>, Compression)> {
    let shown = path.display();
    let unreadable = |error: io::Error| match error.kind() {
        ErrorKind::NotFound => Error::data(format!("`{shown}` does not exist")),
        _ => Error::data(format!("`{shown}` cannot be read: {error}")),
    };
    let file = File::open(path).map_err(unreadable)?;
    if file.metadata().map_err(unreadable)?.is_dir() {
        return Err(Error::data(format!("`{shown}` is a folder, not a file")));
    }
    let mut file = BufReader::with_capacity(BUFFER, file);
    let start = file.fill_buf().map_err(unreadable)?;
    if start.is_empty() {
        return Err(Error::data(format!("`{shown}` is empty")));
    }
    if start.starts_with(&[0x1f, 0x8b]) {
        return Ok((buffered(MultiGzDecoder::new(file)), Compression::Gzip));
    }
    if start.starts_with(b"\xfd7zXZ\0") {
        let reader = XzReader::new_mem_limit(file, true, XZ_MEMORY_KIB);
        return Ok((buffered(reader), Compression::Xz));
    }
    let packed = [
        (&b"PK\x03\x04"[..], "a zip archive"),
        (b"BZh", "bzip2 data"),
        (b"\x28\xb5\x2f\xfd", "zstd data"),
        (b"7z\xbc\xaf\x27\x1c", "a 7z archive"),
    ];
    if let Some((_, what)) = packed.iter().find(|(magic, _)| start.starts_with(magic)) {
        return Err(Error::data(format!("`{shown}` is {what}"))
            .hint("unpack it first: plain text, gzip and xz are read directly"));
    }
    Ok((Box::new(file), Compression::Plain))
}

fn buffered(reader: impl Read + 'static) -> Box<dyn BufRead> {
    Box::new(BufReader::with_capacity(BUFFER, reader))
}
