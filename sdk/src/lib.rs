//! Write a metric or a task for metricopt.
//!
//! metricopt fine-tunes a pre-trained network for the metric that people report, although that metric has no
//! gradient (MetricOpt, Huang et al., CVPR 2021, arXiv 2104.10631). This crate is what a plugin author sees:
//!
//! * [`Metric`]: a plain struct whose fields are its configuration and one function from predictions to a number.
//!   Needs no libtorch.
//! * [`Task`] (feature `torch`): data, a frozen network with an adapter, and a surrogate loss.
//! * [`register!`]: one line that makes either known to the host.
//! * [`testkit`]: laws that every metric obeys, checked by one line of a test.
//!
//! ```
//! use metricopt_sdk::{prelude::*, testkit};
//!
//! /// Share of the samples scored at or above `score` that are positive.
//! #[derive(Serialize, Deserialize, JsonSchema)]
//! #[serde(default, deny_unknown_fields)]
//! struct PrecisionAt { score: f32 }
//!
//! impl Default for PrecisionAt {
//!     fn default() -> Self { Self { score: 0.8 } }
//! }
//!
//! impl Metric for PrecisionAt {
//!     const NAME: &'static str = "precision-at";
//!     const DIRECTION: Direction = Direction::Maximise;
//!     const RANGE: (f64, f64) = (0.0, 1.0);
//!     type Input<'a> = Classification<'a>;
//!
//!     fn evaluate(&self, input: Classification<'_>) -> Result<f64> {
//!         if !input.is_binary() {
//!             return Err(Error::unsupported("scores of several classes"));
//!         }
//!         let rows = input.scores().iter().zip(input.labels());
//!         let labels: Vec<i64> = rows.filter(|row| *row.0 >= self.score).map(|row| *row.1).collect();
//!         if labels.is_empty() {
//!             return Err(Error::undefined("no sample is scored that high"));
//!         }
//!         Ok(labels.iter().sum::<i64>() as f64 / labels.len() as f64)
//!     }
//! }
//! register!(metric PrecisionAt);
//!
//! let input = Classification::binary(&[0.9, 0.1, 0.7], &[1, 1, 0])?;
//! assert_eq!(PrecisionAt { score: 0.5 }.evaluate(input)?, 0.5);
//! // In a test: a metric that depends on the order of the samples, or improves the other way, is found out.
//! testkit::assert_laws(&PrecisionAt::default());
//! # Ok::<(), metricopt_sdk::Error>(())
//! ```

#[cfg(not(panic = "unwind"))]
compile_error!(
    "metricopt plugins need `panic = \"unwind\"`: a panic in a metric or task becomes an error, which an abort cannot; \
     remove `panic = \"abort\"` from the profile in Cargo.toml"
);

pub mod abi;
#[cfg(feature = "torch")]
mod autograd;
mod call;
pub mod config;
mod details;
#[cfg(feature = "torch")]
mod device_memory;
mod error;
mod metric;
#[cfg(feature = "torch")]
mod named_tensor;
pub mod panics;
#[cfg(feature = "torch")]
mod pictures;
pub mod predictions;
mod registration;
mod rows;
#[cfg(feature = "torch")]
mod shared_tensor;
#[cfg(feature = "torch")]
mod task;
pub mod testkit;
mod view;

#[cfg(feature = "torch")]
pub use autograd::{Gradients, autograd, autograd_each};
pub use call::Call;
pub use details::{ClassDetails, Details};
#[cfg(feature = "torch")]
pub use device_memory::DeviceMemory;
pub use error::{Error, ErrorKind, Result};
pub use metric::{Direction, DynMetric, Metric, MetricEntry};
#[cfg(feature = "torch")]
pub use named_tensor::NamedTensor;
#[cfg(feature = "torch")]
pub use pictures::{Picture, Pictures};
pub use predictions::{
    Classification, Detection, Kind, Named, OwnedClassification, Predictions, Retrieval,
};
pub use registration::{Make, Registration, registrations};
pub use rows::{Batch, Part, Rows, Split};
#[cfg(feature = "torch")]
pub use shared_tensor::SharedTensor;
#[cfg(feature = "torch")]
pub use task::{Context, Description, DynTask, Emit, Site, Task, TaskEntry, boxed};
pub use view::{Data, View, Views};

/// Log events: a plugin's `tracing::info!` appears in the host's log with the plugin's name.
pub use tracing;

/// The tensor library of tasks.
#[cfg(feature = "torch")]
pub use tch;

/// Everything a plugin needs, for `use metricopt_sdk::prelude::*`.
pub mod prelude {
    #[cfg(feature = "torch")]
    pub use crate::{
        Batch, Context, Description, Emit, Gradients, NamedTensor, Part, Picture, Pictures, Rows,
        Site, Split, Task, autograd,
    };
    pub use crate::{
        Call, ClassDetails, Classification, Data, Details, Detection, Direction, Error, Kind,
        Metric, Named, Predictions, Result, Retrieval, View, Views, register,
    };
    pub use schemars::{self, JsonSchema};
    pub use serde::{self, Deserialize, Serialize};
}

/// Keeps the example of the README compiling.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
#[doc = include_str!("../../plugins/README.md")]
struct Readme;

#[doc(hidden)]
pub mod __private {
    pub use inventory;
}
