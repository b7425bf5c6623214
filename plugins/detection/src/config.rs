//! What the user says.

use metricopt_data::detection::DatasetConfig;
use metricopt_nn::detector::detect::Keeping;
use metricopt_sdk::prelude::*;
use std::path::PathBuf;

use crate::pretrain::Pretraining;

/// Images with boxes and a small one-stage detector with FiLM in backbone, pyramid and heads.
///
/// By default the built-in optical digits, scattered over textured ground, and a detector that is pre-trained in about a minute,
/// once: it is kept by the content of data and configuration. For images of one's own in the layout of PASCAL VOC:
/// `dataset=voc` and `root`.
///
/// Surrogate loss: focal loss and smooth L1 (Lin et al., ICCV 2017), or AP-loss in place of the first. Predictions: boxes in pixels of the original image, counted
/// from 1 as in PASCAL VOC.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The images.
    #[serde(flatten)]
    pub data: DatasetConfig,
    /// A safetensors file with the weights of the detector for these classes, under the names that `host export --fold` writes.
    /// If absent, the detector is pre-trained here, on the training images.
    pub weights: Option<PathBuf>,
    /// How the detector is pre-trained if there are no `weights`.
    pub pretraining: Pretraining,
    /// What fine-tuning descends on; pre-training always takes `focal`.
    pub loss: SurrogateLoss,
    /// Which boxes are kept.
    pub boxes: Boxes,
    /// Memory in MiB for activations in front of the first FiLM site, which no adapter changes, 0 to 1048576; what does not fit is
    /// computed again each time.
    pub stem_cache: usize,
}

/// How scores are held to the truth. Either way smooth L1 (Girshick, ICCV 2015) is added for the boxes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum SurrogateLoss {
    /// Focal loss (Lin et al., ICCV 2017): each anchor and class for itself.
    #[default]
    Focal,
    /// AP-loss (Chen et al., CVPR 2019): average precision over the minibatch, with an error-driven update in place of a
    /// derivative.
    ApLoss,
}

/// Which boxes of an image are predictions.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Boxes {
    /// Least score, 0 to below 1.
    pub least_score: f32,
    /// Boxes that are compared with each other, the surest, 1 to 100000.
    pub candidates: usize,
    /// Intersection over union above which the less sure of two boxes of a class is dropped, above 0 and at most 1.
    pub overlap: f32,
    /// Most boxes of an image, 1 to 100000.
    pub limit: usize,
}

impl Default for Boxes {
    fn default() -> Self {
        Self {
            least_score: 0.05,
            candidates: 300,
            overlap: 0.5,
            limit: 100,
        }
    }
}

impl Boxes {
    pub(crate) fn keeping(&self) -> Keeping {
        Keeping {
            least_score: self.least_score,
            candidates: self.candidates,
            overlap: self.overlap,
            limit: self.limit,
        }
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            data: DatasetConfig::default(),
            weights: None,
            pretraining: Pretraining::default(),
            loss: SurrogateLoss::default(),
            boxes: Boxes::default(),
            stem_cache: 1024,
        }
    }
}

impl Config {
    /// Checks the values without looking at any file.
    ///
    /// # Errors
    ///
    /// Names all problems at once.
    pub fn check(&self) -> Result<()> {
        let mut problems = self.data.problems();
        problems.extend(self.pretraining.problems());
        let boxes = &self.boxes;
        for (key, fits, expected) in [
            (
                "boxes.least_score",
                (0.0..1.0).contains(&boxes.least_score),
                "0 to below 1",
            ),
            (
                "boxes.overlap",
                boxes.overlap > 0.0 && boxes.overlap <= 1.0,
                "above 0, at most 1",
            ),
            (
                "boxes.candidates",
                (1..=100_000).contains(&boxes.candidates),
                "1 to 100000",
            ),
            (
                "boxes.limit",
                (1..=100_000).contains(&boxes.limit),
                "1 to 100000",
            ),
            ("stem_cache", self.stem_cache <= 1 << 20, "0 to 1048576"),
        ] {
            if !fits {
                problems.push(format!("`{key}` is out of range, expected {expected}"));
            }
        }
        if problems.is_empty() {
            Ok(())
        } else {
            Err(Error::configuration(problems.join("; ")))
        }
    }
}
