//! RetinaNet (Lin, Goyal, Girshick, He and Dollar, "Focal Loss for Dense Object Detection", ICCV 2017): torchvision's layout and
//! names.
//!
//! FiLM stands after every normalisation of the backbone, and after every convolution of pyramid and heads, which have no
//! normalisations; not after the convolutions that put out scores and codes.

mod classes;
mod grid;
mod head;
mod pyramid;

use metricopt_sdk::Result;
use metricopt_sdk::tch::Tensor;

use super::layers::Layers;
use super::shape::Shape;
use crate::layout::Layout;
use crate::pass::Pass;
use crate::resnet::imagenet::{Kind, Setting, Trunk};
pub use classes::{class_count, select_classes};
use grid::PER_CELL;
pub(super) use grid::grid;
use head::Head;
use pyramid::Pyramid;

/// Channels of pyramid and heads.
const CHANNELS: i64 = 256;

/// The convolution that puts out the scores.
const SCORES: &str = "head.classification_head.cls_logits";

/// Layers in the order of execution.
pub(super) struct Retinanet {
    trunk: Trunk,
    pyramid: Pyramid,
    scores: Head,
    codes: Head,
}

impl Retinanet {
    pub(super) fn new(kind: Kind, blocks: [usize; 4], shape: &Shape, layout: &mut Layout) -> Self {
        let setting = Setting {
            prefix: "backbone.body.",
            channels: shape.channels as i64,
            epsilon: shape.epsilon,
        };
        let trunk = Trunk::new(kind, blocks, setting, layout);
        // The finest map makes too many anchors (section 4).
        let [_, inputs @ ..] = trunk.widths();
        let per_cell = PER_CELL as i64;
        Self {
            pyramid: Pyramid::new(inputs, layout),
            scores: Head::new(
                "head.classification_head",
                SCORES,
                [per_cell, shape.classes as i64],
                layout,
            ),
            codes: Head::new(
                "head.regression_head",
                "head.regression_head.bbox_reg",
                [per_cell, 4],
                layout,
            ),
            trunk,
        }
    }
}

impl Layers for Retinanet {
    fn stem(&self, pass: &Pass<'_>, images: &Tensor) -> Result<Tensor> {
        self.trunk.stem(pass, images)
    }

    fn heads(&self, pass: &Pass<'_>, stem: &Tensor) -> Result<[Tensor; 2]> {
        let maps = self.trunk.maps(pass, stem)?;
        let levels = self.pyramid.levels(pass, &maps)?;
        Ok([
            self.scores.outputs(pass, &levels)?,
            self.codes.outputs(pass, &levels)?,
        ])
    }

    fn score_biases(&self) -> Vec<String> {
        vec![format!("{SCORES}.bias")]
    }
}
