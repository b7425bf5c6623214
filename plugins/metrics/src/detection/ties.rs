//! The order of boxes between which their scores do not decide.

use metricopt_sdk::prelude::*;
use std::cmp::Ordering;

/// Which of several boxes found comes first where their scores are equal.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Ties {
    /// The one on the image with the lower number, then by its corners: the order of the rows never counts. Objects that
    /// a box overlaps equally are tried by their corners too.
    #[default]
    Content,
    /// The one that comes first, as in the reference implementation with its stable sort.
    Index,
}

impl Ties {
    /// The order of the COCO API, which goes through the images by their number.
    pub(crate) fn by_image(self) -> TieOrder {
        match self {
            Ties::Content => TieOrder::ImageThenCorners,
            Ties::Index => TieOrder::ImageThenRow,
        }
    }
}

/// Order of boxes found with equal scores.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TieOrder {
    Row,
    ImageThenRow,
    ImageThenCorners,
}

/// Compares two boxes corner by corner.
pub(crate) fn by_corners(boxes: &[[f32; 4]], a: u32, b: u32) -> Ordering {
    let corners = boxes[a as usize].iter().zip(&boxes[b as usize]);
    corners
        .map(|(a, b)| a.total_cmp(b))
        .find(|order| order.is_ne())
        .unwrap_or(Ordering::Equal)
}
