//! `checkpoint.bin`: what network and metric answered so far, so that an interrupted run can go on.
//!
//! ```text
//! "metricopt checkpoint 1\n"
//! record: the run that it belongs to, as JSON, under the key of zeros
//! record: an answer under the key of its question
//! ...
//! record = key [16], length u32, CRC-32 of key and bytes u32, bytes; little-endian
//! ```
//!
//! Records are only appended, each by one write: whenever the process is killed, what is there is whole but for perhaps
//! the last record, which is cut off when the file is opened again.

use metricopt_sdk::{Error, Result};
use serde_json::{Map, Value};
use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io::{self, BufReader, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::engine::memory::{Key, Memory};

/// The name of the file in a run directory.
pub const FILE_NAME: &str = "checkpoint.bin";

/// Every version that was ever written begins like this.
const MAGIC: &[u8] = b"metricopt checkpoint 1\n";

/// The key of the first record.
const RUN: Key = [0; 16];

/// Bytes of a record before its answer.
const HEAD: u64 = 24;

/// How often what was written is forced to the disk, against a loss of power.
const SYNC: Duration = Duration::from_secs(5);

/// What may differ when a run is resumed: it changes what is reported, not what is found.
const CHANGEABLE: [&str; 1] = ["report."];

/// The answers of one run, on disk.
#[derive(Debug)]
pub struct Checkpoint {
    path: PathBuf,
    file: RefCell<File>,
    /// Where the answer to each question stands, and how long it is.
    places: RefCell<HashMap<Key, (u64, u32)>>,
    end: Cell<u64>,
    synced: Cell<Instant>,
    /// Whether nothing more can be written.
    full: Cell<bool>,
}

impl Checkpoint {
    /// Begins one in a run directory; `run` says everything that the answers depend on.
    ///
    /// # Errors
    ///
    /// If it cannot be written.
    pub fn create(directory: &Path, run: &Map<String, Value>) -> Result<Self> {
        let path = directory.join(FILE_NAME);
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create_new(true)
            .open(&path)
            .map_err(|error| cannot("write", &path, &error))?;
        let this = Self::over(path, file)?;
        this.begin(run)?;
        Ok(this)
    }

    /// Opens that of a run that was interrupted.
    ///
    /// # Errors
    ///
    /// If there is none, it is in use, it is damaged, or it belongs to another run; then the message names what differs.
    pub fn open(directory: &Path, run: &Map<String, Value>) -> Result<Self> {
        let path = directory.join(FILE_NAME);
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .open(&path)
            .map_err(|error| match error.kind() {
                io::ErrorKind::NotFound => Error::data(format!(
                    "`{}` holds no `{FILE_NAME}` to resume from",
                    directory.display()
                ))
                .hint("choose a new `--out DIR`, or none for a new one in `runs`"),
                _ => cannot("read", &path, &error),
            })?;
        let this = Self::over(path, file)?;
        let begun = this.read_all()?;
        // Killed before the first record was whole: there is nothing that could differ.
        match begun {
            None => {
                this.truncate(0)?;
                this.begin(run)?;
            }
            Some(begun) => same_run(&begun, run)?,
        }
        Ok(this)
    }

    fn over(path: PathBuf, file: File) -> Result<Self> {
        match file.try_lock() {
            Ok(()) => {}
            Err(std::fs::TryLockError::WouldBlock) => {
                return Err(
                    Error::data(format!("`{}` is in use by another run", path.display()))
                        .hint("wait for it to end, or choose another `--out DIR`"),
                );
            }
            Err(std::fs::TryLockError::Error(error)) => return Err(cannot("lock", &path, &error)),
        }
        Ok(Self {
            path,
            file: RefCell::new(file),
            places: RefCell::default(),
            end: Cell::new(0),
            synced: Cell::new(Instant::now()),
            full: Cell::new(false),
        })
    }

    /// Writes what stands in front of the answers.
    fn begin(&self, run: &Map<String, Value>) -> Result<()> {
        self.append(MAGIC)?;
        self.record(&RUN, Value::Object(run.clone()).to_string().as_bytes())
    }

    /// Finds all whole records, and cuts off what follows them; what the first one says.
    fn read_all(&self) -> Result<Option<Value>> {
        let failed = |error: io::Error| cannot("read", &self.path, &error);
        let mut run = None;
        {
            let mut file = self.file.borrow_mut();
            file.seek(SeekFrom::Start(0)).map_err(failed)?;
            let mut reader = BufReader::new(&mut *file);
            let mut magic = vec![0; MAGIC.len()];
            if !fill(&mut reader, &mut magic).map_err(failed)? {
                return Ok(None);
            }
            if magic != MAGIC {
                return Err(Error::data(format!(
                    "`{}` is no checkpoint of this version",
                    self.path.display()
                ))
                .hint("resume with the host that began the run, or begin a new one"));
            }
            let mut end = MAGIC.len() as u64;
            while let Some((key, bytes)) = read_record(&mut reader).map_err(failed)? {
                if key == RUN {
                    run = serde_json::from_slice(&bytes).ok();
                } else {
                    let place = (end + HEAD, bytes.len() as u32);
                    self.places.borrow_mut().insert(key, place);
                }
                end += HEAD + bytes.len() as u64;
            }
            self.end.set(end);
        }
        self.truncate(self.end.get())?;
        Ok(run)
    }

    fn truncate(&self, length: u64) -> Result<()> {
        self.end.set(length);
        self.file
            .borrow()
            .set_len(length)
            .map_err(|error| cannot("write", &self.path, &error))
    }

    fn append(&self, bytes: &[u8]) -> Result<()> {
        let mut file = self.file.borrow_mut();
        let written = file
            .seek(SeekFrom::Start(self.end.get()))
            .and_then(|_| file.write_all(bytes))
            .and_then(|()| {
                if self.synced.get().elapsed() < SYNC {
                    return Ok(());
                }
                self.synced.set(Instant::now());
                file.sync_data()
            });
        written.map_err(|error| cannot("write", &self.path, &error))?;
        self.end.set(self.end.get() + bytes.len() as u64);
        Ok(())
    }

    fn record(&self, key: &Key, bytes: &[u8]) -> Result<()> {
        let Ok(length) = u32::try_from(bytes.len()) else {
            // An answer of 4 GB is asked for again.
            return Ok(());
        };
        let mut record = Vec::with_capacity(HEAD as usize + bytes.len());
        record.extend(key);
        record.extend(length.to_le_bytes());
        record.extend(checksum(key, bytes).to_le_bytes());
        record.extend(bytes);
        self.append(&record)
    }
}

impl Memory for Checkpoint {
    fn recall(&self, key: &Key) -> Result<Option<Vec<u8>>> {
        let Some(&(offset, length)) = self.places.borrow().get(key) else {
            return Ok(None);
        };
        let mut bytes = vec![0; length as usize];
        let mut file = self.file.borrow_mut();
        file.seek(SeekFrom::Start(offset))
            .and_then(|_| file.read_exact(&mut bytes))
            .map_err(|error| cannot("read", &self.path, &error))?;
        Ok(Some(bytes))
    }

    fn keep(&self, key: &Key, answer: &[u8]) -> Result<()> {
        if self.full.get() {
            return Ok(());
        }
        let place = (self.end.get() + HEAD, answer.len() as u32);
        match self.record(key, answer) {
            Ok(()) => {
                self.places.borrow_mut().insert(*key, place);
            }
            // A run is worth more than the chance to resume it.
            Err(error) => {
                self.full.set(true);
                metricopt_sdk::tracing::warn!(
                    "{error}; if the run is interrupted, it goes on from here"
                );
                // Perhaps half a record, which whoever reads it cuts off too.
                let _ = self.truncate(self.end.get());
            }
        }
        Ok(())
    }
}

/// Whether there is a checkpoint with any answer in a run directory.
pub fn holds_answers(directory: &Path) -> bool {
    let read = || -> io::Result<bool> {
        let mut reader = BufReader::new(File::open(directory.join(FILE_NAME))?);
        let mut magic = vec![0; MAGIC.len()];
        if !fill(&mut reader, &mut magic)? || magic != MAGIC {
            return Ok(false);
        }
        Ok(read_record(&mut reader)?.is_some() && read_record(&mut reader)?.is_some())
    };
    // What cannot be read cannot be resumed from either.
    read().unwrap_or(false)
}

fn checksum(key: &Key, bytes: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(key);
    hasher.update(bytes);
    hasher.finalize()
}

/// Fills a buffer; `false` if the file ends before.
fn fill(reader: &mut impl Read, buffer: &mut [u8]) -> io::Result<bool> {
    match reader.read_exact(buffer) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
        Err(error) => Err(error),
    }
}

