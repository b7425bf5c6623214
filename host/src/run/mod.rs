//! What a run leaves behind.

mod artifacts;
pub mod checkpoint;
mod directory;
mod summary;

pub use artifacts::{adapter_file, report_file, trajectories_file, value_function_file};
pub use directory::{Remains, RunDirectory, write_whole};
pub use summary::{MetricSummary, Summary};
