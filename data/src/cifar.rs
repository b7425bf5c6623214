//! CIFAR-10 and CIFAR-100, binary version (<https://www.cs.toronto.edu/~kriz/cifar.html>).
//!
//! A record is one label byte (CIFAR-100: a coarse and a fine one) and 3,072 bytes: the red, green and blue plane of a
//! 32 x 32 image, row by row.

use std::{
    io::Read,
    path::{Path, PathBuf},
};

use metricopt_sdk::{Error, Result};
use rayon::prelude::*;

use crate::{
    images::{Images, Pool},
    opening::Opening,
    split::Parts,
    stream,
};

const CHANNELS: usize = 3;
const SIDE: usize = 32;
const PIXELS: usize = CHANNELS * SIDE * SIDE;

/// Far above the 10,000 to 50,000 records of the real files.
const MAX_FILE: u64 = 1 << 30;

/// What tells the two data sets apart.
pub(crate) struct Cifar {
    folder: &'static str,
    train: &'static [&'static str],
    test: &'static str,
    names: &'static str,
    /// Label bytes in a record; the last one counts.
    label_bytes: usize,
    classes: usize,
    archives: [&'static str; 2],
    /// For the reader of a report.
    pub(crate) source: &'static str,
}

pub(crate) const CIFAR10: Cifar = Cifar {
    folder: "cifar-10-batches-bin",
    train: &[
        "data_batch_1.bin",
        "data_batch_2.bin",
        "data_batch_3.bin",
        "data_batch_4.bin",
        "data_batch_5.bin",
    ],
    test: "test_batch.bin",
    names: "batches.meta.txt",
    label_bytes: 1,
    classes: 10,
    archives: ["cifar-10-binary.tar.gz", "cifar-10-binary.tar"],
    source: "CIFAR-10 (Krizhevsky 2009), binary version",
};

pub(crate) const CIFAR100: Cifar = Cifar {
    folder: "cifar-100-binary",
    train: &["train.bin"],
    test: "test.bin",
    names: "fine_label_names.txt",
    label_bytes: 2,
    classes: 100,
    archives: ["cifar-100-binary.tar.gz", "cifar-100-binary.tar"],
    source: "CIFAR-100 (Krizhevsky 2009), binary version, fine labels",
};

impl Cifar {
    /// All files, the names of the classes last.
    fn files(&self) -> Vec<&'static str> {
        let mut files = self.train.to_vec();
        files.extend([self.test, self.names]);
        files
    }

    /// The folder with the files: `root`, or the folder of the official archive inside it.
    fn folder(&self, root: &Path) -> Option<PathBuf> {
        [root.to_owned(), root.join(self.folder)]
            .into_iter()
            .find(|folder| stream::find(folder, self.test).is_some())
    }

    /// The official archive: `root`, or a file inside it.
    fn archive(&self, root: &Path) -> Option<PathBuf> {
        let inside = self.archives.iter().map(|name| root.join(name));
        std::iter::once(root.to_owned())
            .chain(inside)
            .find(|path| path.is_file())
    }
}

/// Reads the files in `root`, or in the folder of the official archive inside it, or in that archive.
///
/// # Errors
///
/// If a file is missing, cut off, or holds a label that is no class.
pub(crate) fn read(root: &Path, kind: &Cifar, opening: &Opening<'_>) -> Result<Pool> {
    let files = if let Some(folder) = kind.folder(root) {
        from_folder(&folder, kind, opening)?
    } else if let Some(archive) = kind.archive(root) {
        from_archive(&archive, kind)?
    } else {
        return Err(Error::data(format!(
            "`{}` has neither `{}` nor the archive `{}`",
            root.display(),
            kind.test,
            kind.archives[0]
        )));
    };
    let Some(((names, classes), batches)) = files.split_last() else {
        return Err(Error::failed("no files of CIFAR were read"));
    };
    let classes = class_names(classes, kind).map_err(|error| error.context(names))?;
    let mut images = Images {
        pixels: Vec::with_capacity(batches.iter().map(|(_, bytes)| bytes.len()).sum()),
        channels: CHANNELS,
        height: SIDE,
        width: SIDE,
        labels: Vec::new(),
        classes,
    };
    let mut parts = Parts::default();
    for (index, (name, bytes)) in batches.iter().enumerate() {
        let count = append(&mut images, bytes, kind).map_err(|error| error.context(name))?;
        if index < kind.train.len() {
            parts.train += count;
        } else {
            parts.test += count;
        }
    }
    Ok(Pool { images, parts })
}

