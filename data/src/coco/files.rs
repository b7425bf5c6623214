//! Which files a data set has.

use std::fs;
use std::path::{Component, Path, PathBuf};

use metricopt_sdk::{Error, Result};

use super::instances::Instances;
use crate::stream;

/// In front of the names of files with boxes; other files beside them hold outlines of people and captions.
const PREFIX: &str = "instances_";

/// The largest file of annotations; that of COCO's training images has 470 MB.
const MAX_ANNOTATIONS: u64 = 1 << 31;

/// The largest image file.
const MAX_IMAGE: u64 = 1 << 28;

/// The annotations of a part and the folder with its images.
pub(super) struct Part {
    pub(super) file: PathBuf,
    pub(super) images: PathBuf,
    pub(super) instances: Instances,
}

impl Part {
    /// The part whose name begins with `start`; `None` if there is none.
    ///
    /// # Errors
    ///
    /// If there are several, or the file cannot be read.
    pub(super) fn find(root: &Path, start: &str) -> Result<Option<Self>> {
        let folder = root.join("annotations");
        let unreadable = |error| stream::unreadable(&folder, &error);
        let mut found = Vec::new();
        for entry in fs::read_dir(&folder).map_err(unreadable)? {
            let path = entry.map_err(unreadable)?.path();
            let part = path.file_name().and_then(|name| name.to_str());
            let part = part.and_then(|name| name.strip_prefix(PREFIX)?.strip_suffix(".json"));
            if let Some(part) = part.filter(|part| part.starts_with(start)) {
                found.push((part.to_owned(), path));
            }
        }
        found.sort_unstable();
        let (part, file) = match found.as_slice() {
            [] => return Ok(None),
            [(part, file)] => (part, file.clone()),
            [(_, one), (_, other), ..] => {
                return Err(Error::data(format!(
                    "`{}` and `{}` are both files of the same part",
                    one.display(),
                    other.display()
                ))
                .hint(format!("leave one file `{PREFIX}{start}...json` there")));
            }
        };
        let bytes = stream::read(&file, MAX_ANNOTATIONS)?;
        let instances = Instances::parse(&bytes)
            .map_err(|error| error.context(format!("`{}`", file.display())))?;
        let places = [
            root.join(part),
            root.join("images").join(part),
            root.join("images"),
        ];
        let images = places.iter().find(|folder| folder.is_dir());
        let Some(images) = images.cloned() else {
            return Err(Error::data(format!(
                "the folder `{}` with the images of `{}` is not there",
                places[0].display(),
                file.display()
            )));
        };
        Ok(Some(Self {
            file,
            images,
            instances,
        }))
    }

    /// How its file is named in errors.
    pub(super) fn shown(&self) -> String {
        format!("`{}`", self.file.display())
    }

    /// The file of an image.
    ///
    /// # Errors
    ///
    /// If it is not there or lies elsewhere.
    pub(super) fn image(&self, name: &str) -> Result<PathBuf> {
        let inner = |part: Component<'_>| matches!(part, Component::Normal(_));
        if name.is_empty() || !Path::new(name).components().all(inner) {
            return Err(Error::data(format!(
                "{}: `{name}` is no name of an image",
                self.shown()
            )));
        }
        let path = self.images.join(name);
        if path.is_file() {
            return Ok(path);
        }
        Err(Error::data(format!(
            "`{}` is not there, but {} names it",
            path.display(),
            self.shown()
        )))
    }
}

/// The bytes of an image file.
///
/// # Errors
///
/// If it cannot be read.
pub(super) fn image(path: &Path) -> Result<Vec<u8>> {
    stream::read(path, MAX_IMAGE)
}
