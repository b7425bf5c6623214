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

/// Channels of the narrowest layers of each stage.
const WIDTHS: [i64; 4] = [64, 128, 256, 512];

/// Kinds of residual blocks.
#[derive(Clone, Copy)]
pub(crate) enum Kind {
    /// Two 3 x 3 convolutions.
    Basic,
    /// 1 x 1 down, 3 x 3, 1 x 1 up to four times the width.
    Bottleneck,
}

pub(crate) struct Resnet {
    trunk: Trunk,
    classifier: Linear,
}

/// All in front of the classifier.
pub(crate) struct Trunk {
    stem: Conv,
    norm: Norm,
    stages: Vec<Vec<Block>>,
    /// Channels behind each stage.
    widths: [i64; 4],
}

/// Where a trunk stands and how it normalises.
#[derive(Clone, Copy)]
pub(crate) struct Setting<'a> {
    /// In front of all names.
    pub(crate) prefix: &'a str,
    /// Channels of the images.
    pub(crate) channels: i64,
    /// What is added to variances.
    pub(crate) epsilon: f64,
}

/// A network of its own.
const ALONE: Setting<'_> = Setting {
    prefix: "",
    channels: 3,
    epsilon: EPSILON,
};

struct Block {
    /// Convolutions with their normalisations; a ReLU stands between each two.
    layers: Vec<(Conv, Norm)>,
    projection: Option<(Conv, Norm)>,
}

impl Resnet {
    pub(crate) fn new(kind: Kind, blocks: [usize; 4], classes: usize, layout: &mut Layout) -> Self {
        let trunk = Trunk::new(kind, blocks, ALONE, layout);
        let [.., inputs] = trunk.widths;
        Self {
            trunk,
            classifier: layout.linear("fc", [inputs, classes as i64]),
        }
    }
}

impl Trunk {
    pub(crate) fn new(
        kind: Kind,
        blocks: [usize; 4],
        setting: Setting<'_>,
        layout: &mut Layout,
    ) -> Self {
        let Setting {
            prefix,
            channels,
            epsilon,
        } = setting;
        let stem = layout
            .conv(&format!("{prefix}conv1"), [channels, 64], 7)
            .stride(2);
        let norm = layout.norm(&format!("{prefix}bn1"), 64, epsilon);
        let mut inputs = 64;
        let mut stages = Vec::new();
        for (stage, (count, width)) in blocks.into_iter().zip(WIDTHS).enumerate() {
            let mut made = Vec::new();
            for index in 0..count {
                let stride = if stage > 0 && index == 0 { 2 } else { 1 };
                let name = format!("{prefix}layer{}.{index}", stage + 1);
                let channels = [inputs, width];
                made.push(Block::new(kind, (&name, epsilon), channels, stride, layout));
                inputs = kind.outputs(width);
            }
            stages.push(made);
        }
        Self {
            stem,
            norm,
            stages,
            widths: WIDTHS.map(|width| kind.outputs(width)),
        }
    }

    /// Channels of the maps.
    pub(crate) fn widths(&self) -> [i64; 4] {
        self.widths
    }

    pub(crate) fn stem(&self, pass: &Pass<'_>, images: &Tensor) -> Result<Tensor> {
        pass.conv(&self.stem, images)
    }

    /// Outputs of the stages, the finest first.
    pub(crate) fn maps(&self, pass: &Pass<'_>, stem: &Tensor) -> Result<Vec<Tensor>> {
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
        (name, epsilon): (&str, f64),
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
                    layout.norm(&norm, channels[1], epsilon),
                )
            })
            .collect();
        let projection = (stride != 1 || inputs != outputs).then(|| {
            let name = format!("{name}.downsample");
            (
                layout
                    .conv(&format!("{name}.0"), [inputs, outputs], 1)
                    .stride(stride),
                layout.norm(&format!("{name}.1"), outputs, epsilon),
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
        self.trunk.stem(pass, images)
    }

    fn maps(&self, pass: &Pass<'_>, stem: &Tensor) -> Result<Vec<Tensor>> {
        self.trunk.maps(pass, stem)
    }

    fn classify(&self, pass: &Pass<'_>, features: &Tensor) -> Result<Tensor> {
        pass.linear(&self.classifier, features)
    }
}
