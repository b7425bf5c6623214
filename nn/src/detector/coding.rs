//! Boxes as corrections of anchors (Girshick et al., CVPR 2014, appendix C), with all weights one.

use super::Corners;

/// The largest logarithm of a width or height in anchors that is decoded: 1000 pixels for an anchor of 16.
pub const LARGEST: f32 = 4.135_166_6;

/// A box relative to an anchor: centre in sides of the anchor, logarithms of the sides. Both have an area.
///
/// ```
/// use metricopt_nn::detector::coding::{decode, encode};
///
/// let (anchor, corners) = ([0.0, 0.0, 10.0, 20.0], [5.0, 0.0, 15.0, 20.0]);
/// assert_eq!(encode(&corners, &anchor), [0.5, 0.0, 0.0, 0.0]);
/// assert_eq!(decode(&[0.5, 0.0, 0.0, 0.0], &anchor), corners);
/// ```
pub fn encode(corners: &Corners, anchor: &Corners) -> [f32; 4] {
    let [x, y, width, height] = centred(corners);
    let [anchor_x, anchor_y, anchor_width, anchor_height] = centred(anchor);
    [
        (x - anchor_x) / anchor_width,
        (y - anchor_y) / anchor_height,
        (width / anchor_width).ln(),
        (height / anchor_height).ln(),
    ]
}

/// The box of a code; logarithms above [`LARGEST`] are cut.
pub fn decode(code: &[f32; 4], anchor: &Corners) -> Corners {
    let [anchor_x, anchor_y, anchor_width, anchor_height] = centred(anchor);
    let x = code[0] * anchor_width + anchor_x;
    let y = code[1] * anchor_height + anchor_y;
    let half_width = 0.5 * code[2].min(LARGEST).exp() * anchor_width;
    let half_height = 0.5 * code[3].min(LARGEST).exp() * anchor_height;
    [
        x - half_width,
        y - half_height,
        x + half_width,
        y + half_height,
    ]
}

/// Centre, width and height.
fn centred([x1, y1, x2, y2]: &Corners) -> [f32; 4] {
    let (width, height) = (x2 - x1, y2 - y1);
    [x1 + 0.5 * width, y1 + 0.5 * height, width, height]
}
