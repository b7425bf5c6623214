//! Files that appear all at once or not at all.

use metricopt_sdk::{Error, Result};
use std::io;
use std::path::{Path, PathBuf};

/// Writes files, with their folders, into a folder that is new or empty.
pub(super) fn write(folder: &Path, files: &[(&'static str, String)]) -> Result<()> {
    let is_there = is_empty_folder(folder)?;
    // An empty folder may be the one that a shell stands in: it is filled, a missing one is put in place as a whole.
    let beside = if is_there {
        Some(folder)
    } else {
        folder.parent()
    };
    let beside = beside
        .filter(|path| !path.as_os_str().is_empty())
        .unwrap_or(Path::new("."));
    let staging = beside.join(format!(".metricopt-new-{}", std::process::id()));
    let written = write_all(&staging, files).and_then(|()| {
        if is_there {
            move_entries(&staging, folder)
        } else {
            std::fs::rename(&staging, folder)
        }
    });
    written.map_err(|error| {
        // If even that fails, the first error says why.
        let _ = std::fs::remove_dir_all(&staging);
        let failed = Error::failed(format!("cannot write `{}`: {error}", folder.display()));
        if beside.is_dir() {
            failed.hint("choose another folder with `--path`")
        } else {
            failed.hint(format!("make the folder `{}` first", beside.display()))
        }
    })
}

/// Whether there is an empty folder; an error if there is anything else.
fn is_empty_folder(folder: &Path) -> Result<bool> {
    let taken = |what: &str| {
        Error::configuration(format!("`{}` {what}", folder.display()))
            .hint("nothing is overwritten: remove it, or choose another folder with `--path`")
    };
    match std::fs::read_dir(folder) {
        Ok(mut entries) => match entries.next() {
            None => Ok(true),
            Some(_) => Err(taken("already holds files")),
        },
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            // A link that leads nowhere is in the way all the same.
            if folder.is_symlink() {
                Err(taken("is a broken link"))
            } else {
                Ok(false)
            }
        }
        Err(error) if error.kind() == io::ErrorKind::NotADirectory => Err(taken("is no folder")),
        Err(error) => Err(
            Error::failed(format!("cannot read `{}`: {error}", folder.display()))
                .hint("choose another folder with `--path`"),
        ),
    }
}

fn write_all(folder: &Path, files: &[(&'static str, String)]) -> io::Result<()> {
    std::fs::create_dir(folder)?;
    for (path, text) in files {
        let path = folder.join(path);
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent)?;
        }
        std::fs::write(path, text)?;
    }
    Ok(())
}

/// Moves what is in a folder into an empty one; what was moved goes again if something cannot be.
fn move_entries(from: &Path, to: &Path) -> io::Result<()> {
    let mut moved: Vec<PathBuf> = Vec::new();
    let mut all = || -> io::Result<()> {
        for entry in std::fs::read_dir(from)? {
            let entry = entry?;
            let target = to.join(entry.file_name());
            std::fs::rename(entry.path(), &target)?;
            moved.push(target);
        }
        std::fs::remove_dir(from)
    };
    all().inspect_err(|_| {
        for path in &moved {
            // As above: the first error says why.
            let _ = if path.is_dir() {
                std::fs::remove_dir_all(path)
            } else {
                std::fs::remove_file(path)
            };
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files() -> Vec<(&'static str, String)> {
        vec![("a", "1".to_owned()), ("b/c", "2".to_owned())]
    }

    /// What is in a folder, hidden files and folders in it included.
    fn entries(folder: &Path) -> Vec<String> {
        let entries = std::fs::read_dir(folder).unwrap();
        let mut names: Vec<String> = entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort_unstable();
        names
    }

    #[test]
    fn new_and_empty_folders_are_filled() {
        let place = tempfile::tempdir().unwrap();
        let empty = place.path().join("empty");
        std::fs::create_dir(&empty).unwrap();
        for folder in [place.path().join("new"), empty] {
            write(&folder, &files()).unwrap();
            assert_eq!(entries(&folder), ["a", "b"]);
            assert_eq!(std::fs::read_to_string(folder.join("b/c")).unwrap(), "2");
        }
        assert_eq!(entries(place.path()), ["empty", "new"]);
    }

    #[test]
    fn what_is_there_stays() {
        let place = tempfile::tempdir().unwrap();
        let path = |name: &str| place.path().join(name);
        std::fs::create_dir(path("full")).unwrap();
        std::fs::write(path("full/mine"), "mine").unwrap();
        std::fs::write(path("file"), "mine").unwrap();
        for (name, expected) in [
            ("full", "already holds files"),
            ("file", "is no folder"),
            ("file/new", "is no folder"),
            ("none/new", "cannot write"),
        ] {
            let error = write(&path(name), &files()).unwrap_err();
            assert!(error.to_string().contains(expected), "{error}");
            assert!(!error.hints().is_empty(), "{error}");
        }
        assert_eq!(entries(place.path()), ["file", "full"]);
        assert_eq!(entries(&path("full")), ["mine"]);
    }

    #[test]
    fn half_a_crate_is_taken_back() {
        let place = tempfile::tempdir().unwrap();
        // A file cannot be a folder too.
        let files = [("a", String::new()), ("a/b", String::new())];
        write(&place.path().join("new"), &files).unwrap_err();
        write(place.path(), &files).unwrap_err();
        assert!(entries(place.path()).is_empty());
    }
}
