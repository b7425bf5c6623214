//! The detectors by name, and what all of them have in common.

use metricopt_sdk::Result;
use metricopt_sdk::tch::Tensor;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::fmt;

use super::anchors::Grid;
use super::detect::Keeping;
use super::loss::{Average, Terms};
use super::network::Shape;
use super::{retinanet, tiny};
use crate::layout::Layout;
use crate::pass::Pass;
use crate::resnet::imagenet::Kind;

/// A detector by name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum DetectorName {
    /// A small detector for small objects, trained here.
    #[default]
    Tiny,
    /// RetinaNet (Lin et al., ICCV 2017) on ResNet-18, with the names of torchvision.
    RetinanetResnet18,
    /// RetinaNet on ResNet-50, with the names of torchvision: `retinanet_resnet50_fpn`.
    RetinanetResnet50,
}

impl DetectorName {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Tiny, Self::RetinanetResnet18, Self::RetinanetResnet50];

    /// The name users type.
    ///
    /// ```
    /// use metricopt_nn::detector::DetectorName;
    ///
    /// assert_eq!(DetectorName::RetinanetResnet18.name(), "retinanet-resnet18");
    /// ```
    pub const fn name(self) -> &'static str {
        match self {
            Self::Tiny => "tiny",
            Self::RetinanetResnet18 => "retinanet-resnet18",
            Self::RetinanetResnet50 => "retinanet-resnet50",
        }
    }

    /// What its normalisations add to variances. The weights that torchvision publishes for `retinanet_resnet50_fpn` were
    /// trained with 0, and it sets 0 when it loads them; everything else has PyTorch's default.
    pub const fn epsilon(self) -> f64 {
        match self {
            Self::Tiny | Self::RetinanetResnet18 => 1e-5,
            Self::RetinanetResnet50 => 0.0,
        }
    }

    /// How its loss adds up: for RetinaNet as in torchvision.
    pub const fn terms(self) -> Terms {
        match self {
            Self::Tiny => Terms {
                beta: 1.0 / 9.0,
                average: Average::Objects,
            },
            Self::RetinanetResnet18 | Self::RetinanetResnet50 => Terms {
                beta: 0.0,
                average: Average::Images,
            },
        }
    }

    /// Mean and standard deviation of the channels of its images, of values from 0 to 1; one for all of them, or one each of
    /// red, green and blue, which it then needs.
    pub const fn normalisation(self) -> [&'static [f32]; 2] {
        match self {
            Self::Tiny => [&[0.5], &[0.5]],
            Self::RetinanetResnet18 | Self::RetinanetResnet50 => {
                [&[0.485, 0.456, 0.406], &[0.229, 0.224, 0.225]]
            }
        }
    }

    /// Which boxes are kept unless the user says otherwise: for RetinaNet as in torchvision.
    pub const fn keeping(self) -> Keeping {
        let [candidates, limit] = match self {
            Self::Tiny => [300, 100],
            Self::RetinanetResnet18 | Self::RetinanetResnet50 => [1000, 300],
        };
        Keeping {
            least_score: 0.05,
            candidates,
            overlap: 0.5,
            limit,
        }
    }

    /// Height and width in pixels of the images that it is made for, and of which number both are multiples.
    pub const fn side(self) -> (usize, usize) {
        match self {
            Self::Tiny => (256, 1),
            Self::RetinanetResnet18 | Self::RetinanetResnet50 => (800, 32),
        }
    }

    /// Whether it is trained here where there are no weights.
    pub const fn is_trained_here(self) -> bool {
        matches!(self, Self::Tiny)
    }

    pub(super) fn grid(self) -> Grid {
        match self {
            Self::Tiny => tiny::grid(),
            Self::RetinanetResnet18 | Self::RetinanetResnet50 => retinanet::grid(),
        }
    }
}

impl fmt::Display for DetectorName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

/// The layers of a detector and how they follow each other.
pub(super) trait Layers: Send + Sync {
    /// All that stands in front of the first FiLM site.
    fn stem(&self, pass: &Pass<'_>, images: &Tensor) -> Result<Tensor>;

    /// Logits `[N, A, classes]` and codes `[N, A, 4]`.
    fn heads(&self, pass: &Pass<'_>, stem: &Tensor) -> Result<[Tensor; 2]>;

    /// Names of the biases of the scores.
    fn score_biases(&self) -> Vec<String>;
}

/// The layers of a detector, with their tensors entered in the layout.
pub(super) fn layers(shape: &Shape, layout: &mut Layout) -> Box<dyn Layers> {
    let retinanet = |kind, blocks, layout: &mut Layout| -> Box<dyn Layers> {
        Box::new(retinanet::Retinanet::new(kind, blocks, shape, layout))
    };
    match shape.network {
        DetectorName::Tiny => Box::new(tiny::Tiny::new(shape, layout)),
        DetectorName::RetinanetResnet18 => retinanet(Kind::Basic, [2, 2, 2, 2], layout),
        DetectorName::RetinanetResnet50 => retinanet(Kind::Bottleneck, [3, 4, 6, 3], layout),
    }
}
