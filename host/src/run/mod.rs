//! What a run leaves behind.

mod artifacts;
mod directory;
mod growing;
mod metrics_table;
mod scalars;
mod summary;
mod tensorboard;

pub use artifacts::{adapter_file, trajectories_file, value_function_file};
pub use directory::{Remains, RunDirectory};
pub use summary::{MetricSummary, Summary};
