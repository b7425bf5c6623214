//! How an input enters a cell: brought to the channels and the size of the cell.

use metricopt_sdk::Result;
use metricopt_sdk::tch::Tensor;

use super::EPSILON;
use crate::layers::{Conv, Norm};
use crate::layout::Layout;
use crate::pass::Pass;

/// How an input enters a cell.
pub(super) enum Entry {
    /// As it is.
    Unchanged,
    /// ReLU, a 1 x 1 convolution, normalised.
    Projection(Conv, Norm),
    /// ReLU, then half of the size without losing every second pixel: one convolution sees the even pixels and one the
    /// odd ones, normalised together.
    Factorised([Conv; 2], Norm),
}

impl Entry {
    /// `[inputs, outputs]` channels.
    pub(super) fn projection(name: &str, channels: [i64; 2], layout: &mut Layout) -> Self {
        Self::Projection(
            layout.conv(&format!("{name}.conv"), channels, 1),
            layout.norm(&format!("{name}.bn"), channels[1], EPSILON),
        )
    }

    /// `[inputs, outputs]` channels of each of the two convolutions.
    pub(super) fn factorised(cell: &str, channels: [i64; 2], layout: &mut Layout) -> Self {
        let convs =
            [1, 2].map(|path| layout.conv(&format!("{cell}.path_{path}.conv"), channels, 1));
        let norm = layout.norm(&format!("{cell}.final_path_bn"), 2 * channels[1], EPSILON);
        Self::Factorised(convs, norm)
    }

    pub(super) fn apply(&self, pass: &Pass<'_>, x: &Tensor) -> Result<Tensor> {
        match self {
            Self::Unchanged => Ok(x.shallow_clone()),
            Self::Projection(conv, norm) => pass.norm(norm, &pass.conv(conv, &x.f_relu()?)?),
            Self::Factorised([even, odd], norm) => {
                let x = x.f_relu()?;
                let every_second = |x: &Tensor, first: i64| -> Result<Tensor> {
                    Ok(x.f_slice(2, first, None, 2)?.f_slice(3, first, None, 2)?)
                };
                // Behind an odd number of pixels follows one of zeros.
                let padded = x.f_constant_pad_nd([0, 1, 0, 1])?;
                let halves = [
                    pass.conv(even, &every_second(&x, 0)?)?,
                    pass.conv(odd, &every_second(&padded, 1)?)?,
                ];
                pass.norm(norm, &Tensor::f_cat(&halves, 1)?)
            }
        }
    }
}
