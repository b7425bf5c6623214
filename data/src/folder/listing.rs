//! Which image files there are, before any is read.

use std::{
    collections::BTreeMap,
    ffi::OsStr,
    fs,
    path::{Path, PathBuf},
    time::UNIX_EPOCH,
};

use metricopt_sdk::{Error, Result};

use crate::{split::Parts, stream};

/// Names of the folder of each official part; the first is the usual one.
pub(crate) const PARTS: [&[&str]; 3] = [&["train"], &["val", "valid", "validation"], &["test"]];

/// Endings of file names, in lower case.
const ENDINGS: [&str; 3] = ["jpg", "jpeg", "png"];

/// What file managers leave behind.
const IGNORED: [&str; 2] = ["Thumbs.db", "desktop.ini"];

/// The image files of a data set, training images first, then by class, then by name.
#[derive(Debug)]
pub(crate) struct Listing {
    /// The folder or the tar file.
    pub(crate) root: PathBuf,
    /// Whether `root` is a tar file.
    pub(crate) packed: bool,
    pub(crate) files: Vec<ImageFile>,
    pub(crate) parts: Parts,
    pub(crate) classes: Vec<String>,
}

/// One image file.
#[derive(Clone, Debug)]
pub(crate) struct ImageFile {
    /// Relative to the folder, or the name in the tar file.
    pub(crate) path: PathBuf,
    pub(crate) label: i64,
    pub(crate) bytes: u64,
    /// When it was changed, in nanoseconds since 1970; inside a tar file 0.
    pub(crate) modified: u128,
}

impl ImageFile {
    /// A file in a folder, without a label.
    pub(crate) fn new(root: &Path, path: &Path, meta: &fs::Metadata) -> Self {
        let modified = meta
            .modified()
            .ok()
            .and_then(|time| time.duration_since(UNIX_EPOCH).ok());
        Self {
            path: path.strip_prefix(root).unwrap_or(path).to_owned(),
            label: 0,
            bytes: meta.len(),
            modified: modified.map_or(0, |time| time.as_nanos()),
        }
    }
}

impl Listing {
    /// The label of every file.
    pub(crate) fn labels(&self) -> Vec<i64> {
        self.files.iter().map(|file| file.label).collect()
    }

    /// How a file is named in errors.
    pub(crate) fn shown(&self, file: &ImageFile) -> String {
        if self.packed {
            format!("`{}` in `{}`", file.path.display(), self.root.display())
        } else {
            format!("`{}`", self.root.join(&file.path).display())
        }
    }
}

/// A file of a part and a class, before classes have numbers.
struct Found {
    part: usize,
    class: String,
    file: ImageFile,
}

/// Lists a folder or a tar file.
///
/// # Errors
///
/// If there are no training images, if a class folder is empty, or if something lies where only images should.
pub(crate) fn list(root: &Path) -> Result<Listing> {
    let packed = root.is_file();
    let mut found = if packed {
        in_tar(root)?
    } else {
        in_folder(root)?
    };
    found.sort_by(|a, b| (a.part, &a.class, &a.file.path).cmp(&(b.part, &b.class, &b.file.path)));
    if let Some([first, _]) = found
        .array_windows()
        .find(|[a, b]| a.file.path == b.file.path)
    {
        return Err(Error::data(format!(
            "`{}` holds `{}` twice",
            root.display(),
            first.file.path.display()
        )));
    }
    let mut classes = BTreeMap::new();
    for found in found.iter().filter(|found| found.part == 0) {
        let next = classes.len() as i64;
        classes.entry(found.class.clone()).or_insert(next);
    }
    if classes.is_empty() {
        return Err(Error::data(format!(
            "`{}` has no training images",
            root.display()
        ))
        .hint("expected `train/CLASS/*.jpg` or `.png`, and perhaps `val` and `test` in the same form"));
    }
    let mut counts = [0; 3];
    let mut files = Vec::with_capacity(found.len());
    for Found {
        part,
        class,
        mut file,
    } in found
    {
        let Some(&label) = classes.get(&class) else {
            return Err(Error::data(format!(
                "`{}`: there are no training images of class `{class}`, but {} images",
                root.display(),
                PARTS.get(part).map_or("other", |names| names[0])
            )));
        };
        file.label = label;
        if let Some(count) = counts.get_mut(part) {
            *count += 1;
        }
        files.push(file);
    }
    let [train, validation, test] = counts;
    Ok(Listing {
        root: root.to_owned(),
        packed,
        files,
        parts: Parts {
            train,
            validation,
            test,
        },
        classes: classes.into_keys().collect(),
    })
}

fn part_of(name: &str) -> Option<usize> {
    PARTS.iter().position(|names| names.contains(&name))
}

/// Whether this is a file that nobody put there as data.
pub(crate) fn is_ignored(name: &OsStr) -> bool {
    let name = name.to_string_lossy();
    name.starts_with('.') || IGNORED.contains(&name.as_ref())
}

