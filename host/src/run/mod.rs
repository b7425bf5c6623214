//! What a run or a comparison leaves behind.

mod adapter;
mod artifacts;
pub mod checkpoint;
mod comparison;
mod comparison_directory;
mod directory;
mod growing;
mod metrics_table;
mod scalars;
mod summary;
mod tensorboard;
mod text_table;
mod weights;

pub use adapter::read_adapter;
pub use artifacts::{adapter_file, report_file, trajectories_file, value_function_file};
pub use comparison::{Comparison, Row, Spread, Versus};
pub use comparison_directory::ComparisonDirectory;
pub use directory::{Remains, RunDirectory, write_whole};
pub use summary::{MetricSummary, Summary};
pub use weights::weights_file;
