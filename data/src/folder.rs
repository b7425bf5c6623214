//! Images as files, in a folder for every class: `train`, `val` and `test`, plain or inside a tar file.

mod listing;
mod load;

pub(crate) use listing::list;
pub(crate) use load::{Preparation, load};
