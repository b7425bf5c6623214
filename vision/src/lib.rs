//! What plugins for images share: a data set of `metricopt-data` in front of a network of `metricopt-nn`.
//!
//! [`Pixels`] turns bytes into what a network takes; [`Entrance`] is a frozen network and what comes before it; [`Part`] holds the
//! images of a split, and their activations in front of the first FiLM site where that pays ([`Stems`]); [`TunedSites`] says where the
//! network is tuned; [`Tuned`] is all of these together; [`Epochs`] gives the minibatches of a pre-training, and [`cached`] keeps
//! the networks that came of it.

mod cache;
mod epochs;
mod part;
mod pixels;
mod sites;
mod stems;
mod tuned;

pub use cache::{Content, Recipe, cached};
pub use epochs::Epochs;
pub use part::{Entrance, Part, augment};
pub use pixels::Pixels;
pub use sites::TunedSites;
pub use stems::Stems;
pub use tuned::{Moment, Tuned, device_memory, in_groups};
