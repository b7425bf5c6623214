//! What a run or a comparison leaves behind.

mod adapter;
mod artifacts;
pub mod checkpoint;
mod comparison;
mod comparison_directory;
mod directory;
mod growing;
mod identity;
pub mod measurement;
mod metrics_table;
mod names;
mod optimizer_file;
pub mod samples;
mod scalars;
mod stored;
mod summary;
mod tensorboard;
mod text_table;
mod weights;

pub use adapter::read_adapter;
pub use artifacts::{
    adapter_file, optimizer_file, predictions_file, report_file, trajectories_file,
    value_function_file,
};
pub use comparison::{Comparison, Row, Spread, Versus};
pub use comparison_directory::ComparisonDirectory;
pub use directory::{Remains, RunDirectory, write_whole};
pub use identity::{Identity, TaskDescription};
pub use optimizer_file::OptimizerFile;
pub use stored::{StoredRun, StoredValueFunction};
pub use summary::{MetricSummary, Reused, Summary};
pub(crate) use text_table::align;
pub use weights::weights_file;
