//! Non-maximum suppression, greedy and within classes.

use super::{Corners, area};

/// A box found.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Found {
    /// Where.
    pub corners: Corners,
    /// How sure, higher is surer.
    pub score: f32,
    /// Index of its class.
    pub class: u32,
}

/// Keeps of `found` what no surer box of the same class overlaps by more than `threshold`, at most `limit` boxes, the surest
/// first. Of equal scores the one that comes first in `found` counts as surer, by its class and then by its place.
///
/// `areas` is scratch memory, kept from call to call.
///
/// ```
/// use metricopt_nn::detector::nms::{Found, suppress};
///
/// let found = |x: f32, score, class| Found { corners: [x, 0.0, x + 10.0, 10.0], score, class };
/// let mut boxes = vec![found(1.0, 0.8, 0), found(0.0, 0.9, 0), found(0.0, 0.7, 1)];
/// suppress(&mut boxes, 0.5, 100, &mut Vec::new());
/// assert_eq!(boxes, [found(0.0, 0.9, 0), found(0.0, 0.7, 1)]);
/// ```
pub fn suppress(found: &mut Vec<Found>, threshold: f32, limit: usize, areas: &mut Vec<f32>) {
    // Stable: places decide between equals.
    found.sort_by(|a, b| a.class.cmp(&b.class).then(b.score.total_cmp(&a.score)));
    areas.clear();
    let (mut kept, mut class_start) = (0, 0);
    for at in 0..found.len() {
        let candidate = found[at];
        if kept > 0 && found[kept - 1].class != candidate.class {
            class_start = kept;
        }
        let own = area(&candidate.corners);
        let hidden = found[class_start..kept]
            .iter()
            .zip(&areas[class_start..])
            .any(|(surer, &other)| {
                covers(&surer.corners, other, &candidate.corners, own, threshold)
            });
        if !hidden {
            // What is kept never overtakes what is looked at.
            found[kept] = candidate;
            areas.push(own);
            kept += 1;
        }
    }
    found.truncate(kept);
    found.sort_by(|a, b| b.score.total_cmp(&a.score));
    found.truncate(limit);
}

/// Whether two boxes with these areas overlap by more than `threshold`.
fn covers(a: &Corners, a_area: f32, b: &Corners, b_area: f32, threshold: f32) -> bool {
    let width = (a[2].min(b[2]) - a[0].max(b[0])).max(0.0);
    let height = (a[3].min(b[3]) - a[1].max(b[1])).max(0.0);
    let shared = width * height;
    shared / (a_area + b_area - shared) > threshold
}