pub(crate) fn is_image(path: &Path) -> bool {
    let ending = path.extension().unwrap_or_default().to_string_lossy();
    ENDINGS.contains(&ending.to_ascii_lowercase().as_str())
}

pub(crate) fn no_image(shown: &str) -> Error {
    Error::data(format!(
        "{shown} is no image: its name does not end in .jpg, .jpeg or .png"
    ))
    .hint("convert it or move it away: a class folder holds nothing but images")
}

/// The entries of a folder in the order of their names, without what is ignored.
pub(crate) fn entries(folder: &Path) -> Result<Vec<PathBuf>> {
    let unreadable = |error| stream::unreadable(folder, &error);
    let mut paths = Vec::new();
    for entry in fs::read_dir(folder).map_err(unreadable)? {
        let entry = entry.map_err(unreadable)?;
        if !is_ignored(&entry.file_name()) {
            paths.push(entry.path());
        }
    }
    paths.sort_unstable();
    Ok(paths)
}

/// What a path leads to, through links.
pub(crate) fn metadata(path: &Path) -> Result<fs::Metadata> {
    fs::metadata(path).map_err(|error| stream::unreadable(path, &error))
}

pub(crate) fn class_name(path: &Path) -> Result<String> {
    let name = path.file_name().and_then(OsStr::to_str);
    name.map(str::to_owned).ok_or_else(|| {
        Error::data(format!(
            "`{}`: the name of the class is not UTF-8",
            path.display()
        ))
        .hint("rename the folder")
    })
}

/// Links are followed. The folders are two deep, so a link that leads back to an upper folder ends as a folder among images.
fn in_folder(root: &Path) -> Result<Vec<Found>> {
    let mut found = Vec::new();
    for (part, names) in PARTS.iter().enumerate() {
        let folders: Vec<PathBuf> = names
            .iter()
            .map(|name| root.join(name))
            .filter(|folder| folder.exists())
            .collect();
        if let [first, second, ..] = folders.as_slice() {
            return Err(Error::data(format!(
                "`{}` and `{}` are the same part under two names",
                first.display(),
                second.display()
            )));
        }
        for folder in folders
            .first()
            .map(|folder| entries(folder))
            .transpose()?
            .unwrap_or_default()
        {
            if !metadata(&folder)?.is_dir() {
                return Err(Error::data(format!(
                    "`{}` is a file, where only folders of classes should be",
                    folder.display()
                )));
            }
            let class = class_name(&folder)?;
            let files = class_files(root, &folder)?;
            found.extend(files.into_iter().map(|file| Found {
                part,
                class: class.clone(),
                file,
            }));
        }
    }
    Ok(found)
}

/// The images in the folder of a class, which has nothing else in it; labels are for the caller to set.
pub(crate) fn class_files(root: &Path, folder: &Path) -> Result<Vec<ImageFile>> {
    let files = entries(folder)?;
    if files.is_empty() {
        return Err(Error::data(format!("`{}` is empty", folder.display()))
            .hint("put images there or remove the folder: every class needs some"));
    }
    let one = |path: PathBuf| {
        let meta = metadata(&path)?;
        if meta.is_dir() {
            return Err(Error::data(format!(
                "`{}` is a folder, where only images should be",
                path.display()
            )));
        }
        if !is_image(&path) || !meta.is_file() {
            return Err(no_image(&format!("`{}`", path.display())));
        }
        Ok(ImageFile::new(root, &path, &meta))
    };
    files.into_iter().map(one).collect()
}

/// Whatever is not `.../PART/CLASS/FILE` is passed over.
fn in_tar(root: &Path) -> Result<Vec<Found>> {
    let mut found = Vec::new();
    let unreadable = |error| stream::unreadable(root, &error);
    let mut archive = tar::Archive::new(stream::open(root)?);
    for entry in archive.entries().map_err(unreadable)? {
        let entry = entry.map_err(unreadable)?;
        let path = entry.path().map_err(unreadable)?.into_owned();
        let mut upwards = path.iter().rev();
        let (Some(name), Some(class), Some(part)) =
            (upwards.next(), upwards.next(), upwards.next())
        else {
            continue;
        };
        let Some(part) = part.to_str().and_then(part_of) else {
            continue;
        };
        if entry.header().entry_type().is_dir() || is_ignored(name) {
            continue;
        }
        let shown = format!("`{}` in `{}`", path.display(), root.display());
        if !entry.header().entry_type().is_file() || !is_image(&path) {
            return Err(no_image(&shown));
        }
        let class = class
            .to_str()
            .ok_or_else(|| Error::data(format!("{shown}: the name of the class is not UTF-8")))?;
        found.push(Found {
            part,
            class: class.to_owned(),
            file: ImageFile {
                path: path.clone(),
                label: 0,
                bytes: entry.size(),
                modified: 0,
            },
        });
    }
    Ok(found)
}
