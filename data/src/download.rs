//! From the catalogue to a folder: fetched, checked, unpacked, and only then put in place.
//!
//! Everything happens in `downloads/NAME` beside the data sets: half-fetched files stay there to be resumed, archives are unpacked
//! there, and one rename puts the whole folder in place. A lock keeps a second process waiting, which then finds the work done.

mod checksum;
mod fetch;
mod lock;
mod sums;
mod unpack;

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use metricopt_sdk::{Error, Result};

use crate::{
    catalogue::{Access, Entry, Form, RemoteFile},
    stream,
};
use fetch::Client;
use lock::Lock;
use sums::Sums;

pub use sums::{Verdict, verify};

/// The variable with the address of a mirror, which then serves every file as `MIRROR/NAME/FILE`.
pub const MIRROR: &str = "METRICOPT_DATA_MIRROR";

/// How data sets are fetched.
#[derive(Clone, Copy)]
pub struct Fetching<'a> {
    /// The folder of all data sets.
    pub folder: &'a Path,
    /// Where all files are taken from instead of their official addresses, as `MIRROR/NAME/FILE`.
    pub mirror: Option<&'a str>,
    /// How long a server may say nothing.
    pub patience: Duration,
    /// How long to wait before a connection that brought nothing is tried again; twice as long each time.
    pub pause: Duration,
    /// Hears about a phase: its name, how much is done, how much there is.
    pub progress: &'a dyn Fn(&str, u64, u64),
    /// Hears what is worth a line.
    pub say: &'a dyn Fn(&str),
}

/// Fetches a data set unless it is there, and gives its folder.
///
/// # Errors
///
/// If it can only be had by hand; if a server cannot be reached or does not send what the catalogue promises; if an archive
/// holds what it should not; if the disk is full. Whatever was in place before is untouched.
pub fn fetch(entry: &Entry, fetching: &Fetching<'_>) -> Result<PathBuf> {
    let target = fetching.folder.join(entry.name);
    if target.exists() {
        return Ok(target);
    }
    let files = match entry.access {
        Access::Files(files) => files,
        Access::Manual(how) => {
            return Err(
                Error::unsupported(format!("`{}` can only be had by hand", entry.name))
                    .hint(by_hand(how, entry, &target)),
            );
        }
    };
    let work = fetching.folder.join("downloads").join(entry.name);
    fs::create_dir_all(&work).map_err(|error| cannot("create", &work, &error))?;
    let _lock = Lock::take(&work.join("lock"), &|| {
        (fetching.say)(&format!(
            "waiting for another process that fetches `{}`",
            entry.name
        ));
    })?;
    if target.exists() {
        return Ok(target);
    }
    let client = Client::new(fetching);
    for file in files {
        let path = work.join(file.name);
        client
            .fetch(&address(entry, file, fetching.mirror), file, &path)
            .map_err(|error| {
                error.hint(format!(
                    "or fetch {} by any other way, put it at `{}`, and run this again",
                    file.url,
                    path.display()
                ))
            })?;
    }
    let tree = work.join("tree");
    let placed = assemble(files, &work, &tree, fetching).and_then(|()| {
        fs::rename(&tree, &target).map_err(|error| cannot("create", &target, &error))
    });
    if placed.is_err() {
        // What is left over would only be in the way; the first error says more.
        let _ = fs::remove_dir_all(&tree);
    }
    placed?;
    for file in files {
        // The data set is in place: an archive that cannot be removed costs space and nothing else.
        let _ = fs::remove_file(work.join(file.name));
    }
    Ok(target)
}

/// Where a file is taken from.
fn address(entry: &Entry, file: &RemoteFile, mirror: Option<&str>) -> String {
    match mirror {
        Some(mirror) => format!(
            "{}/{}/{}",
            mirror.trim_end_matches('/'),
            entry.name,
            file.name
        ),
        None => file.url.to_owned(),
    }
}

/// What to do to have a data set at `target`.
pub fn how_to_get(entry: &Entry, target: &Path) -> String {
    match entry.access {
        Access::Files(_) => format!("fetch it with `host data fetch {}`", entry.name),
        Access::Manual(how) => by_hand(how, entry, target),
    }
}

fn by_hand(how: &str, entry: &Entry, target: &Path) -> String {
    format!(
        "{how} in `{}`; the page is {}",
        target.display(),
        entry.page
    )
}

/// Puts together the folder of a data set from its fetched files.
fn assemble(files: &[RemoteFile], work: &Path, tree: &Path, fetching: &Fetching<'_>) -> Result<()> {
    if tree.exists() {
        // Of a process that was ended while it unpacked.
        fs::remove_dir_all(tree).map_err(|error| cannot("remove", tree, &error))?;
    }
    fs::create_dir(tree).map_err(|error| cannot("create", tree, &error))?;
    let mut sums = Sums::default();
    for file in files {
        let path = work.join(file.name);
        match file.form {
            Form::Plain => {
                let input =
                    fs::File::open(&path).map_err(|error| stream::unreadable(&path, &error))?;
                unpack::plain(input, file.name, tree, &mut sums)
            }
            Form::Tar => unpack::tar(&path, tree, &mut sums, fetching.progress),
            Form::Zip => unpack::zip(&path, tree, &mut sums, fetching.progress),
        }
        .map_err(|error| error.context(format!("`{}`", path.display())))?;
    }
    sums.write(tree)
}

fn cannot(what: &str, path: &Path, error: &std::io::Error) -> Error {
    Error::failed(format!("cannot {what} `{}`: {error}", path.display()))
        .hint("point `METRICOPT_DATA` at a folder with space that you may write to")
}
