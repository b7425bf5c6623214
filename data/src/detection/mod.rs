//! Data sets for detection: images with boxes, brought to one size.
//!
//! ```
//! use metricopt_data::Opening;
//! use metricopt_data::detection::{DatasetConfig, open};
//!
//! // The built-in default: optical digits scattered over textured ground.
//! let splits = open(&DatasetConfig::default(), &Opening::quiet(7))?;
//! assert_eq!((splits.train.height, splits.train.width, splits.train.classes.len()), (64, 64, 10));
//! assert!(splits.train.scenes.iter().all(|scene| !scene.objects.is_empty()));
//! # Ok::<(), metricopt_sdk::Error>(())
//! ```

pub(crate) mod assemble;
mod config;
pub(crate) mod fit;
mod frame;
mod generated;
mod open;
mod scenes;

pub use config::{DatasetConfig, DatasetName, Fit, OnBadAnnotation};
pub use frame::Frame;
pub use generated::Scattered;
pub use open::open;
pub use scenes::{Object, Scene, Scenes, Splits};
