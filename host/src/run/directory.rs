//! The run directory: one run, never half a file.

use metricopt_sdk::{Error, Result};
use serde::Serialize;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::artifacts::{
    adapter_file, optimizer_file, predictions_file, report_file, trajectories_file,
    value_function_file,
};
use super::checkpoint;
use super::growing::GrowingFile;
use super::identity::Identity;
use super::metrics_table::MetricsTable;
use super::names::{PREDICTIONS, TRAJECTORIES, VALUE_FUNCTION};
use super::scalars::Reader;
use super::tensorboard::{self, EventFiles};
use crate::engine::events::{Event, EventLog};
use crate::engine::recorder::{Artifact, Recorder};

/// Version of the records in `events.jsonl`.
const EVENTS_VERSION: u32 = 1;

/// Every number of the events, one a row.
const METRICS: &str = "metrics.csv";

/// The folder to point TensorBoard to.
const TENSORBOARD: &str = "tensorboard";

/// A directory that belongs to one run.
///
/// Files are written beside their place and renamed, so that a reader never sees half of one; `events.jsonl` and the files
/// for TensorBoard grow by whole records.
#[derive(Debug)]
pub struct RunDirectory {
    path: PathBuf,
    events: GrowingFile,
    reader: Reader,
    table: MetricsTable,
    tensorboard: EventFiles,
    /// Folders that this run made, the innermost first.
    made: Vec<PathBuf>,
    resumed: bool,
    /// What its files are about, once the task is open.
    identity: Option<Identity>,
}

#[derive(Serialize)]
struct Line<'a> {
    version: u32,
    #[serde(flatten)]
    event: &'a Event,
}

impl RunDirectory {
    /// Takes the given directory, which must be new or empty.
    ///
    /// # Errors
    ///
    /// If it holds anything or cannot be written.
    pub fn create(path: &Path) -> Result<Self> {
        let made = missing(path);
        fs::create_dir_all(path).map_err(|error| cannot_write(path, &error))?;
        let mut entries = fs::read_dir(path).map_err(|error| cannot_write(path, &error))?;
        if entries.next().is_some() {
            return Err(occupied(path));
        }
        Self::begin(path.to_owned(), made)
    }

    /// Makes a new numbered directory `NAME-1`, `NAME-2`, ... in the given folder.
    ///
    /// # Errors
    ///
    /// If the folder cannot be written.
    pub fn create_numbered(folder: &Path, name: &str) -> Result<Self> {
        let (path, made) = make_numbered(folder, name)?;
        Self::begin(path, made)
    }

