//! Residual networks for ImageNet: four stages, shortcuts by projection (option B), torchvision's layout and names.
//!
//! The stride of a bottleneck is at its 3 x 3 convolution, as in torchvision ("ResNet v1.5").

use metricopt_sdk::Result;
use metricopt_sdk::tch::Tensor;

use super::EPSILON;
use crate::architecture::{Architecture, residual};
use crate::layers::{Conv, Linear, Norm, relu};
use crate::layout::Layout;
use crate::pass::Pass;

/// Kinds of residual blocks.
#[derive(Clone, Copy)]
pub(crate) enum Kind {
    /// Two 3 x 3 convolutions.
    Basic,
    /// 1 x 1 down, 3 x 3, 1 x 1 up to four times the width.
    Bottleneck,
}

pub(crate) struct Resnet {
    stem: Conv,
    norm: Norm,
    stages: Vec<Vec<Block>>,
    classifier: Linear,
}

struct Block {
    /// Convolutions with their normalisations; a ReLU stands between each two.
    layers: Vec<(Conv, Norm)>,
    projection: Option<(Conv, Norm)>,
}

impl Resnet {
    pub(crate) fn new(kind: Kind, blocks: [usize; 4], classes: usize, layout: &mut Layout) -> Self {
        let stem = layout.conv("conv1", [3, 64], 7).stride(2);
        let norm = layout.norm("bn1", 64, EPSILON);
        let mut inputs = 64;
        let mut stages = Vec::new();
        for (stage, (count, width)) in blocks.into_iter().zip([64, 128, 256, 512]).enumerate() {
            let mut made = Vec::new();
            for index in 0..count {
                let stride = if stage > 0 && index == 0 { 2 } else { 1 };
                let name = format!("layer{}.{index}", stage + 1);
                made.push(Block::new(kind, &name, [inputs, width], stride, layout));
                inputs = kind.outputs(width);
            }
            stages.push(made);
        }
        Self {
            stem,
            norm,
            stages,
            classifier: layout.linear("fc", [inputs, classes as i64]),
        }
    }
}

impl Kind {
    /// Channels that a block of this width puts out.
    fn outputs(self, width: i64) -> i64 {
        match self {
            Kind::Basic => width,
            Kind::Bottleneck => 4 * width,
        }
    }
}

impl Block {
    fn new(
        kind: Kind,
        name: &str,
        [inputs, width]: [i64; 2],
        stride: i64,
        layout: &mut Layout,
    ) -> Self {
        let outputs = kind.outputs(width);
        // Channels in and out, kernel, stride.
        let shapes = match kind {
            Kind::Basic => vec![([inputs, width], 3, stride), ([width, width], 3, 1)],
            Kind::Bottleneck => vec![
                ([inputs, width], 1, 1),
                ([width, width], 3, stride),
                ([width, outputs], 1, 1),
            ],
        };
        let layers = shapes
            .into_iter()
            .enumerate()
            .map(|(index, (channels, kernel, stride))| {
                let conv = format!("{name}.conv{}", index + 1);
                let norm = format!("{name}.bn{}", index + 1);
                (
                    layout.conv(&conv, channels, kernel).stride(stride),
                    layout.norm(&norm, channels[1], EPSILON),
                )
            })
            .collect();
        let projection = (stride != 1 || inputs != outputs).then(|| {
            let name = format!("{name}.downsample");
            (
                layout
                    .conv(&format!("{name}.0"), [inputs, outputs], 1)
                    .stride(stride),
                layout.norm(&format!("{name}.1"), outputs, EPSILON),
            )
        });
        Self { layers, projection }
    }

    fn apply(&self, pass: &Pass<'_>, x: &Tensor) -> Result<Tensor> {
        let normed =
            |(conv, norm): &(Conv, Norm), x: &Tensor| pass.norm(norm, &pass.conv(conv, x)?);
        let mut y = x.shallow_clone();
        for (index, layer) in self.layers.iter().enumerate() {
            if index > 0 {
                y = relu(y)?;
            }
            y = normed(layer, &y)?;
        }
        match &self.projection {
            Some(projection) => residual(y, &normed(projection, x)?),
            None => residual(y, x),
        }
    }
}

impl Architecture for Resnet {
    fn stem(&self, pass: &Pass<'_>, images: &Tensor) -> Result<Tensor> {
        pass.conv(&self.stem, images)
    }

    fn maps(&self, pass: &Pass<'_>, stem: &Tensor) -> Result<Vec<Tensor>> {
        let x = relu(pass.norm(&self.norm, stem)?)?;
        let mut x = x.f_max_pool2d([3, 3], [2, 2], [1, 1], [1, 1], false)?;
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
