//! Images as files, in a folder for every class: `train`, `val` and `test`, plain or inside a tar file.

mod listing;
mod load;

pub(crate) use listing::{
    ImageFile, Listing, PARTS, class_files, class_name, entries, list, metadata,
};
pub(crate) use load::{Preparation, load};
