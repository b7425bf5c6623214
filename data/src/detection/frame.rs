//! How an original image lies in the pixels that a network sees.

/// An image that was resized to `scale` and put at `offset`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Frame {
    /// Width and height of the original.
    pub original: [usize; 2],
    /// Pixels a pixel of the original, across and down.
    pub scale: [f32; 2],
    /// Where the left upper corner of the original lies, across and down.
    pub offset: [f32; 2],
}

impl Frame {
    /// An image as it is.
    pub fn identity(width: usize, height: usize) -> Self {
        Self {
            original: [width, height],
            scale: [1.0; 2],
            offset: [0.0; 2],
        }
    }

    /// From first and last pixels of the original, counted from 1, to points between the pixels that a network sees.
    ///
    /// ```
    /// use metricopt_data::detection::Frame;
    ///
    /// let frame = Frame { original: [100, 50], scale: [0.5, 0.5], offset: [0.0, 10.0] };
    /// assert_eq!(frame.inward([1.0, 1.0, 100.0, 50.0]), [0.0, 10.0, 50.0, 35.0]);
    /// assert_eq!(frame.outward([0.0, 10.0, 50.0, 35.0]), [1.0, 1.0, 100.0, 50.0]);
    /// ```
    pub fn inward(&self, [x1, y1, x2, y2]: [f32; 4]) -> [f32; 4] {
        let [across, down] = self.axes();
        [across(x1 - 1.0), down(y1 - 1.0), across(x2), down(y2)]
    }

    /// The way back. What lies beyond the original is cut off.
    pub fn outward(&self, [x1, y1, x2, y2]: [f32; 4]) -> [f32; 4] {
        let back = |value: f32, axis: usize| {
            let point = (value - self.offset[axis]) / self.scale[axis];
            point.clamp(0.0, self.original[axis] as f32)
        };
        [
            back(x1, 0) + 1.0,
            back(y1, 1) + 1.0,
            back(x2, 0),
            back(y2, 1),
        ]
    }

    fn axes(&self) -> [impl Fn(f32) -> f32; 2] {
        [0, 1].map(|axis| {
            let (scale, offset) = (self.scale[axis], self.offset[axis]);
            move |value| value * scale + offset
        })
    }
}
