//! Decoded images brought to the size that a network sees.

use metricopt_sdk::Result;

use super::{Fit, Frame};
use crate::resize::{CHANNELS, Picture};

/// What is around a letterboxed image: middle grey, near to zero once normalised.
const AROUND: u8 = 128;

/// The planes `[3, height, width]` of a picture, and how it lies in them.
pub(crate) fn fit(
    picture: Picture,
    way: Fit,
    [height, width]: [usize; 2],
) -> Result<(Vec<u8>, Frame)> {
    let original = [picture.width, picture.height];
    let scales = [
        width as f32 / picture.width as f32,
        height as f32 / picture.height as f32,
    ];
    let [inner_width, inner_height] = match way {
        Fit::Stretch => [width, height],
        Fit::Letterbox => {
            let scale = scales[0].min(scales[1]);
            let side = |length: usize, most: usize| {
                ((length as f32 * scale).round() as usize).clamp(1, most)
            };
            [side(original[0], width), side(original[1], height)]
        }
    };
    let resized = picture.resized(inner_width, inner_height)?;
    let (left, top) = ((width - inner_width) / 2, (height - inner_height) / 2);
    let mut planes = vec![AROUND; CHANNELS * height * width];
    for (plane, source) in planes
        .chunks_exact_mut(height * width)
        .zip(resized.planes().chunks_exact(inner_height * inner_width))
    {
        let rows = plane.chunks_exact_mut(width).skip(top);
        for (row, source) in rows.zip(source.chunks_exact(inner_width)) {
            row[left..left + inner_width].copy_from_slice(source);
        }
    }
    let frame = Frame {
        original,
        scale: [
            inner_width as f32 / original[0] as f32,
            inner_height as f32 / original[1] as f32,
        ],
        offset: [left as f32, top as f32],
    };
    Ok((planes, frame))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn picture(width: usize, height: usize) -> Picture {
        Picture {
            width,
            height,
            pixels: vec![200; width * height * CHANNELS],
        }
    }

    #[test]
    fn a_wide_picture_lies_between_bars() {
        let (planes, frame) = fit(picture(40, 10), Fit::Letterbox, [20, 20]).unwrap();
        assert_eq!((frame.scale, frame.offset), ([0.5, 0.5], [0.0, 7.0]));
        let rows: Vec<u8> = planes[..400].iter().step_by(20).copied().collect();
        let bars = |from: usize, to: usize| rows[from..to].iter().all(|&value| value == AROUND);
        assert!(bars(0, 7) && bars(12, 20));
        assert!(rows[7..12].iter().all(|&value| value == 200), "{rows:?}");
        let corners = frame.inward([1.0, 1.0, 40.0, 10.0]);
        assert_eq!(corners, [0.0, 7.0, 20.0, 12.0]);
    }

    #[test]
    fn a_stretched_picture_fills_everything() {
        let (planes, frame) = fit(picture(40, 10), Fit::Stretch, [20, 20]).unwrap();
        assert_eq!((frame.scale, frame.offset), ([0.5, 2.0], [0.0, 0.0]));
        assert!(planes.iter().all(|&value| value == 200));
    }
}
