//! The layout of COCO (Lin et al., ECCV 2014): `annotations/instances_PART.json` and a folder of images `PART`.
//!
//! An annotation with `iscrowd` marks a region with many objects: it becomes a difficult object, which nobody has to find and
//! which is no mistake to find, in training as in the metric.

mod files;
mod instances;
mod read;

pub(crate) use read::read;
