//! Colours for values: a map that grows evenly lighter, for any eye and on any paper.

use std::fmt::Write;

use super::html::{escape, general};

/// Viridis (van der Walt and Smith 2015) at nine even places.
const VIRIDIS: [[u8; 3]; 9] = [
    [68, 1, 84],
    [71, 44, 122],
    [59, 81, 139],
    [44, 113, 142],
    [33, 144, 141],
    [39, 173, 129],
    [92, 200, 99],
    [170, 220, 50],
    [253, 231, 37],
];

/// The colour at a place between 0 and 1, as `#rrggbb`; values beyond have those of the ends.
pub fn colour(share: f64) -> String {
    let place = if share.is_nan() {
        0.0
    } else {
        share.clamp(0.0, 1.0)
    } * 8.0;
    let below = (place.floor() as usize).min(7);
    let part = place - below as f64;
    let mut text = "#".to_owned();
    for (low, high) in VIRIDIS[below].iter().zip(VIRIDIS[below + 1]) {
        let mixed = (1.0 - part) * f64::from(*low) + part * f64::from(high);
        // Writing to a `String` cannot fail.
        let _ = write!(text, "{:02x}", mixed.round() as u8);
    }
    text
}

/// What the colours mean, from the lowest to the highest value.
pub fn key(label: &str, low: f64, high: f64) -> String {
    let mut bars = String::new();
    for index in 0..40 {
        let _ = write!(
            bars,
            "<rect x=\"{}\" y=\"0\" width=\"4.5\" height=\"12\" fill=\"{}\"/>",
            4 * index,
            colour(f64::from(index) / 39.0)
        );
    }
    format!(
        "<p class=\"key\"><span>{}</span> <span>{}</span> <svg viewBox=\"0 0 160 12\" aria-hidden=\"true\">{bars}</svg> <span>{}</span></p>",
        escape(label),
        general(low),
        general(high)
    )
}

#[cfg(test)]
mod tests {
    use super::colour;

    #[test]
    fn ends_and_middle() {
        assert_eq!(colour(0.0), "#440154");
        assert_eq!(colour(0.5), "#21908d");
        assert_eq!(colour(1.0), "#fde725");
        assert_eq!(colour(7.0), colour(1.0));
        assert_eq!(colour(f64::NAN), colour(0.0));
    }
}
