//! File operations that leave either the old or the new state behind, never something in between.

use std::fs;
use std::io;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};

pub(crate) fn create_directory(path: &Path) -> Result<()> {
    fs::create_dir_all(path).map_err(|source| Error::file("create the directory", path, &source))
}

/// Deletes a file or a directory with all that it holds; one that does not exist is fine.
pub(crate) fn remove(path: &Path) -> Result<()> {
    let outcome = match path.symlink_metadata() {
        Ok(metadata) if metadata.is_dir() => fs::remove_dir_all(path),
        Ok(_) => fs::remove_file(path),
        Err(error) => Err(error),
    };
    match outcome {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(Error::file("delete", path, &error))
        }
        _ => Ok(()),
    }
}

/// Cargo looks at the time of change: a file that already says the same is left alone.
pub(crate) fn write_if_different(path: &Path, text: &str) -> Result<()> {
    if fs::read(path).is_ok_and(|current| current == text.as_bytes()) {
        return Ok(());
    }
    let new = beside(path);
    fs::write(&new, text)
        .and_then(|()| fs::rename(&new, path))
        .map_err(|source| Error::file("write", path, &source))
}

/// Makes `link` a symbolic link to `destination`.
pub(crate) fn link(link: &Path, destination: &Path) -> Result<()> {
    if fs::read_link(link).is_ok_and(|current| current == destination) {
        return Ok(());
    }
    let new = beside(link);
    remove(&new)?;
    symlink(destination, &new)
        .and_then(|()| fs::rename(&new, link))
        .map_err(|source| Error::file("create the symbolic link", link, &source))
}

/// `path` as seen from `directory` if it lies inside, so that both can be moved together; else `path` itself.
pub(crate) fn relative_to(directory: &Path, path: &Path) -> PathBuf {
    let canonical = directory
        .canonicalize()
        .unwrap_or_else(|_| directory.to_path_buf());
    path.strip_prefix(&canonical)
        .or_else(|_| path.strip_prefix(directory))
        .unwrap_or(path)
        .to_path_buf()
}

fn beside(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".new");
    name.into()
}
