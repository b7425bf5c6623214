//! What plugins for images share: a data set of `metricopt-data` in front of a network of `metricopt-nn`.
//!
//! [`Pixels`] turns bytes into what a network takes, on a GPU by [`look_up`](look_up()); [`Entrance`] is a frozen network and what comes before it; [`Part`] holds the
//! images of a split, and their activations in front of the first FiLM site where that pays ([`Stems`]); [`TunedSites`] says where the
//! network is tuned; [`Tuned`] is all of these together; [`Epochs`] gives the minibatches of a pre-training, and [`cached`] keeps
//! the networks that came of it.

mod cache;
mod epochs;
mod look_up;
mod part;
mod pixels;
mod sites;
mod stems;
mod tuned;

pub use cache::{Content, Recipe, cached};
pub use epochs::Epochs;
pub use look_up::look_up;
pub use part::{Entrance, Part, augment};
pub use pixels::Pixels;
pub use sites::TunedSites;
pub use stems::Stems;
pub use tuned::{Moment, Tuned, device_memory, in_groups};