    /// Takes the directory of a run that was interrupted, or begins a new one where there is none.
    ///
    /// # Errors
    ///
    /// If it holds something else, or cannot be written.
    pub fn resume(path: &Path) -> Result<Self> {
        let mut files = match fs::read_dir(path) {
            Ok(files) => files.peekable(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Self::create(path),
            Err(error) => return Err(cannot_write(path, &error)),
        };
        if files.peek().is_none() {
            return Self::create(path);
        }
        if !path.join(checkpoint::FILE_NAME).is_file() {
            // Killed before there was anything to go on from.
            let begun = ["events.jsonl", "config.toml", "config.toml.tmp"];
            let names = files.map(|file| file.map(|file| file.file_name()));
            let names: io::Result<Vec<_>> = names.collect();
            let names = names.map_err(|error| cannot_write(path, &error))?;
            if names
                .iter()
                .all(|name| begun.iter().any(|begun| name == begun))
            {
                for name in names {
                    let file = path.join(name);
                    fs::remove_file(&file).map_err(|error| cannot_write(&file, &error))?;
                }
                return Self::create(path);
            }
            return Err(Error::data(format!(
                "`{}` holds files, but no `{}` to resume from",
                path.display(),
                checkpoint::FILE_NAME
            ))
            .hint("choose a new `--out DIR`, or none for a new one in `runs`"));
        }
        // Events are recorded again on the way to where the run was: they are the same.
        let events = path.join("events.jsonl");
        match fs::remove_file(&events) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(cannot_write(&events, &error));
            }
            _ => {}
        }
        tensorboard::remove(&path.join(TENSORBOARD));
        Ok(Self {
            resumed: true,
            ..Self::begin(path.to_owned(), Vec::new())?
        })
    }

    /// Whether a run in this directory has come to its end.
    pub fn is_complete(path: &Path) -> bool {
        path.join("summary.json").is_file() && !path.join(checkpoint::FILE_NAME).exists()
    }

    /// Ends a run that succeeded: what was kept in order to resume goes.
    ///
    /// # Errors
    ///
    /// If it cannot be removed.
    pub fn complete(&self) -> Result<()> {
        let path = self.path.join(checkpoint::FILE_NAME);
        fs::remove_file(&path).map_err(|error| cannot_write(&path, &error))
    }

    fn begin(path: PathBuf, made: Vec<PathBuf>) -> Result<Self> {
        let events = path.join("events.jsonl");
        // Exclusive creation: of two runs that found the directory empty, one gets it.
        let events = GrowingFile::create(events.clone()).map_err(|error| match error.kind() {
            io::ErrorKind::AlreadyExists => occupied(&path),
            _ => cannot_write(&events, &error),
        })?;
        Ok(Self {
            events,
            reader: Reader::default(),
            table: MetricsTable::default(),
            tensorboard: EventFiles::new(path.join(TENSORBOARD)),
            path,
            made,
            resumed: false,
            identity: None,
        })
    }

    /// Says what the files are about that other runs may use.
    pub fn identify(&mut self, identity: Identity) {
        self.identity = Some(identity);
    }

    fn identity(&self) -> Result<&Identity> {
        let identity = self.identity.as_ref();
        identity.ok_or_else(|| Error::failed("a run directory was not told what its run is about"))
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Writes a whole file at once.
    ///
    /// # Errors
    ///
    /// If it cannot be written; nothing stays behind then.
    pub fn write(&self, name: &str, contents: &[u8]) -> Result<()> {
        let path = self.path.join(name);
        write_whole(&path, contents).map_err(|error| cannot_write(&path, &error))
    }

    /// Puts all events on disk, in each of their forms.
    ///
    /// # Errors
    ///
    /// If they cannot be written.
    pub fn flush(&mut self) -> Result<()> {
        self.events
            .flush()
            .map_err(|error| cannot_write(self.events.path(), &error))?;
        self.tensorboard
            .flush()
            .map_err(|(path, error)| cannot_write(&path, &error))?;
        self.write(METRICS, self.table.contents())
    }

    /// Ends a run that failed: whether anything worth keeping is there. If not, what the run created is removed, so that
    /// the same command can be tried again.
    ///
    /// A run that was stopped can be resumed as soon as there is any answer of network or metric; one that failed would
    /// fail again, unless it had gone well so far that it was resumed.
    pub fn abandon(mut self, stopped: bool) -> bool {
        // A full disk may be why the run failed; the events that fit are there.
        let _ = self.flush();
        self.remains().tidy(stopped).is_some()
    }

    /// What to tidy up if the process has to end without [`abandon`](Self::abandon).
    pub fn remains(&self) -> Remains {
        Remains {
            path: self.path.clone(),
            made: self.made.clone(),
            resumed: self.resumed,
        }
    }
}

/// Writes a file beside its place and renames it; nothing stays behind if that fails.
///
/// # Errors
///
/// If it cannot be written.
pub fn write_whole(path: &Path, contents: &[u8]) -> io::Result<()> {
    let mut temporary = path.as_os_str().to_owned();
    temporary.push(".tmp");
    let written = File::create(&temporary).and_then(|mut file| {
        file.write_all(contents)?;
        file.sync_all()
    });
    written
        .and_then(|()| fs::rename(&temporary, path))
        .inspect_err(|_| {
            // If even the removal fails, the first error is the one to tell.
            let _ = fs::remove_file(&temporary);
        })
}

/// What a run leaves behind that did not end well.
#[derive(Clone, Debug)]
pub struct Remains {
    pub(super) path: PathBuf,
    /// Folders that were made for it, the innermost first.
    pub(super) made: Vec<PathBuf>,
    /// Whether it had been interrupted before.
    pub(super) resumed: bool,
}