/// The next record, if it is whole.
fn read_record(reader: &mut impl Read) -> io::Result<Option<(Key, Vec<u8>)>> {
    let (mut key, mut length, mut sum) = (Key::default(), [0; 4], [0; 4]);
    for part in [&mut key[..], &mut length, &mut sum] {
        if !fill(reader, part)? {
            return Ok(None);
        }
    }
    let length = u64::from(u32::from_le_bytes(length));
    let mut bytes = Vec::new();
    // Grows with what is there: a damaged length asks for no memory.
    reader.take(length).read_to_end(&mut bytes)?;
    let whole = bytes.len() as u64 == length && checksum(&key, &bytes) == u32::from_le_bytes(sum);
    Ok(whole.then_some((key, bytes)))
}

/// Compares the run that was begun with the one that is asked for.
fn same_run(begun: &Value, run: &Map<String, Value>) -> Result<()> {
    let none = Map::new();
    let begun = begun.as_object().unwrap_or(&none);
    let keys: std::collections::BTreeSet<&String> = begun.keys().chain(run.keys()).collect();
    let shown =
        |value: Option<&Value>| value.map_or_else(|| "not set".to_owned(), Value::to_string);
    let differences: Vec<String> = keys
        .into_iter()
        .filter(|key| begun.get(*key) != run.get(*key))
        .filter(|key| !CHANGEABLE.iter().any(|start| key.starts_with(start)))
        .map(|key| {
            let (was, is) = (shown(begun.get(key)), shown(run.get(key)));
            format!("`{key}` was {was} and is {is}")
        })
        .collect();
    if differences.is_empty() {
        return Ok(());
    }
    Err(Error::configuration(format!(
        "the run was begun with another configuration: {}",
        differences.join("; ")
    ))
    .hint("resume with the configuration it was begun with, or choose another `--out DIR`; only `report.*` and `--threads` may change"))
}

