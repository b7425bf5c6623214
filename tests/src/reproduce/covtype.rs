//! The published runs on CoverType.

use std::path::Path;

use super::Experiment;

/// Every run on the given file.
pub fn experiments(path: &Path) -> Vec<Experiment> {
    // Quoted as TOML wants it, so that no path is taken for a number.
    let path = format!("task.path={:?}", path.to_string_lossy());
    let set = [
        "task.dataset=covtype",
        &path,
        "task.split.train_rows=100000",
    ];
    ["f1", "mcr", "aucpr"]
        .map(|metric| Experiment::new("covtype", "CoverType", metric, &set))
        .to_vec()
}