impl Remains {
    /// Where it is, if anything worth keeping is there; if not, what the run created is removed.
    pub fn tidy(self, stopped: bool) -> Option<PathBuf> {
        let files = fs::read_dir(&self.path).into_iter().flatten().flatten();
        let mut holds_results = false;
        for file in files.map(|file| file.path()) {
            match file.extension().and_then(|extension| extension.to_str()) {
                // Half a file; whoever was writing it is not any more.
                Some("tmp") => drop(fs::remove_file(&file)),
                Some("safetensors" | "json") => holds_results = true,
                _ => {}
            }
        }
        holds_results |= (stopped || self.resumed) && checkpoint::holds_answers(&self.path);
        if holds_results {
            return Some(self.path);
        }
        for name in [
            "events.jsonl",
            METRICS,
            "config.toml",
            checkpoint::FILE_NAME,
        ] {
            let _ = fs::remove_file(self.path.join(name));
        }
        tensorboard::remove(&self.path.join(TENSORBOARD));
        for folder in &self.made {
            // One that holds anything else by now stays, and so do those around it.
            if fs::remove_dir(folder).is_err() {
                break;
            }
        }
        None
    }
}

impl EventLog for RunDirectory {
    fn record(&mut self, event: &Event) -> Result<()> {
        let line = Line {
            version: EVENTS_VERSION,
            event,
        };
        let line = serde_json::to_string(&line)
            .map_err(|error| Error::failed(format!("cannot write an event: {error}")))?;
        self.events
            .push(format!("{line}\n").as_bytes())
            .map_err(|error| cannot_write(self.events.path(), &error))?;
        for reading in self.reader.read(event) {
            self.table.add(&reading);
            self.tensorboard
                .add(&reading)
                .map_err(|(path, error)| cannot_write(&path, &error))?;
        }
        Ok(())
    }
}

impl Recorder for RunDirectory {
    fn save(&mut self, artifact: Artifact<'_>) -> Result<()> {
        match artifact {
            Artifact::Predictions(predictions, trajectories) => {
                self.write(PREDICTIONS, &predictions_file(predictions, trajectories)?)?;
            }
            Artifact::Trajectories(trajectories, interpolation, footing, best) => {
                let identity = self.identity()?;
                let file = trajectories_file(trajectories, interpolation, footing, best, identity)?;
                self.write(TRAJECTORIES, &file)?;
            }
            Artifact::ValueFunction(trained, footing, radius) => {
                let file = value_function_file(trained, footing, radius, self.identity()?)?;
                self.write(VALUE_FUNCTION, &file)?;
            }
            Artifact::Optimizer(rule) => {
                self.write("optimizer.safetensors", &optimizer_file(rule)?)?;
            }
            Artifact::Adapter(phi, sites) => {
                self.write("adapter.safetensors", &adapter_file(phi, sites)?)?;
            }
            Artifact::Report(landscape, tuned, sites) => {
                self.write("report.safetensors", &report_file(landscape, tuned, sites)?)?;
            }
        }
        self.flush()
    }
}

/// Makes a new numbered directory `NAME-1`, `NAME-2`, ... in the given folder; also returns what was made for it, the
/// innermost first.
pub(super) fn make_numbered(folder: &Path, name: &str) -> Result<(PathBuf, Vec<PathBuf>)> {
    let around = missing(folder);
    fs::create_dir_all(folder).map_err(|error| cannot_write(folder, &error))?;
    let taken = fs::read_dir(folder)
        .map_err(|error| cannot_write(folder, &error))?
        .filter_map(|entry| {
            let entry = entry.ok()?.file_name().into_string().ok()?;
            entry
                .strip_prefix(name)?
                .strip_prefix('-')?
                .parse::<u64>()
                .ok()
        })
        .max()
        .unwrap_or(0);
    for number in taken + 1.. {
        let path = folder.join(format!("{name}-{number}"));
        match fs::create_dir(&path) {
            Ok(()) => {
                let made = std::iter::once(path.clone()).chain(around).collect();
                return Ok((path, made));
            }
            // Another run took the number a moment ago.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(cannot_write(&path, &error)),
        }
    }
    Err(Error::failed(format!(
        "no free run number in `{}`",
        folder.display()
    )))
}

/// The folders that have to be made for a path, the innermost first.
pub(super) fn missing(path: &Path) -> Vec<PathBuf> {
    path.ancestors()
        .take_while(|folder| !folder.as_os_str().is_empty() && !folder.exists())
        .map(Path::to_owned)
        .collect()
}

pub(super) fn cannot_write(path: &Path, error: &io::Error) -> Error {
    Error::data(format!("cannot write `{}`: {error}", path.display()))
        .hint("choose a folder with room that you may write to with `--out DIR`")
}

fn occupied(path: &Path) -> Error {
    Error::data(format!("`{}` already holds files", path.display()))
        .hint("every run has a directory of its own: choose another `--out DIR`, or none for a new one in `runs`")
}
