//! What plugins for images share: a data set of `metricopt-data` in front of a network of `metricopt-nn`.
//!
//! [`Pixels`] turns bytes into what a network takes; [`Entrance`] is a frozen network and what comes before it; [`Part`] holds the
//! images of a split, and their activations in front of the first FiLM site where that pays; [`TunedSites`] says where the
//! network is tuned; [`cached`] keeps networks that a plugin has pre-trained.

mod cache;
mod part;
mod pixels;
mod sites;

pub use cache::{Content, Recipe, cached};
pub use part::{Entrance, Part, augment};
pub use pixels::Pixels;
pub use sites::TunedSites;
