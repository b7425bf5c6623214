//! Metrics of detection: boxes found against boxes true.
//!
//! | name | struct | matching | better |
//! |---|---|---|---|
//! | `voc-map` | [`VocMap`] | VOC devkit | higher |
//! | `coco-map` | [`CocoMap`] | COCO API | higher |
//! | `average-recall` | [`AverageRecall`] | COCO API | higher |
//!
//! All of them look at one class at a time: its boxes found, by descending score, take the true boxes of the same image.
//! The files follow the way of an evaluation:
//!
//! * `input.rs` checks the tensors, `ids.rs` numbers labels and images without gaps;
//! * `truth.rs` groups the objects by class and image, once for all candidates of a step (`population.rs`);
//! * `ranked.rs` puts the boxes found of each class in the order of their scores, and `ties.rs` decides between equal ones;
//! * `voc_matching.rs` and `coco_matching.rs` say which box found takes which object, by `overlap.rs`;
//! * `curve.rs` makes a precision-recall curve of it, `class_value.rs` the mean over the classes.
//!
//! Labels and image numbers are names: any `i64` is one. A class without objects is left out of the mean. A box found
//! on an image without objects is wrong. Boxes found whose corners are the wrong way round overlap nothing; true boxes
//! whose corners are so are an error. A class costs `O(n log n)` for the `n` boxes found of it.

mod average_recall;
mod by_image;
mod class_value;
mod coco_map;
mod coco_matching;
mod curve;
mod ids;
mod input;
mod overlap;
mod population;
mod ranked;
mod thresholds;
mod ties;
mod truth;
mod voc_map;
mod voc_matching;

pub use average_recall::AverageRecall;
pub use class_value::ClassValue;
pub use coco_map::CocoMap;
pub use curve::ClassCurve;
pub use overlap::Areas;
pub use ties::Ties;
pub use voc_map::{Interpolation, VocMap};
