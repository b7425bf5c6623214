//! Data sets of images: read from their published files, split by rule, decoded and resized, augmented for training.
//!
//! [`open`] is the way in: a [`DatasetConfig`] names a data set and says how it is divided, and three parts of pixels and
//! labels come back. [`disjoint`] is the same for retrieval, where the parts have no class in common. Nothing here knows of networks.
//!
//! ```
//! use metricopt_data::{DatasetConfig, Opening, open};
//!
//! // The built-in default: optical digits, 8 x 8.
//! let splits = open(&DatasetConfig::default(), &Opening::quiet(7))?;
//! assert_eq!((splits.train.len(), splits.validation.len(), splits.test.len()), (899, 447, 451));
//! assert_eq!((splits.train.channels, splits.train.height, splits.train.width), (1, 8, 8));
//! # Ok::<(), metricopt_sdk::Error>(())
//! ```

mod augment;
mod cache;
pub mod catalogue;
mod cifar;
mod coco;
mod config;
mod decode;
pub mod detection;
pub mod digits;
pub mod disjoint;
pub mod download;
mod folder;
mod idx;
mod images;
mod open;
mod opening;
pub mod place;
mod resize;
mod shift;
mod split;
mod stream;
mod voc;

pub use augment::{Augmentation, Normalisation};
pub use config::{DatasetConfig, DatasetName};
pub use images::{Images, Pool, Splits};
pub use open::open;
pub use opening::Opening;
pub use shift::Shift;
pub use split::{CutFrom, Parts, Plan, Shares, Thinning};
