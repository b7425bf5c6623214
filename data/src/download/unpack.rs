//! Archives from strangers: only plain files and folders, only inside the folder that is given, only as much as can be meant.

use std::{
    fs::{self, File},
    io::{self, BufReader, Read, Write},
    path::{Component, Path, PathBuf},
};

use ::zip::ZipArchive;
use metricopt_sdk::{Error, Result};
use sha2::{Digest, Sha256};

use super::{cannot, checksum, sums::Sums};
use crate::stream;

/// An archive may hold this many times its own length, and [`ALLOWANCE`]: images hardly shrink, tables some ten times.
const LARGEST_RATIO: u64 = 20;
const ALLOWANCE: u64 = 1 << 26;

/// Four times the files of the largest data set in the catalogue.
const MAX_FILES: u64 = 500_000;

/// The longest path inside an archive.
const MAX_PATH: usize = 512;

const BUFFER: usize = 1 << 16;

/// Unpacks a tar file, also with gzip or xz around it, into a new folder.
pub(super) fn tar(
    path: &Path,
    folder: &Path,
    sums: &mut Sums,
    progress: &dyn Fn(&str, u64, u64),
) -> Result<()> {
    let damaged = |error: io::Error| Error::data(format!("damaged: {error}"));
    let mut room = Room::new(path, folder)?;
    let mut archive = ::tar::Archive::new(stream::open(path)?);
    for entry in archive.entries().map_err(damaged)? {
        let mut entry = entry.map_err(damaged)?;
        let name = entry.path_bytes().into_owned();
        let kind = entry.header().entry_type();
        if kind == ::tar::EntryType::XGlobalHeader {
            continue;
        }
        let name = safe_name(&name)?;
        if kind.is_dir() {
            room.folder(&name)?;
        } else if kind.is_file() || kind.is_contiguous() {
            room.file(&name, &mut entry, sums)?;
            room.report(progress);
        } else {
            return Err(refused(&name, "a link or a device"));
        }
    }
    room.full()
}

/// Unpacks a zip file into a new folder.
pub(super) fn zip(
    path: &Path,
    folder: &Path,
    sums: &mut Sums,
    progress: &dyn Fn(&str, u64, u64),
) -> Result<()> {
    let mut room = Room::new(path, folder)?;
    let file = File::open(path).map_err(|error| stream::unreadable(path, &error))?;
    let damaged = |error: ::zip::result::ZipError| Error::data(format!("damaged: {error}"));
    let mut archive = ZipArchive::new(BufReader::new(file)).map_err(damaged)?;
    for index in 0..archive.len() {
        let mut entry = archive.by_index(index).map_err(damaged)?;
        let name = safe_name(entry.name_raw())?;
        // The file type of Unix, where the archive was made there.
        let kind = entry.unix_mode().unwrap_or(0) & 0o170_000;
        if entry.is_dir() {
            room.folder(&name)?;
        } else if kind == 0 || kind == 0o100_000 {
            room.file(&name, &mut entry, sums)?;
            room.report(progress);
        } else {
            return Err(refused(&name, "a link or a device"));
        }
    }
    room.full()
}

/// Puts a file as it is into a new folder.
pub(super) fn plain(mut input: File, name: &str, folder: &Path, sums: &mut Sums) -> Result<()> {
    let mut room = Room {
        folder,
        bytes: 0,
        limit: u64::MAX,
        files: 0,
        archive: 0,
    };
    room.file(Path::new(name), &mut input, sums)
}

fn refused(name: &Path, what: &str) -> Error {
    Error::data(format!("refused: `{}` in it is {what}", name.display()))
}

/// The path of an entry, if it leads nowhere but inside.
fn safe_name(bytes: &[u8]) -> Result<PathBuf> {
    let shown = String::from_utf8_lossy(bytes);
    let refuse = |what| Err(refused(Path::new(shown.as_ref()), what));
    let Ok(name) = std::str::from_utf8(bytes) else {
        return refuse("no UTF-8 name");
    };
    if name.len() > MAX_PATH {
        return refuse("a path that is too long");
    }
    if name.contains(['\0', '\n', '\r', '\\', ':']) {
        return refuse("a name with characters that mean something to a system");
    }
    let mut path = PathBuf::new();
    for component in Path::new(name).components() {
        match component {
            Component::Normal(part) => path.push(part),
            Component::CurDir => {}
            _ => return refuse("a path that leads out of its folder"),
        }
    }
    Ok(path)
}

/// A new folder that fills up.
struct Room<'a> {
    folder: &'a Path,
    bytes: u64,
    limit: u64,
    files: u64,
    /// Length of the archive: about what images unpack to.
    archive: u64,
}

impl<'a> Room<'a> {
    fn new(archive: &Path, folder: &'a Path) -> Result<Self> {
        let length = fs::metadata(archive)
            .map_err(|error| stream::unreadable(archive, &error))?
            .len();
        Ok(Self {
            folder,
            bytes: 0,
            limit: length
                .saturating_mul(LARGEST_RATIO)
                .saturating_add(ALLOWANCE),
            files: 0,
            archive: length,
        })
    }

    fn report(&self, progress: &dyn Fn(&str, u64, u64)) {
        progress("unpack", self.bytes, self.archive.max(self.bytes));
    }

    /// Counts a file or folder.
    fn count(&mut self) -> Result<()> {
        self.files += 1;
        if self.files > MAX_FILES {
            return Err(Error::data(format!(
                "refused: it holds more than {MAX_FILES} files"
            )));
        }
        Ok(())
    }

    fn folder(&mut self, name: &Path) -> Result<()> {
        self.count()?;
        let path = self.folder.join(name);
        fs::create_dir_all(&path).map_err(|error| cannot("create", &path, &error))
    }

    fn file(&mut self, name: &Path, input: &mut dyn Read, sums: &mut Sums) -> Result<()> {
        self.count()?;
        if name.file_name().is_none() {
            return Err(refused(name, "a file without a name"));
        }
        let path = self.folder.join(name);
        let failed = |error: io::Error| match error.kind() {
            io::ErrorKind::AlreadyExists => refused(name, "there twice"),
            _ => cannot("write", &path, &error),
        };
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent).map_err(failed)?;
        }
        let mut output = File::create_new(&path).map_err(failed)?;
        let mut hash = Sha256::new();
        let mut buffer = vec![0; BUFFER];
        loop {
            let count = input.read(&mut buffer).map_err(|error| {
                Error::data(format!("damaged at `{}`: {error}", name.display()))
            })?;
            if count == 0 {
                break;
            }
            self.bytes += count as u64;
            if self.bytes > self.limit {
                return Err(Error::data(format!(
                    "refused: it unpacks to more than {} bytes, {LARGEST_RATIO} times its own length",
                    self.limit
                )));
            }
            let bytes = buffer.get(..count).unwrap_or_default();
            hash.update(bytes);
            output.write_all(bytes).map_err(failed)?;
        }
        sums.add(slashed(name), checksum::hex(&hash.finalize()));
        Ok(())
    }

    /// Refuses an archive without a file.
    fn full(&self) -> Result<()> {
        if self.bytes == 0 {
            return Err(Error::data("holds no file with anything in it"));
        }
        Ok(())
    }
}

/// A path with `/` between its parts, on every system.
fn slashed(path: &Path) -> String {
    let parts: Vec<_> = path.iter().map(|part| part.to_string_lossy()).collect();
    parts.join("/")
}
