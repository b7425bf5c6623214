//! `SHA256SUMS`: the checksum of every file of a data set as it was put in place, in the form of the program `sha256sum`.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use metricopt_sdk::{Error, Result};

use super::{cannot, checksum};
use crate::{
    catalogue::{Access, Entry, Form},
    stream,
};

const NAME: &str = "SHA256SUMS";

/// Far above the 12 MB for the 120,000 files of the largest data set.
const LARGEST: u64 = 1 << 28;

/// Checksums by path, with `/` between folders.
#[derive(Debug, Default)]
pub(super) struct Sums(BTreeMap<String, String>);

impl Sums {
    pub(super) fn add(&mut self, path: String, sum: String) {
        self.0.insert(path, sum);
    }

    pub(super) fn write(&self, folder: &Path) -> Result<()> {
        let lines: Vec<String> = self
            .0
            .iter()
            .map(|(path, sum)| format!("{sum}  {path}\n"))
            .collect();
        let path = folder.join(NAME);
        fs::write(&path, lines.concat()).map_err(|error| cannot("write", &path, &error))
    }

    fn read(path: &Path) -> Result<Self> {
        let text = String::from_utf8(stream::read(path, LARGEST)?);
        let damaged = || Error::data(format!("`{}` is damaged", path.display()));
        let text = text.map_err(|_| damaged())?;
        let line = |line: &str| {
            line.split_once("  ")
                .map(|(sum, path)| (path.to_owned(), sum.to_owned()))
        };
        let sums: Option<BTreeMap<String, String>> = text.lines().map(line).collect();
        sums.filter(|sums| !sums.is_empty())
            .map(Self)
            .ok_or_else(damaged)
    }
}

/// What a data set in place is found to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// There is no folder for it.
    Absent,
    /// All files are as they were put in place, so many of them.
    Whole(usize),
    /// These files are missing or have changed.
    Damaged(Vec<PathBuf>),
    /// It was put there by hand, and no checksums of its files are published.
    Unknown,
}

/// Checks every file of a data set.
///
/// # Errors
///
/// If a file cannot be read.
pub fn verify(entry: &Entry, data: &Path, progress: &dyn Fn(&str, u64, u64)) -> Result<Verdict> {
    let folder = data.join(entry.name);
    if !folder.exists() {
        return Ok(Verdict::Absent);
    }
    let path = folder.join(NAME);
    if !path.exists() {
        return by_hand(entry, &folder);
    }
    let sums = Sums::read(&path)?;
    let mut damaged = Vec::new();
    let count = sums.0.len();
    for (done, (name, sum)) in sums.0.iter().enumerate() {
        progress("check", done as u64, count as u64);
        let path = folder.join(name);
        if !path.is_file() || checksum::sha256(&path)? != *sum {
            damaged.push(path);
        }
    }
    Ok(if damaged.is_empty() {
        Verdict::Whole(count)
    } else {
        Verdict::Damaged(damaged)
    })
}

/// Files that somebody put there, as far as their checksums are published.
fn by_hand(entry: &Entry, folder: &Path) -> Result<Verdict> {
    let Access::Files(files) = entry.access else {
        return Ok(Verdict::Unknown);
    };
    let mut damaged = Vec::new();
    for file in files {
        let (path, Form::Plain, Some(expected)) =
            (folder.join(file.name), file.form, file.checksum)
        else {
            return Ok(Verdict::Unknown);
        };
        if !path.is_file() || checksum::check(&path, expected, &|_| {}).is_err() {
            damaged.push(path);
        }
    }
    Ok(if damaged.is_empty() {
        Verdict::Whole(files.len())
    } else {
        Verdict::Damaged(damaged)
    })
}