fn cannot(what: &str, path: &Path, error: &io::Error) -> Error {
    Error::data(format!("cannot {what} `{}`: {error}", path.display()))
        .hint("choose a folder with room that you may write to with `--out DIR`")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn run(steps: u32) -> Map<String, Value> {
        let run = json!({ "seed": 0, "finetune.steps": steps, "report.bootstrap": steps });
        run.as_object().cloned().unwrap_or_default()
    }

    #[test]
    fn a_file_cut_off_anywhere_keeps_every_whole_record() {
        let folder = tempfile::tempdir().unwrap();
        let answers: Vec<(Key, Vec<u8>)> = (1..20_u8)
            .map(|n| ([n; 16], vec![n; usize::from(n) * 7]))
            .collect();
        let mut ends = Vec::new();
        {
            let checkpoint = Checkpoint::create(folder.path(), &run(1)).unwrap();
            for (key, answer) in &answers {
                checkpoint.keep(key, answer).unwrap();
                ends.push(checkpoint.end.get());
            }
        }
        let path = folder.path().join(FILE_NAME);
        let whole = std::fs::read(&path).unwrap();
        for length in 0..=whole.len() {
            std::fs::write(&path, &whole[..length]).unwrap();
            let checkpoint = Checkpoint::open(folder.path(), &run(1)).unwrap();
            for ((key, answer), &end) in answers.iter().zip(&ends) {
                let expected = (end <= length as u64).then_some(answer.clone());
                assert_eq!(checkpoint.recall(key).unwrap(), expected, "{length}");
            }
            // It goes on where it was cut off.
            checkpoint.keep(&[99; 16], b"more").unwrap();
            drop(checkpoint);
            let checkpoint = Checkpoint::open(folder.path(), &run(1)).unwrap();
            assert_eq!(checkpoint.recall(&[99; 16]).unwrap().unwrap(), b"more");
        }
    }

    #[test]
    fn a_damaged_byte_ends_what_is_believed() {
        let folder = tempfile::tempdir().unwrap();
        {
            let checkpoint = Checkpoint::create(folder.path(), &run(1)).unwrap();
            checkpoint.keep(&[1; 16], b"first").unwrap();
            checkpoint.keep(&[2; 16], b"second").unwrap();
        }
        let path = folder.path().join(FILE_NAME);
        let mut bytes = std::fs::read(&path).unwrap();
        let last = bytes.len() - 2;
        bytes[last] ^= 1;
        std::fs::write(&path, bytes).unwrap();
        let checkpoint = Checkpoint::open(folder.path(), &run(1)).unwrap();
        assert_eq!(checkpoint.recall(&[1; 16]).unwrap().unwrap(), b"first");
        assert_eq!(checkpoint.recall(&[2; 16]).unwrap(), None);
    }

    #[test]
    fn another_configuration_is_named_and_reports_may_change() {
        let folder = tempfile::tempdir().unwrap();
        drop(Checkpoint::create(folder.path(), &run(1)).unwrap());
        let error = Checkpoint::open(folder.path(), &run(2)).unwrap_err();
        assert_eq!(
            error.to_string(),
            "the run was begun with another configuration: `finetune.steps` was 1 and is 2"
        );
        let mut report = run(1);
        report.insert("report.bootstrap".to_owned(), json!(7));
        Checkpoint::open(folder.path(), &report).unwrap();
    }

    #[test]
    fn one_run_at_a_time() {
        let folder = tempfile::tempdir().unwrap();
        let first = Checkpoint::create(folder.path(), &run(1)).unwrap();
        let error = Checkpoint::open(folder.path(), &run(1)).unwrap_err();
        assert!(
            error.to_string().ends_with("is in use by another run"),
            "{error}"
        );
        drop(first);
        Checkpoint::open(folder.path(), &run(1)).unwrap();
    }
}
