//! Units of a task as a person sees them.

use crate::{Error, Result};

/// Most pixels along a side of a picture.
const MAX_SIDE: usize = 1 << 14;

/// Some units of a task as pictures, for the report.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Pictures {
    /// Names of the classes by their number; empty if they have none.
    pub classes: Vec<String>,
    /// One a unit that was asked for, in that order.
    pub pictures: Vec<Picture>,
}

/// A unit as a person sees it.
#[derive(Clone, Debug, PartialEq)]
pub struct Picture {
    /// What it is called, such as the name of its file; may be empty.
    pub name: String,
    /// Channels (1 for grey, 3 for red, green and blue), height and width.
    pub shape: [usize; 3],
    /// The pixels, `[C, H, W]` in row-major order, 0 to 255.
    pub pixels: Vec<u8>,
    /// Where the left upper and the right lower corner of the picture lie in the coordinates of boxes, `x1, y1, x2, y2`;
    /// `[0, 0, W, H]` where there are none.
    pub corners: [f32; 4],
}

impl Picture {
    /// A picture whose coordinates are its own pixels.
    ///
    /// ```
    /// use metricopt_sdk::Picture;
    ///
    /// let picture = Picture::new("grey.png", [1, 2, 3], vec![0; 6]);
    /// assert_eq!(picture.corners, [0.0, 0.0, 3.0, 2.0]);
    /// assert!(picture.check().is_ok());
    /// ```
    pub fn new(name: impl Into<String>, shape: [usize; 3], pixels: Vec<u8>) -> Self {
        let [_, height, width] = shape;
        Self {
            name: name.into(),
            shape,
            pixels,
            corners: [0.0, 0.0, width as f32, height as f32],
        }
    }

    /// Whether it can be shown.
    ///
    /// # Errors
    ///
    /// Says what of it does not fit.
    pub fn check(&self) -> Result<()> {
        let Self { shape, corners, .. } = self;
        let [channels, height, width] = *shape;
        let sides = 1..=MAX_SIDE;
        if ![1, 3].contains(&channels) || !sides.contains(&height) || !sides.contains(&width) {
            return Err(Error::failed(format!(
                "a picture has shape {shape:?}, expected 1 or 3 channels, height and width"
            )));
        }
        if self.pixels.len() != channels * height * width {
            return Err(Error::failed(format!(
                "a picture of shape {shape:?} has {} bytes",
                self.pixels.len()
            )));
        }
        let [x1, y1, x2, y2] = *corners;
        if !corners.iter().all(|corner| corner.is_finite()) || x1 >= x2 || y1 >= y2 {
            return Err(Error::failed(format!(
                "a picture lies at {corners:?}, which is no area"
            )));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_shown_is_refused() {
        let picture = |shape, bytes| Picture::new("", shape, vec![0; bytes]);
        assert!(picture([3, 2, 2], 12).check().is_ok());
        let crooked = Picture {
            corners: [0.0, 0.0, 0.0, 2.0],
            ..picture([1, 2, 2], 4)
        };
        let cases = [
            (picture([2, 2, 2], 8), "1 or 3 channels"),
            (picture([1, 0, 2], 0), "1 or 3 channels"),
            (picture([1, usize::MAX, usize::MAX], 1), "1 or 3 channels"),
            (picture([1, 2, 2], 5), "5 bytes"),
            (crooked, "no area"),
        ];
        for (picture, expected) in cases {
            let error = picture.check().unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
    }
}
