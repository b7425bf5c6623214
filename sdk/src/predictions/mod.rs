//! Prediction kinds: typed, validated views over named tensors.
//!
//! A task declares the [`Kind`] it yields and a metric the kind it takes, so that a mismatch is found before any work
//! starts. Validation happens once, in [`Predictions::from_views`]; a metric never sees a wrong shape, a wrong dtype,
//! NaN or a label out of range.

mod classification;
mod detection;
mod named;
mod retrieval;

pub use classification::{Classification, OwnedClassification};
pub use detection::Detection;
pub use named::Named;
pub use retrieval::Retrieval;

use serde::{Deserialize, Serialize};
use std::fmt;

use crate::{Error, Result, Views};

/// What a set of named tensors means.
///
/// ```
/// use metricopt_sdk::Kind;
///
/// assert_eq!(Kind::Retrieval.name(), "retrieval");
/// assert_eq!(Kind::Classification.tensors(), "`scores` F32 [N] or [N, C], `labels` I64 [N]");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Kind {
    /// `scores` f32 `[N]` or `[N, C]`, `labels` i64 `[N]`.
    Classification,
    /// `embeddings` f32 `[N, D]`, `labels` i64 `[N]`; where queries are not the items themselves also
    /// `query_embeddings` f32 `[Q, D]`, `query_labels` i64 `[Q]`; where only some items are queries `query_rows` i64 `[Q]`.
    Retrieval,
    /// `boxes` f32 `[M, 4]`, `scores` f32 `[M]`, `labels` i64 `[M]`, `image_ids` i64 `[M]` and the `gt_` tensors.
    Detection,
    /// Anything else, looked up by name.
    Named,
}

impl Kind {
    /// The name, in lower case.
    pub const fn name(self) -> &'static str {
        match self {
            Kind::Classification => "classification",
            Kind::Retrieval => "retrieval",
            Kind::Detection => "detection",
            Kind::Named => "named",
        }
    }

    /// The tensors that make it up, for messages and documentation.
    pub const fn tensors(self) -> &'static str {
        match self {
            Kind::Classification => "`scores` F32 [N] or [N, C], `labels` I64 [N]",
            Kind::Retrieval => {
                "`embeddings` F32 [N, D], `labels` I64 [N], \
                 optionally `query_embeddings` F32 [Q, D], `query_labels` I64 [Q], or `query_rows` I64 [Q]"
            }
            Kind::Detection => {
                "`boxes` F32 [M, 4] (x1, y1, x2, y2), `scores` F32 [M], `labels` I64 [M], `image_ids` I64 [M], \
                 `gt_boxes` F32 [G, 4], `gt_labels` I64 [G], `gt_image_ids` I64 [G], `gt_difficult` U8 [G]"
            }
            Kind::Named => "any tensors, by name",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

/// A typed view that a metric takes as its input.
pub trait Predictions<'a>: Copy {
    /// Which kind this is.
    const KIND: Kind;

    /// Checks the named tensors and borrows them.
    ///
    /// # Errors
    ///
    /// If a tensor is missing, or has the wrong dtype, shape or values.
    fn from_views(views: &Views<'a>) -> Result<Self>;
}

/// Finds the first NaN or infinity.
fn check_finite(name: &str, values: &[f32]) -> Result<()> {
    // Integers compare without order, so that this vectorises, unlike a sum or a fold of floats: infinity has the
    // largest magnitude bits of all numbers, NaN larger ones still.
    let magnitude = |value: &f32| value.to_bits() & 0x7FFF_FFFF;
    if values.iter().map(magnitude).max().unwrap_or(0) < f32::INFINITY.to_bits() {
        return Ok(());
    }
    match values.iter().position(|value| !value.is_finite()) {
        Some(at) => Err(Error::data(format!(
            "tensor `{name}` holds {} at element {at}",
            values[at]
        ))),
        None => Ok(()),
    }
}

fn check_shape(name: &str, shape: &[usize], expected: &[usize]) -> Result<()> {
    if shape == expected {
        Ok(())
    } else {
        Err(Error::data(format!(
            "tensor `{name}` has shape {shape:?}, expected {expected:?}"
        )))
    }
}
