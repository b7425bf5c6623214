//! The overlaps from which a box found may match, and the points of recall, as the COCO API computes them.

use metricopt_sdk::{Error, Result};

/// Most thresholds at once.
pub(crate) const MOST: usize = 10;

/// One threshold, or 0.50, 0.55, .. 0.95.
pub(crate) fn overlaps(iou: Option<f64>) -> Vec<f64> {
    let mut thresholds = match iou {
        Some(iou) => vec![iou],
        None => spaced(0.5, 0.95, MOST),
    };
    for threshold in &mut thresholds {
        // The COCO API lets rounding not spoil a threshold of 1.
        *threshold = threshold.min(1.0 - 1e-10);
    }
    thresholds
}

/// 0, 0.01, .. 1.
pub(crate) fn recalls() -> Vec<f64> {
    spaced(0.0, 1.0, 101)
}

/// NumPy's `linspace`, to the last bit: a recall that equals a point has reached it.
fn spaced(from: f64, to: f64, count: usize) -> Vec<f64> {
    let last = count - 1;
    let step = (to - from) / last as f64;
    let mut points: Vec<f64> = (0..count).map(|at| from + at as f64 * step).collect();
    points[last] = to;
    points
}

pub(crate) fn check(iou: f64) -> Result<()> {
    if iou > 0.0 && iou <= 1.0 {
        return Ok(());
    }
    Err(Error::configuration(format!(
        "`iou` is {iou}, expected above 0 and at most 1"
    )))
}

/// Checks the options that `coco-map` and `average-recall` share.
pub(crate) fn check_coco(iou: Option<f64>, max_detections: usize) -> Result<()> {
    if max_detections == 0 {
        return Err(Error::configuration(
            "`max_detections` is 0, expected at least 1",
        ));
    }
    iou.map_or(Ok(()), check)
}
