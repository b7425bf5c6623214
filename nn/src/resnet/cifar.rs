//! Residual networks for small images: three stages, and shortcuts without weights (option A).

use metricopt_sdk::Result;
use metricopt_sdk::tch::Tensor;

use super::EPSILON;
use crate::architecture::{Architecture, residual};
use crate::layers::{Conv, Linear, Norm, relu};
use crate::layout::Layout;
use crate::pass::Pass;

/// A network of `depth = 6 n + 2` layers: one convolution, three stages of `n` blocks of two, one classifier.
pub(crate) struct Resnet {
    stem: Conv,
    norm: Norm,
    stages: Vec<Vec<Block>>,
    classifier: Linear,
}

struct Block {
    conv1: Conv,
    norm1: Norm,
    conv2: Conv,
    norm2: Norm,
    stride: i64,
    /// Channels that the block has more than its input.
    added: i64,
}

impl Resnet {
    pub(crate) fn new(
        inputs: i64,
        widths: [i64; 3],
        depth: usize,
        classes: usize,
        layout: &mut Layout,
    ) -> Self {
        let stem = layout.conv("conv1", [inputs, widths[0]], 3);
        let norm = layout.norm("bn1", widths[0], EPSILON);
        let mut width = widths[0];
        let stages = widths.iter().enumerate().map(|(stage, &wider)| {
            let blocks = (0..(depth - 2) / 6).map(|index| {
                let stride = if stage > 0 && index == 0 { 2 } else { 1 };
                let name = format!("layer{}.{index}", stage + 1);
                let block = Block::new(&name, [width, wider], stride, layout);
                width = wider;
                block
            });
            blocks.collect()
        });
        Self {
            stem,
            norm,
            stages: stages.collect(),
            classifier: layout.linear("linear", [widths[2], classes as i64]),
        }
    }
}

impl Block {
    fn new(name: &str, [inputs, outputs]: [i64; 2], stride: i64, layout: &mut Layout) -> Self {
        let part = |part: &str| format!("{name}.{part}");
        Self {
            conv1: layout
                .conv(&part("conv1"), [inputs, outputs], 3)
                .stride(stride),
            norm1: layout.norm(&part("bn1"), outputs, EPSILON),
            conv2: layout.conv(&part("conv2"), [outputs, outputs], 3),
            norm2: layout.norm(&part("bn2"), outputs, EPSILON),
            stride,
            added: outputs - inputs,
        }
    }

    fn apply(&self, pass: &Pass<'_>, x: &Tensor) -> Result<Tensor> {
        let y = relu(pass.norm(&self.norm1, &pass.conv(&self.conv1, x)?)?)?;
        let y = pass.norm(&self.norm2, &pass.conv(&self.conv2, &y)?)?;
        residual(y, &self.shortcut(x)?)
    }

    /// Every second pixel, and channels of zeros before and behind.
    fn shortcut(&self, x: &Tensor) -> Result<Tensor> {
        if self.stride == 1 && self.added == 0 {
            return Ok(x.shallow_clone());
        }
        let before = self.added / 2;
        Ok(x.f_slice(2, None, None, self.stride)?
            .f_slice(3, None, None, self.stride)?
            .f_constant_pad_nd([0, 0, 0, 0, before, self.added - before])?)
    }
}

impl Architecture for Resnet {
    fn stem(&self, pass: &Pass<'_>, images: &Tensor) -> Result<Tensor> {
        pass.conv(&self.stem, images)
    }

    fn maps(&self, pass: &Pass<'_>, stem: &Tensor) -> Result<Vec<Tensor>> {
        let mut x = relu(pass.norm(&self.norm, stem)?)?;
        let mut maps = Vec::with_capacity(self.stages.len());
        for stage in &self.stages {
            for block in stage {
                x = block.apply(pass, &x)?;
            }
            maps.push(x.shallow_clone());
        }
        Ok(maps)
    }

    fn classify(&self, pass: &Pass<'_>, features: &Tensor) -> Result<Tensor> {
        pass.linear(&self.classifier, features)
    }
}
