//! From the outputs of a detector to boxes.

use super::coding::decode;
use super::nms::{Found, suppress};
use super::{Anchors, Corners};

/// Which boxes are kept.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Keeping {
    /// Least score, 0 to 1.
    pub least_score: f32,
    /// Most boxes of an image that are compared with each other, the surest; of detectors whose [groups](Anchors::groups) are
    /// levels, of each level.
    pub candidates: usize,
    /// Overlap above which the less sure of two boxes of a class goes.
    pub overlap: f32,
    /// Most boxes of an image.
    pub limit: usize,
}

/// The boxes of one image of `[height, width]`, the surest first, cut at its borders.
///
/// `logits` `[A, classes]` and `codes` `[A, 4]`, row by row. Boxes that the border leaves without an area are dropped. Of
/// equal scores the earlier anchor, then the lower class, comes first.
pub fn detect(
    logits: &[f32],
    codes: &[f32],
    anchors: &Anchors,
    [height, width]: [f32; 2],
    keeping: &Keeping,
) -> Vec<Found> {
    let classes = logits.len() / anchors.boxes().len().max(1);
    // The logistic function is monotone: logits are compared, and only what is left is turned into scores.
    let least = (f64::from(keeping.least_score) / (1.0 - f64::from(keeping.least_score))).ln();
    let least = least as f32;
    let surer = |a: &(f32, u32), b: &(f32, u32)| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1));
    let mut above: Vec<(f32, u32)> = Vec::new();
    for group in anchors.groups() {
        let range = group.start * classes..group.end * classes;
        let mut of_group: Vec<(f32, u32)> = logits
            .iter()
            .zip(0_u32..)
            .take(range.end)
            .skip(range.start)
            .filter(|(logit, _)| **logit > least)
            .map(|(&logit, at)| (logit, at))
            .collect();
        if of_group.len() > keeping.candidates {
            of_group.select_nth_unstable_by(keeping.candidates, surer);
            of_group.truncate(keeping.candidates);
        }
        above.append(&mut of_group);
    }
    above.sort_unstable_by(surer);
    let (codes, _) = codes.as_chunks::<4>();
    let mut found: Vec<Found> = above
        .into_iter()
        .filter_map(|(logit, at)| {
            let (row, class) = (at as usize / classes, at as usize % classes);
            let [x1, y1, x2, y2] = decode(codes.get(row)?, anchors.boxes().get(row)?);
            let corners: Corners = [
                x1.clamp(0.0, width),
                y1.clamp(0.0, height),
                x2.clamp(0.0, width),
                y2.clamp(0.0, height),
            ];
            let has_area = corners[2] > corners[0] && corners[3] > corners[1];
            has_area.then(|| Found {
                corners,
                score: 1.0 / (1.0 + (-logit).exp()),
                class: class as u32,
            })
        })
        .collect();
    suppress(&mut found, keeping.overlap, keeping.limit, &mut Vec::new());
    found
}