/// Name, as shown in errors, and decompressed bytes of every file, in the order of [`Cifar::files`].
type Files = Vec<(String, Vec<u8>)>;

fn from_folder(folder: &Path, kind: &Cifar, opening: &Opening<'_>) -> Result<Files> {
    let names = kind.files();
    let (phase, count) = ("read", names.len() as u64);
    (opening.progress)(phase, 0, count);
    let call = opening.call;
    let read = |name: &&str| {
        call.check()?;
        let path = stream::find(folder, name)
            .ok_or_else(|| Error::data(format!("`{}` is missing", folder.join(name).display())))?;
        Ok((
            format!("`{}`", path.display()),
            stream::read(&path, MAX_FILE)?,
        ))
    };
    // xz takes a second a file: all files at once.
    let read = || names.par_iter().map(read).collect::<Vec<_>>();
    // The first error of several, whichever came first.
    let files = opening
        .threads()?
        .install(read)
        .into_iter()
        .collect::<Result<Files>>()?;
    (opening.progress)(phase, count, count);
    Ok(files)
}

fn from_archive(path: &Path, kind: &Cifar) -> Result<Files> {
    let wanted = kind.files();
    let mut found: Vec<Option<(String, Vec<u8>)>> = vec![None; wanted.len()];
    let mut archive = tar::Archive::new(stream::open(path)?);
    let entries = archive
        .entries()
        .map_err(|error| stream::unreadable(path, &error))?;
    for entry in entries {
        let mut entry = entry.map_err(|error| stream::unreadable(path, &error))?;
        let name = entry.path_bytes();
        let file = name.rsplit(|&byte| byte == b'/').next().unwrap_or_default();
        let Some(slot) = wanted
            .iter()
            .position(|wanted| wanted.as_bytes() == file)
            .and_then(|index| found.get_mut(index))
        else {
            continue;
        };
        let shown = format!(
            "`{}` in `{}`",
            String::from_utf8_lossy(file),
            path.display()
        );
        if entry.size() > MAX_FILE {
            return Err(Error::data(format!("{shown} holds {} bytes", entry.size())));
        }
        let mut bytes = Vec::with_capacity(entry.size() as usize);
        entry
            .read_to_end(&mut bytes)
            .map_err(|error| stream::unreadable(path, &error))?;
        *slot = Some((shown, bytes));
    }
    found
        .into_iter()
        .zip(wanted)
        .map(|(file, name)| {
            file.ok_or_else(|| Error::data(format!("`{}` has no file `{name}`", path.display())))
        })
        .collect()
}

/// One name a line; empty lines at the end, as in the official file, do not count.
fn class_names(bytes: &[u8], kind: &Cifar) -> Result<Vec<String>> {
    let text = std::str::from_utf8(bytes).map_err(|_| Error::data("is not UTF-8 text"))?;
    let names: Vec<String> = text
        .trim()
        .lines()
        .map(|line| line.trim().to_owned())
        .collect();
    if names.len() == kind.classes {
        Ok(names)
    } else {
        Err(Error::data(format!(
            "names {} classes instead of {}",
            names.len(),
            kind.classes
        )))
    }
}

/// Adds the records of one file and counts them.
fn append(images: &mut Images, bytes: &[u8], kind: &Cifar) -> Result<usize> {
    let record = kind.label_bytes + PIXELS;
    if bytes.is_empty() || !bytes.len().is_multiple_of(record) {
        return Err(Error::data(format!(
            "{} bytes are no whole number of records of {record} bytes",
            bytes.len()
        ))
        .hint("the file is cut off or of another data set: fetch it again"));
    }
    for (index, record) in bytes.chunks_exact(record).enumerate() {
        let (labels, pixels) = record.split_at(kind.label_bytes);
        let label = labels.last().copied().unwrap_or_default();
        if usize::from(label) >= kind.classes {
            return Err(Error::data(format!(
                "record {index} has label {label}, but there are {} classes",
                kind.classes
            )));
        }
        images.labels.push(i64::from(label));
        images.pixels.extend_from_slice(pixels);
    }
    Ok(bytes.len() / record)
}
