//! The directory of a comparison: one file a seed, so that what is finished is never computed again.

use metricopt_sdk::{Error, Result};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs::{self, File, TryLockError};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use super::directory::{Remains, cannot_write, make_numbered, missing, write_whole};
use crate::engine::contest::SeedResult;

/// Version of `seed-N.json`.
const VERSION: u32 = 1;

/// A directory that belongs to one comparison.
#[derive(Debug)]
pub struct ComparisonDirectory {
    path: PathBuf,
    /// Folders that were made for it, the innermost first.
    made: Vec<PathBuf>,
    /// Locked as long as this comparison is at work, also while a stopped one tidies up; none where folders cannot be locked.
    _lock: Option<File>,
}

/// A finished seed, with what it is a seed of.
#[derive(Serialize, Deserialize)]
struct SeedFile {
    version: u32,
    setup: Value,
    #[serde(flatten)]
    result: SeedResult,
}

impl ComparisonDirectory {
    /// Takes the given directory, which is new, empty or that of a comparison.
    ///
    /// # Errors
    ///
    /// If it holds anything else, cannot be written, or another comparison is at work there.
    pub fn open(path: &Path) -> Result<Self> {
        let made = missing(path);
        fs::create_dir_all(path).map_err(|error| cannot_write(path, &error))?;
        let directory = Self {
            _lock: lock(path)?,
            path: path.to_owned(),
            made,
        };
        for name in directory.names()? {
            let ours = [
                "config.toml",
                "comparison.json",
                "comparison.csv",
                "comparison.html",
            ];
            let name = name.strip_suffix(".tmp").unwrap_or(&name);
            if !ours.contains(&name) && seed_of(name).is_none() {
                return Err(Error::data(format!(
                    "`{}` holds `{name}`, which is no part of a comparison",
                    path.display()
                ))
                .hint("choose another `--out DIR`, or none for a new one in `runs`"));
            }
        }
        Ok(directory)
    }

