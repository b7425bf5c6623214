//! Text files line by line, with the place for messages.

use std::{
    io::{BufRead, Read},
    path::{Path, PathBuf},
};

use metricopt_sdk::{Error, Result};

use super::decompress::{self, Compression};

/// The longest line, in bytes: enough for any row we hold, little enough for a file without line ends.
const LONGEST: u64 = 1 << 24;

/// The lines of a file.
pub(super) struct Lines {
    path: PathBuf,
    reader: Box<dyn BufRead>,
    compression: Compression,
    buffer: Vec<u8>,
    number: u64,
}

/// Where in a file something is.
#[derive(Clone, Copy)]
pub(super) struct Place<'a> {
    path: &'a Path,
    number: u64,
}

impl Place<'_> {
    /// An error at this line.
    pub(super) fn error(&self, message: impl std::fmt::Display) -> Error {
        Error::data(format!(
            "`{}` line {}: {message}",
            self.path.display(),
            self.number
        ))
    }
}

impl Lines {
    /// Opens a file that ought to be text.
    pub(super) fn open(path: &Path) -> Result<Self> {
        let (mut reader, compression) = decompress::open(path)?;
        let shown = path.display();
        let start = reader
            .fill_buf()
            .map_err(|error| Error::data(format!("`{shown}`: {}", compression.explain(&error))))?;
        if start.is_empty() {
            return Err(Error::data(format!("`{shown}` is empty")));
        }
        if start.starts_with(b"\xff\xfe") || start.starts_with(b"\xfe\xff") {
            return Err(Error::data(format!("`{shown}` is UTF-16 text")).hint("save it as UTF-8"));
        }
        if start.contains(&0) {
            return Err(Error::data(format!("`{shown}` is not a text file")));
        }
        if start.trim_ascii_start().starts_with(b"<") {
            return Err(
                Error::data(format!("`{shown}` is a web page or XML, not a table"))
                    .hint("a failed download often leaves a page with the reason: look into it"),
            );
        }
        if start.starts_with(b"\xef\xbb\xbf") {
            reader.consume(3);
        }
        Ok(Self {
            path: path.to_owned(),
            reader,
            compression,
            buffer: Vec::new(),
            number: 0,
        })
    }

    /// The next line that is not blank, without its end.
    pub(super) fn next(&mut self) -> Result<Option<(&str, Place<'_>)>> {
        loop {
            self.buffer.clear();
            self.number += 1;
            let place = Place {
                path: &self.path,
                number: self.number,
            };
            let read = (&mut self.reader)
                .take(LONGEST)
                .read_until(b'\n', &mut self.buffer)
                .map_err(|error| place.error(self.compression.explain(&error)))?;
            if read == 0 {
                return Ok(None);
            }
            if read as u64 == LONGEST && self.buffer.last() != Some(&b'\n') {
                return Err(place.error(format!("is longer than {} MiB", LONGEST >> 20)));
            }
            if !self.buffer.trim_ascii().is_empty() {
                break;
            }
        }
        let place = Place {
            path: &self.path,
            number: self.number,
        };
        let end = self.buffer.strip_suffix(b"\n").unwrap_or(&self.buffer);
        let end = end.strip_suffix(b"\r").unwrap_or(end);
        match std::str::from_utf8(end) {
            Ok(line) => Ok(Some((line, place))),
            Err(_) => Err(place
                .error("is not UTF-8 text")
                .hint("if this is a table, save it as UTF-8")),
        }
    }

    /// An error about the file as a whole.
    pub(super) fn error(&self, message: impl std::fmt::Display) -> Error {
        Error::data(format!("`{}` {message}", self.path.display()))
    }
}
