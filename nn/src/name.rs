//! The networks by name.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::fmt;

use crate::architecture::Architecture;
use crate::conv4::Conv4;
use crate::layout::Layout;
use crate::nasnet::Nasnet;
use crate::resnet::{cifar, imagenet};

/// A network by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum NetworkName {
    /// Four convolutions with 32 channels, the usual small network for few images of a class, for grayscale images of about
    /// 28 x 28 pixels.
    Conv4,
    /// The CIFAR ResNet with one block a stage and 8, 16 and 32 channels, for small grayscale images.
    Resnet8,
    /// ResNet-20 for CIFAR (He et al., CVPR 2016, section 4.2).
    Resnet20,
    /// ResNet-32 for CIFAR.
    Resnet32,
    /// ResNet-44 for CIFAR.
    Resnet44,
    /// ResNet-56 for CIFAR.
    Resnet56,
    /// ResNet-18 for ImageNet, with the names of torchvision.
    Resnet18,
    /// ResNet-34 for ImageNet, with the names of torchvision.
    Resnet34,
    /// ResNet-50 for ImageNet, with the names of torchvision.
    Resnet50,
    /// NASNet-A-Mobile for ImageNet, with the names of the PyPI package `pretrainedmodels`.
    #[serde(alias = "nasnet-a-mobile")]
    Nasnetamobile,
}

impl NetworkName {
    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::Conv4,
        Self::Resnet8,
        Self::Resnet20,
        Self::Resnet32,
        Self::Resnet44,
        Self::Resnet56,
        Self::Resnet18,
        Self::Resnet34,
        Self::Resnet50,
        Self::Nasnetamobile,
    ];

    /// The name users type.
    ///
    /// ```
    /// assert_eq!(metricopt_nn::NetworkName::Resnet32.name(), "resnet32");
    /// ```
    pub const fn name(self) -> &'static str {
        match self {
            Self::Conv4 => "conv4",
            Self::Resnet8 => "resnet8",
            Self::Resnet20 => "resnet20",
            Self::Resnet32 => "resnet32",
            Self::Resnet44 => "resnet44",
            Self::Resnet56 => "resnet56",
            Self::Resnet18 => "resnet18",
            Self::Resnet34 => "resnet34",
            Self::Resnet50 => "resnet50",
            Self::Nasnetamobile => "nasnetamobile",
        }
    }

    /// The images that it is made for.
    pub fn input(self) -> Input {
        match self {
            Self::Conv4 => Input::gray(28),
            Self::Resnet8 => Input::gray(8),
            Self::Resnet20 | Self::Resnet32 | Self::Resnet44 | Self::Resnet56 => {
                Input::imagenet(32)
            }
            Self::Resnet18 | Self::Resnet34 | Self::Resnet50 => Input::imagenet(224),
            Self::Nasnetamobile => Input {
                mean: vec![0.5; 3],
                std: vec![0.5; 3],
                ..Input::imagenet(224)
            },
        }
    }

    /// Its layers, with their tensors entered in the layout.
    pub(crate) fn architecture(self, classes: usize, layout: &mut Layout) -> Box<dyn Architecture> {
        let cifar = |depth, layout: &mut Layout| -> Box<dyn Architecture> {
            Box::new(cifar::Resnet::new(3, [16, 32, 64], depth, classes, layout))
        };
        let imagenet = |block, blocks, layout: &mut Layout| -> Box<dyn Architecture> {
            Box::new(imagenet::Resnet::new(block, blocks, classes, layout))
        };
        use imagenet::Kind::{Basic, Bottleneck};
        match self {
            Self::Conv4 => Box::new(Conv4::new(classes, layout)),
            Self::Resnet8 => Box::new(cifar::Resnet::new(1, [8, 16, 32], 8, classes, layout)),
            Self::Resnet20 => cifar(20, layout),
            Self::Resnet32 => cifar(32, layout),
            Self::Resnet44 => cifar(44, layout),
            Self::Resnet56 => cifar(56, layout),
            Self::Resnet18 => imagenet(Basic, [2, 2, 2, 2], layout),
            Self::Resnet34 => imagenet(Basic, [3, 4, 6, 3], layout),
            Self::Resnet50 => imagenet(Bottleneck, [3, 4, 6, 3], layout),
            Self::Nasnetamobile => Box::new(Nasnet::mobile(classes, layout)),
        }
    }
}

impl fmt::Display for NetworkName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

/// The images that a network expects: `[channels, height, width]`, scaled to `0..1`, then `(x - mean) / std`.
///
/// Other sizes work too, because the last feature map is averaged, but are not what the network is known for.
#[derive(Clone, Debug, PartialEq)]
pub struct Input {
    /// Height in pixels.
    pub height: usize,
    /// Width in pixels.
    pub width: usize,
    /// Channels: 3 for red, green, blue, 1 for gray.
    pub channels: usize,
    /// Mean of each channel.
    pub mean: Vec<f32>,
    /// Standard deviation of each channel.
    pub std: Vec<f32>,
}

impl Input {
    /// The usual normalisation by the statistics of ImageNet.
    fn imagenet(size: usize) -> Self {
        Self {
            height: size,
            width: size,
            channels: 3,
            mean: vec![0.485, 0.456, 0.406],
            std: vec![0.229, 0.224, 0.225],
        }
    }

    fn gray(size: usize) -> Self {
        Self {
            height: size,
            width: size,
            channels: 1,
            mean: vec![0.5],
            std: vec![0.5],
        }
    }
}
