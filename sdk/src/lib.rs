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
//! use metricopt_sdk::prelude::*;
//!
//! /// Share of the `k` highest scores that are positive.
//! #[derive(Serialize, Deserialize, JsonSchema)]
//! #[serde(default, deny_unknown_fields)]
//! struct PrecisionAtK { k: usize }
//!
//! impl Default for PrecisionAtK {
//!     fn default() -> Self { Self { k: 100 } }
//! }
//!
//! impl Metric for PrecisionAtK {
//!     const NAME: &'static str = "precision-at-k";
//!     const DIRECTION: Direction = Direction::Maximise;
//!     type Input<'a> = Classification<'a>;
//!
//!     fn evaluate(&self, input: Classification<'_>) -> Result<f64> {
//!         let mut rows: Vec<_> = input.scores().iter().zip(input.labels()).collect();
//!         rows.sort_by(|a, b| b.0.total_cmp(a.0));
//!         let positive = rows.iter().take(self.k).filter(|row| *row.1 == 1).count();
//!         Ok(positive as f64 / self.k as f64)
//!     }
//! }
//! register!(metric PrecisionAtK);
//!
//! let input = Classification::binary(&[0.9, 0.1, 0.7], &[1, 1, 0])?;
//! assert_eq!(PrecisionAtK { k: 2 }.evaluate(input)?, 0.5);
//! # Ok::<(), metricopt_sdk::Error>(())
//! ```

mod call;
pub mod config;
mod error;
mod metric;
pub mod panics;
pub mod predictions;
mod registration;
mod rows;
#[cfg(feature = "torch")]
mod task;
pub mod testkit;
mod view;

pub use call::Call;
pub use error::{Error, ErrorKind, Result};
pub use metric::{Direction, DynMetric, Metric, MetricEntry};
pub use predictions::{
    Classification, Detection, Kind, Named, OwnedClassification, Predictions, Retrieval,
};
pub use registration::{Make, Registration, registrations};
pub use rows::{Batch, Part, Rows, Split};
#[cfg(feature = "torch")]
pub use task::{Context, Description, DynTask, Emit, Gradients, Site, Task, TaskEntry, autograd};
pub use view::{Data, View, Views};

/// The tensor library of tasks.
#[cfg(feature = "torch")]
pub use tch;

/// Everything a plugin needs, for `use metricopt_sdk::prelude::*`.
pub mod prelude {
    #[cfg(feature = "torch")]
    pub use crate::{
        Batch, Context, Description, Emit, Gradients, Part, Rows, Site, Split, Task, autograd,
    };
    pub use crate::{
        Call, Classification, Data, Detection, Direction, Error, Kind, Metric, Named, Predictions,
        Result, Retrieval, View, Views, register,
    };
    pub use schemars::{self, JsonSchema};
    pub use serde::{self, Deserialize, Serialize};
}

/// Keeps the example of the README compiling.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;

#[doc(hidden)]
pub mod __private {
    pub use inventory;
}
