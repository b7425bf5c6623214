//! The detectors by name.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::fmt;

use super::detect::Keeping;
use super::loss::{Average, Terms};

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
}

impl fmt::Display for DetectorName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}
