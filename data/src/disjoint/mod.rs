//! Data sets for retrieval: no class of one part is in another.
//!
//! [`open`] is the way in. In each part the images of a class stand together and the classes in random order, so that a run of
//! neighbours is a group of classes.
//!
//! ```
//! use metricopt_data::disjoint::{Config, open};
//! use metricopt_data::Opening;
//!
//! // The built-in digits: 0 to 4 train, 5 and 6 validate, 7 to 9 test.
//! let splits = open(&Config::default(), &Opening::quiet(7))?;
//! assert_eq!(splits.validation.counts(), [0, 0, 0, 0, 0, 182, 181, 0, 0, 0]);
//! # Ok::<(), metricopt_sdk::Error>(())
//! ```

mod config;
mod folder;
mod omniglot;
mod open;
mod plan;
mod sop;

pub use config::{Config, DatasetName, Roots};
pub use open::open;
pub use plan::ClassShares;
