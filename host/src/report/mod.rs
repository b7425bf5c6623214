//! `report.html` and `comparison.html`: what a run or a comparison found as one page for people, made from the files of its
//! directory alone.

pub mod colours;
pub mod comparison;
pub mod data;
pub mod figures;
pub mod history;
pub mod html;
pub mod learned;
pub mod overlay;
pub mod page;
pub mod pca;
pub mod plane;
pub mod rows;
pub mod scale;
pub mod series;
pub mod sites;
pub mod svg;
pub mod tensors;

use metricopt_sdk::{Error, Result};
use std::path::{Path, PathBuf};

pub use comparison::of_comparison;
pub use data::Run;

/// Name of the report in a run directory.
pub const FILE: &str = "report.html";

/// The report of one run.
///
/// # Errors
///
/// If the run did not finish, or one of its files is damaged.
pub fn of_run(directory: &Path) -> Result<String> {
    Ok(page::page(&Run::read(directory)?))
}

/// The report of several runs side by side.
///
/// # Errors
///
/// As for one run.
pub fn of_runs(directories: &[PathBuf]) -> Result<String> {
    let runs: Result<Vec<Run>> = directories.iter().map(|path| Run::read(path)).collect();
    Ok(overlay::overlay(&runs?))
}

/// Writes a report whole or not at all.
///
/// # Errors
///
/// If it cannot be written.
pub fn write(path: &Path, html: &str) -> Result<()> {
    crate::run::write_whole(path, html.as_bytes()).map_err(|error| {
        Error::data(format!("cannot write `{}`: {error}", path.display()))
            .hint("choose a file in a folder that you may write to with `--out FILE`")
    })
}
