//! Where data sets lie.

use std::{
    env,
    path::{Path, PathBuf},
};

use metricopt_sdk::{Error, Result};

use crate::catalogue::{Access, Entry, Form};
use crate::{catalogue, config::DatasetConfig, download};

/// The variable that names the folder of all data sets.
pub const VARIABLE: &str = "METRICOPT_DATA";

/// The folder of all data sets: `METRICOPT_DATA`, or `metricopt/data` in the user's data directory.
///
/// # Errors
///
/// If neither the variable nor a home directory is set.
pub fn data_folder() -> Result<PathBuf> {
    if let Some(folder) = env::var_os(VARIABLE).filter(|folder| !folder.is_empty()) {
        return Ok(folder.into());
    }
    env::var_os("XDG_DATA_HOME")
        .map(PathBuf::from)
        .filter(|folder| folder.is_absolute())
        .or_else(|| Some(PathBuf::from(env::var_os("HOME")?).join(".local/share")))
        .map(|base| base.join("metricopt/data"))
        .ok_or_else(|| {
            Error::failed("there is no folder for data sets: `HOME` is not set")
                .hint(format!("set `{VARIABLE}` to a folder"))
        })
}

/// The folder or file that a configuration names, or the folder of the data set of that name.
///
/// # Errors
///
/// If it is not there; the hint says how to get it.
pub(crate) fn root(config: &DatasetConfig) -> Result<PathBuf> {
    let name = config.dataset.name();
    named(name, config.root.as_deref())
}

/// This folder or file if there is one, else the folder of the data set of that name.
pub(crate) fn named(name: &str, root: Option<&Path>) -> Result<PathBuf> {
    let found = match root {
        Some(root) => root.to_owned(),
        None => data_folder()?.join(name),
    };
    if found.exists() {
        return Ok(found);
    }
    Err(missing(&found, name, root.is_some()))
}

fn missing(root: &Path, name: &str, named: bool) -> Error {
    let shown = root.display();
    let entry = catalogue::find(name).ok();
    if named {
        let error = Error::data(format!("`{shown}` does not exist")).hint(format!(
            "`root` must be the folder with the files of `{name}`"
        ));
        return match entry {
            Some(entry) => with_files(error, entry, root).hint(format!(
                "or let `host data fetch {name}` do it, and leave `task.root` out"
            )),
            None => error,
        };
    }
    let error = Error::data(format!(
        "the data set `{name}` is not there: `{shown}` does not exist"
    ));
    let error = match entry {
        Some(entry) => with_files(error.hint(download::how_to_get(entry, root)), entry, root),
        None => error.hint(format!("put its files into `{shown}`")),
    };
    error.hint("or name the folder that has it with `--set task.root=DIR`")
}

/// With the files that make up a data set, for a machine that cannot fetch them.
fn with_files(error: Error, entry: &Entry, root: &Path) -> Error {
    let Access::Files(files) = entry.access else {
        return error;
    };
    let addresses: Vec<&str> = files.iter().map(|file| file.url).collect();
    let what = if files.iter().any(|file| file.form == Form::Plain) {
        "put"
    } else {
        "unpack"
    };
    error.hint(format!(
        "by hand: {what} {} into `{}`",
        addresses.join(" and "),
        root.display()
    ))
}
