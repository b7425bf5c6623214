//! Intersection over union.

use metricopt_sdk::prelude::*;

/// How wide a box from `x1` to `x2` is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Areas {
    /// `x2 - x1 + 1`: corners are the numbers of pixels that belong to the box, as in the VOC devkit.
    #[default]
    InclusivePixels,
    /// `x2 - x1`: corners are points of the plane, as in the COCO API.
    Continuous,
}

/// A box in double precision, its area beside it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Region {
    corners: [f64; 4],
    area: f64,
    /// What a width exceeds the difference of the corners by.
    excess: f64,
}

impl Region {
    pub(crate) fn new(corners: [f32; 4], areas: Areas) -> Self {
        let excess = match areas {
            Areas::InclusivePixels => 1.0,
            Areas::Continuous => 0.0,
        };
        let corners @ [x1, y1, x2, y2] = corners.map(f64::from);
        Self {
            corners,
            area: (x2 - x1 + excess) * (y2 - y1 + excess),
            excess,
        }
    }

    /// Intersection over union; 0 where the boxes share no area, also for a box whose corners are the wrong way round.
    pub(crate) fn overlap(&self, other: &Self) -> f64 {
        let [ax1, ay1, ax2, ay2] = self.corners;
        let [bx1, by1, bx2, by2] = other.corners;
        // Comparisons rather than `min` and `max`, which spend instructions on NaN.
        let width = if ax2 < bx2 { ax2 } else { bx2 } - if ax1 > bx1 { ax1 } else { bx1 };
        let height = if ay2 < by2 { ay2 } else { by2 } - if ay1 > by1 { ay1 } else { by1 };
        let (width, height) = (width + self.excess, height + self.excess);
        if width <= 0.0 || height <= 0.0 {
            return 0.0;
        }
        let shared = width * height;
        shared / (self.area + other.area - shared)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn overlap(a: [f32; 4], b: [f32; 4], areas: Areas) -> f64 {
        Region::new(a, areas).overlap(&Region::new(b, areas))
    }

    #[test]
    fn pixels_count_and_points_do_not() {
        let (a, b) = ([0.0, 0.0, 9.0, 9.0], [0.0, 5.0, 9.0, 14.0]);
        // Rows 5 to 9 of 15 rows; 4 of 14.
        assert_eq!(overlap(a, b, Areas::InclusivePixels), 5.0 / 15.0);
        assert_eq!(overlap(a, b, Areas::Continuous), 4.0 / 14.0);
        let point = [3.0, 3.0, 3.0, 3.0];
        assert_eq!(overlap(point, point, Areas::InclusivePixels), 1.0);
        assert_eq!(overlap(point, point, Areas::Continuous), 0.0);
    }

    #[test]
    fn corners_the_wrong_way_round_overlap_nothing() {
        let right = [0.0, 0.0, 9.0, 9.0];
        for wrong in [
            [9.0, 0.0, 0.0, 9.0],
            [0.0, 9.0, 9.0, 0.0],
            [9.0, 9.0, 0.0, 0.0],
        ] {
            for areas in [Areas::InclusivePixels, Areas::Continuous] {
                assert_eq!(overlap(wrong, right, areas), 0.0);
                assert_eq!(overlap(wrong, wrong, areas), 0.0);
            }
        }
    }
}
