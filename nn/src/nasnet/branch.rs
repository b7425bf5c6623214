//! What the branches of a cell do: separable convolutions and pooling.

use metricopt_sdk::Result;
use metricopt_sdk::tch::Tensor;

use super::EPSILON;
use crate::layers::{Conv, Norm, relu};
use crate::layout::Layout;
use crate::pass::Pass;

/// Where the windows of a convolution or a pool lie.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Window {
    /// Around every pixel.
    Keep,
    /// Around every second pixel, from the first.
    Halve,
    /// Around every second pixel, from the second: 3 x 3 windows start at the edge of the image.
    HalveFromEdge,
}

/// A depthwise and a pointwise convolution, normalised; all of it twice, and a ReLU between.
///
/// The ReLU in front is left to the cell, because branches share their inputs.
pub(super) struct Branch {
    window: Window,
    depthwise: [Conv; 2],
    pointwise: [Conv; 2],
    norms: [Norm; 2],
}

impl Branch {
    /// The channels of input, middle and output.
    pub(super) fn new(
        name: &str,
        channels: [i64; 3],
        kernel: i64,
        window: Window,
        layout: &mut Layout,
    ) -> Self {
        let mut half = |number: usize, channels: [i64; 2]| {
            let conv = |part: &str| format!("{name}.separable_{number}.{part}wise_conv2d");
            (
                layout.depthwise(&conv("depth"), channels[0], kernel),
                layout.conv(&conv("point"), channels, 1),
                layout.norm(&format!("{name}.bn_sep_{number}"), channels[1], EPSILON),
            )
        };
        let [input, middle, output] = channels;
        let first = half(1, [input, middle]);
        let second = half(2, [middle, output]);
        let depthwise = match window {
            Window::Keep => first.0,
            Window::Halve => first.0.stride(2),
            Window::HalveFromEdge => first.0.stride(2).unpadded(),
        };
        Self {
            window,
            depthwise: [depthwise, second.0],
            pointwise: [first.1, second.1],
            norms: [first.2, second.2],
        }
    }

    pub(super) fn apply(&self, pass: &Pass<'_>, x: &Tensor) -> Result<Tensor> {
        let x = match self.window {
            Window::Keep | Window::Halve => x.shallow_clone(),
            Window::HalveFromEdge => {
                let behind = self.depthwise[1].padding;
                let before = behind - 1;
                x.f_constant_pad_nd([before, behind, before, behind])?
            }
        };
        let half = |index: usize, x: &Tensor| {
            let x = pass.conv(&self.depthwise[index], x)?;
            pass.norm(&self.norms[index], &pass.conv(&self.pointwise[index], &x)?)
        };
        half(1, &relu(half(0, &x)?)?)
    }
}

/// Mean over 3 x 3 windows; what lies outside the image does not count.
pub(super) fn average(x: &Tensor, window: Window) -> Result<Tensor> {
    let (stride, padding, ceil) = pooling(window);
    let no_divisor: Option<i64> = None;
    Ok(x.f_avg_pool2d([3, 3], stride, padding, ceil, false, no_divisor)?)
}

/// Maximum over 3 x 3 windows.
pub(super) fn maximum(x: &Tensor, window: Window) -> Result<Tensor> {
    let (stride, padding, ceil) = pooling(window);
    Ok(x.f_max_pool2d([3, 3], stride, padding, [1, 1], ceil)?)
}

/// Stride, padding, and whether a window may reach over the end.
fn pooling(window: Window) -> ([i64; 2], [i64; 2], bool) {
    match window {
        Window::Keep => ([1, 1], [1, 1], false),
        Window::Halve => ([2, 2], [1, 1], false),
        Window::HalveFromEdge => ([2, 2], [0, 0], true),
    }
}
