//! What the user says.

use metricopt_data::detection::{DatasetConfig, DatasetName};
use metricopt_nn::detector::DetectorName;
use metricopt_nn::detector::detect::Keeping;
use metricopt_sdk::prelude::*;
use std::path::PathBuf;

use crate::pretrain::Pretraining;

/// Images with boxes and a one-stage detector with FiLM in backbone, pyramid and heads.
///
/// By default the built-in optical digits, scattered over textured ground, and a detector that is pre-trained in about a minute,
/// once: it is kept by the content of data and configuration. For images of one's own in the layout of PASCAL VOC or
/// COCO: `dataset=voc` or `coco`, and `root`; for a RetinaNet of torchvision: `network` and `weights`.
///
/// Surrogate loss: focal loss and smooth L1 (Lin et al., ICCV 2017), or AP-loss in place of the first. Predictions: boxes in pixels of the original image, counted
/// from 1 as in PASCAL VOC.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The images.
    #[serde(flatten)]
    pub data: DatasetConfig,
    /// The detector.
    pub network: DetectorName,
    /// A safetensors file with the weights of the detector, under the names that PyTorch gives them (`module.` in front is
    /// accepted), which for `tiny` are those that `host export --fold` writes. If absent, `tiny` is pre-trained here, on the
    /// training images; RetinaNet needs them.
    pub weights: Option<PathBuf>,
    /// Which score of the weights belongs to each class, counted from 0, in the order of the classes; for RetinaNet. If empty: the
    /// scores in their order; without the first, torchvision's background, if there is one more than classes; those at the numbers
    /// of COCO's categories if there are more.
    pub logits: Vec<usize>,
    /// What the normalisations of a RetinaNet add to variances, 0 to 1. If absent, 0 for `retinanet-resnet50`, as torchvision has
    /// it for the weights that it publishes, and 1e-5 for `retinanet-resnet18`.
    pub norm_epsilon: Option<f64>,
    /// FiLM sites that are tuned, by their names or the parts of the network they are in, such as `head` or `backbone.body.layer4`;
    /// all if empty.
    pub sites: Vec<String>,
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
    pub least_score: f64,
    /// Boxes that are compared with each other, the surest, 1 to 100000. If absent, 300 of an image, for RetinaNet 1000 of each
    /// level.
    pub candidates: Option<usize>,
    /// Intersection over union above which the less sure of two boxes of a class is dropped, above 0 and at most 1.
    pub overlap: f64,
    /// Most boxes of an image, 1 to 100000. If absent, 100, for RetinaNet 300.
    pub limit: Option<usize>,
}

impl Default for Boxes {
    fn default() -> Self {
        Self {
            least_score: 0.05,
            candidates: None,
            overlap: 0.5,
            limit: None,
        }
    }
}

impl Boxes {
    pub(crate) fn keeping(&self, network: DetectorName) -> Keeping {
        let usual = network.keeping();
        Keeping {
            least_score: self.least_score as f32,
            candidates: self.candidates.unwrap_or(usual.candidates),
            overlap: self.overlap as f32,
            limit: self.limit.unwrap_or(usual.limit),
        }
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            data: DatasetConfig::default(),
            network: DetectorName::default(),
            weights: None,
            logits: Vec::new(),
            norm_epsilon: None,
            sites: Vec::new(),
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
        let data = self.sized_data();
        let mut problems = data.problems();
        problems.extend(self.pretraining.problems());
        let (_, multiple) = self.network.side();
        let is_built_in = data.dataset == DatasetName::ScatteredDigits;
        let fits = |side: usize| is_built_in || side.is_multiple_of(multiple);
        if !data.size().into_iter().all(fits) {
            problems.push(format!(
                "`height` and `width` must be multiples of {multiple} for `{}`",
                self.network
            ));
        }
        let foreign = [
            ("logits", !self.logits.is_empty()),
            ("norm_epsilon", self.norm_epsilon.is_some()),
        ];
        for (key, _) in foreign
            .iter()
            .filter(|(_, set)| *set && self.network.is_trained_here())
        {
            problems.push(format!("`{key}` has no meaning for `{}`", self.network));
        }
        let boxes = &self.boxes;
        let in_range =
            |count: Option<usize>| count.is_none_or(|count| (1..=100_000).contains(&count));
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
                in_range(boxes.candidates),
                "1 to 100000",
            ),
            ("boxes.limit", in_range(boxes.limit), "1 to 100000"),
            (
                "norm_epsilon",
                self.norm_epsilon
                    .is_none_or(|epsilon| (0.0..=1.0).contains(&epsilon)),
                "0 to 1",
            ),
            ("stem_cache", self.stem_cache <= 1 << 20, "0 to 1048576"),
        ] {
            if !fits {
                problems.push(format!("`{key}` is out of range, expected {expected}"));
            }
        }
        if !problems.is_empty() {
            return Err(Error::configuration(problems.join("; ")));
        }
        if self.weights.is_none() && !self.network.is_trained_here() {
            return Err(self.without_weights());
        }
        Ok(())
    }

    /// The images, of the size that the network is made for where the user does not say it.
    pub(crate) fn sized_data(&self) -> DatasetConfig {
        let (side, _) = self.network.side();
        let mut data = self.data.clone();
        data.height.get_or_insert(side);
        data.width.get_or_insert(side);
        data
    }

    fn without_weights(&self) -> Error {
        let error = Error::configuration(format!(
            "`{}` needs `weights`: it is not trained here",
            self.network
        ));
        let save = "`safetensors.torch.save_file(model.state_dict(), \"retinanet.safetensors\")`";
        match self.network {
            DetectorName::RetinanetResnet50 => error.hint(format!(
                "in Python: `import safetensors.torch, torchvision`, \
                 `model = torchvision.models.detection.retinanet_resnet50_fpn(weights=\"COCO_V1\")`, {save}; \
                 then `--set task.weights=retinanet.safetensors`"
            )),
            _ => error.hint(format!(
                "torchvision publishes none: train its `RetinaNet` on your images with the backbone \
                 `resnet_fpn_backbone(backbone_name=\"resnet18\", weights=\"DEFAULT\", returned_layers=[2, 3, 4], \
                 extra_blocks=LastLevelP6P7(256, 256))`, then {save} and `--set task.weights=retinanet.safetensors`"
            )),
        }
    }
}