    /// Makes a new numbered directory in the given folder.
    ///
    /// # Errors
    ///
    /// If the folder cannot be written.
    pub fn create_numbered(folder: &Path, name: &str) -> Result<Self> {
        let (path, made) = make_numbered(folder, name)?;
        Ok(Self {
            _lock: lock(&path)?,
            path,
            made,
        })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The finished seeds that are there, after checking that all of them belong to this setup.
    ///
    /// # Errors
    ///
    /// If a file cannot be read or belongs to another setup; the first key that differs is named.
    pub fn finished(&self, setup: &Value) -> Result<BTreeMap<u64, SeedResult>> {
        let mut finished = BTreeMap::new();
        for name in self.names()? {
            let Some(seed) = seed_of(&name) else { continue };
            let path = self.path.join(&name);
            let unreadable = |error: &dyn std::fmt::Display| {
                Error::data(format!("cannot read `{}`: {error}", path.display()))
                    .hint("remove it to have this seed computed again")
            };
            let text = fs::read(&path).map_err(|error| unreadable(&error))?;
            let file: SeedFile =
                serde_json::from_slice(&text).map_err(|error| unreadable(&error))?;
            if file.version != VERSION || file.result.seed != seed {
                return Err(unreadable(&format!(
                    "version {} of seed {}, expected version {VERSION} of seed {seed}",
                    file.version, file.result.seed
                )));
            }
            if let Some(difference) = difference(&file.setup, setup) {
                return Err(Error::configuration(format!(
                    "`{}` holds seeds of another comparison: {difference}",
                    self.path.display()
                ))
                .hint(
                    "choose another `--out DIR`, or repeat the command with the configuration of its `config.toml`",
                ));
            }
            finished.insert(seed, file.result);
        }
        Ok(finished)
    }

    /// Keeps a finished seed.
    ///
    /// # Errors
    ///
    /// If it cannot be written.
    pub fn keep(&self, setup: &Value, result: &SeedResult) -> Result<()> {
        let file = SeedFile {
            version: VERSION,
            setup: setup.clone(),
            result: result.clone(),
        };
        let text = serde_json::to_string_pretty(&file)
            .map_err(|error| Error::failed(format!("cannot write JSON: {error}")))?;
        self.write(&format!("seed-{}.json", result.seed), &text)
    }

    /// Writes a whole text file at once; its last line is ended.
    ///
    /// # Errors
    ///
    /// If it cannot be written; nothing stays behind then.
    pub fn write(&self, name: &str, text: &str) -> Result<()> {
        let text = format!("{}\n", text.trim_end());
        let path = self.path.join(name);
        write_whole(&path, text.as_bytes()).map_err(|error| cannot_write(&path, &error))
    }

    /// What to tidy up if the comparison ends early.
    pub fn remains(&self) -> Remains {
        Remains {
            path: self.path.clone(),
            made: self.made.clone(),
            resumed: false,
        }
    }

    /// The names of the files, sorted.
    fn names(&self) -> Result<Vec<String>> {
        let cannot_read = |error: std::io::Error| {
            Error::data(format!("cannot read `{}`: {error}", self.path.display()))
        };
        let mut names = Vec::new();
        for entry in fs::read_dir(&self.path).map_err(cannot_read)? {
            let name = entry.map_err(cannot_read)?.file_name();
            names.push(name.into_string().map_err(|name| {
                cannot_read(std::io::Error::new(
                    ErrorKind::InvalidData,
                    format!("the name {name:?} is no text"),
                ))
            })?);
        }
        names.sort_unstable();
        Ok(names)
    }
}

/// Locks a folder, which another comparison must not work in.
fn lock(path: &Path) -> Result<Option<File>> {
    let Ok(folder) = File::open(path) else {
        return Ok(None);
    };
    match folder.try_lock() {
        Err(TryLockError::WouldBlock) => Err(Error::data(format!(
            "`{}` is in use by another comparison",
            path.display()
        ))
        .hint("wait for it to end, or choose another `--out DIR`")),
        locked => Ok(locked.is_ok().then_some(folder)),
    }
}

/// The seed that a file is of.
fn seed_of(name: &str) -> Option<u64> {
    let digits = name.strip_prefix("seed-")?.strip_suffix(".json")?;
    digits.parse().ok()
}

/// The first key in which two setups differ, with both values.
fn difference(before: &Value, now: &Value) -> Option<String> {
    let mut values: BTreeMap<String, [Option<&Value>; 2]> = BTreeMap::new();
    for (side, setup) in [before, now].into_iter().enumerate() {
        flatten(setup, "", &mut |key, value| {
            values.entry(key).or_default()[side] = Some(value);
        });
    }
    let (key, [before, now]) = values
        .into_iter()
        .find(|(_, [before, now])| before != now)?;
    let show = |value: Option<&Value>| value.map_or_else(|| "not set".to_owned(), Value::to_string);
    Some(format!(
        "`{}` is {} there and {} now",
        key.strip_prefix("config.").unwrap_or(&key),
        show(before),
        show(now)
    ))
}

/// Calls `each` with every leaf and its dotted key.
fn flatten<'a>(value: &'a Value, key: &str, each: &mut dyn FnMut(String, &'a Value)) {
    match value {
        Value::Object(entries) if !entries.is_empty() => {
            for (name, value) in entries {
                let key = if key.is_empty() {
                    name.clone()
                } else {
                    format!("{key}.{name}")
                };
                flatten(value, &key, each);
            }
        }
        leaf => each(key.to_owned(), leaf),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn two_comparisons_do_not_work_in_one_directory() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("out");
        let first = ComparisonDirectory::open(&path).unwrap();
        let error = ComparisonDirectory::open(&path).unwrap_err();
        assert!(
            error
                .to_string()
                .ends_with("out` is in use by another comparison"),
            "{error}"
        );
        drop(first);
        ComparisonDirectory::open(&path).unwrap();
    }

    #[test]
    fn differences_are_named_by_key() {
        let setup = |lambda: f64| json!({ "task": "tabular", "config": { "finetune": { "lambda": lambda } } });
        assert_eq!(difference(&setup(3.0), &setup(3.0)), None);
        assert_eq!(
            difference(&setup(3.0), &setup(10.0)).unwrap(),
            "`finetune.lambda` is 3.0 there and 10.0 now"
        );
        assert_eq!(
            difference(
                &json!({ "device": "cpu", "task": "a" }),
                &json!({ "device": "cpu" })
            )
            .unwrap(),
            "`task` is \"a\" there and not set now"
        );
    }

    #[test]
    fn seeds_are_told_by_their_file_names() {
        assert_eq!(seed_of("seed-12.json"), Some(12));
        for other in ["seed-.json", "seed-1.json.tmp", "seeds.json"] {
            assert_eq!(seed_of(other), None, "{other}");
        }
    }
}
