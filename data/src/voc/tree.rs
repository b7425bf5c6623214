//! The files of the layout, whether in a folder or in a tar file.

use std::{
    collections::BTreeMap,
    fs,
    io::{ErrorKind, Read},
    path::{Path, PathBuf},
};

use metricopt_sdk::{Error, Result};

use crate::stream;

/// What must be in a folder for it to be the one.
const LISTS: &str = "ImageSets/Main";
const ANNOTATIONS: &str = "Annotations";

/// The most that is read of a tar file, all of which is kept in memory.
const MAX_PACKED: u64 = 1 << 31;

/// The largest single file.
const MAX_FILE: u64 = 1 << 28;

/// The files below the folder with `Annotations`, `ImageSets` and `JPEGImages`.
pub(super) struct Tree {
    /// What the user named.
    root: PathBuf,
    files: Files,
}

enum Files {
    /// The folder on disk.
    Folder(PathBuf),
    /// Contents by name below the folder.
    Packed(BTreeMap<String, Vec<u8>>),
}

impl Tree {
    /// Finds the folder at most two levels below `root`; `year` is its name where there may be several.
    ///
    /// # Errors
    ///
    /// If there is none or more than one.
    pub(super) fn open(root: &Path, year: Option<&str>) -> Result<Self> {
        let files = if root.is_file() {
            packed(root, year)?
        } else {
            Files::Folder(choose(root, folders(root)?, year)?)
        };
        Ok(Self {
            root: root.to_owned(),
            files,
        })
    }

    /// How a file is named in errors.
    pub(super) fn shown(&self, name: &str) -> String {
        match &self.files {
            Files::Folder(folder) => format!("`{}`", folder.join(name).display()),
            Files::Packed(_) => format!("`{name}` in `{}`", self.root.display()),
        }
    }

    /// The contents of a file; `None` if there is none of this name.
    ///
    /// # Errors
    ///
    /// If it cannot be read.
    pub(super) fn read(&self, name: &str) -> Result<Option<Vec<u8>>> {
        match &self.files {
            Files::Packed(files) => Ok(files.get(name).cloned()),
            Files::Folder(folder) => {
                let path = folder.join(name);
                match fs::metadata(&path) {
                    Ok(meta) if meta.len() > MAX_FILE => Err(Error::data(format!(
                        "`{}` holds {} bytes, more than can be meant",
                        path.display(),
                        meta.len()
                    ))),
                    Ok(_) => fs::read(&path)
                        .map(Some)
                        .map_err(|error| stream::unreadable(&path, &error)),
                    Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
                    Err(error) => Err(stream::unreadable(&path, &error)),
                }
            }
        }
    }

    /// The contents of a text file.
    ///
    /// # Errors
    ///
    /// If it cannot be read or is not UTF-8.
    pub(super) fn text(&self, name: &str) -> Result<Option<String>> {
        let Some(bytes) = self.read(name)? else {
            return Ok(None);
        };
        String::from_utf8(bytes)
            .map(Some)
            .map_err(|_| Error::data(format!("{} is not UTF-8 text", self.shown(name))))
    }
}

/// The folders with the layout at most two levels below one.
fn folders(root: &Path) -> Result<Vec<PathBuf>> {
    let mut level = vec![root.to_owned()];
    for _ in 0..3 {
        let fitting =
            |folder: &&PathBuf| folder.join(ANNOTATIONS).is_dir() && folder.join(LISTS).is_dir();
        let found: Vec<PathBuf> = level.iter().filter(fitting).cloned().collect();
        if !found.is_empty() {
            return Ok(found);
        }
        let mut next = Vec::new();
        for folder in &level {
            let unreadable = |error| stream::unreadable(folder, &error);
            for entry in fs::read_dir(folder).map_err(unreadable)? {
                let path = entry.map_err(unreadable)?.path();
                if path.is_dir() {
                    next.push(path);
                }
            }
        }
        next.sort_unstable();
        level = next;
    }
    Ok(Vec::new())
}

fn choose(root: &Path, mut found: Vec<PathBuf>, year: Option<&str>) -> Result<PathBuf> {
    if let Some(year) = year.filter(|_| found.len() > 1) {
        found.retain(|folder| folder.ends_with(year));
    }
    match found.as_slice() {
        [one] => Ok(one.clone()),
        [] => Err(Error::data(format!(
            "`{}` is not in the layout of PASCAL VOC",
            root.display()
        ))
        .hint(
            "expected `Annotations`, `ImageSets/Main` and `JPEGImages`, as in `VOCdevkit/VOC2007`",
        )),
        several => {
            let names = several
                .iter()
                .map(|folder| format!("`{}`", folder.display()));
            let names: Vec<String> = names.collect();
            Err(Error::data(format!(
                "`{}` holds several data sets: {}",
                root.display(),
                names.join(", ")
            ))
            .hint("name one of them with `task.root`"))
        }
    }
}

fn packed(root: &Path, year: Option<&str>) -> Result<Files> {
    let unreadable = |error| stream::unreadable(root, &error);
    let mut all: BTreeMap<PathBuf, Vec<u8>> = BTreeMap::new();
    let mut left = MAX_PACKED;
    let mut archive = tar::Archive::new(stream::open(root)?);
    for entry in archive.entries().map_err(unreadable)? {
        let mut entry = entry.map_err(unreadable)?;
        let path = entry.path().map_err(unreadable)?.into_owned();
        if !entry.header().entry_type().is_file() {
            continue;
        }
        left = left.checked_sub(entry.size()).ok_or_else(|| {
            Error::data(format!(
                "`{}` holds more than {} MiB",
                root.display(),
                MAX_PACKED >> 20
            ))
            .hint("unpack it and name the folder with `task.root`")
        })?;
        let mut bytes = Vec::new();
        entry.read_to_end(&mut bytes).map_err(unreadable)?;
        all.insert(path, bytes);
    }
    let mut candidates: Vec<PathBuf> = all
        .keys()
        .filter_map(|path| path.ancestors().find(|folder| folder.ends_with(LISTS)))
        .filter_map(|lists| lists.ancestors().nth(2))
        .map(Path::to_owned)
        .collect();
    candidates.dedup();
    let folder = choose(root, candidates, year)?;
    let below = all.into_iter().filter_map(|(path, bytes)| {
        let name = path.strip_prefix(&folder).ok()?.to_str()?.to_owned();
        Some((name, bytes))
    });
    Ok(Files::Packed(below.collect()))
}
