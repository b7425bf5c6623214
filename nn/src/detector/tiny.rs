//! The layers of the tiny detector: a plain backbone, a feature pyramid (Lin et al., CVPR 2017) of three levels, a head a level.

use metricopt_sdk::Result;
use metricopt_sdk::tch::Tensor;

use super::grid::{Grid, Level, Ranking, Step};
use super::layers::Layers;
use super::shape::Shape;
use crate::layers::{Conv, Norm, Predictor, relu};
use crate::layout::Layout;
use crate::pass::Pass;

/// Pixels of the image between two cells of each level of the pyramid.
const STRIDES: [usize; 3] = [8, 16, 32];

/// Sides of the square anchors of a cell, in strides: from level to level they go on in steps of the square root of two.
const SIDES: [f32; 2] = [1.5, 1.5 * std::f32::consts::SQRT_2];

/// Anchors of a cell.
const PER_CELL: usize = SIDES.len();

/// Channels of the first convolution and of the stages, each of which halves height and width.
const WIDTHS: [i64; 5] = [16, 24, 48, 64, 96];

/// Channels of the pyramid.
const PYRAMID: i64 = 48;

pub(super) fn grid() -> Grid {
    let levels = STRIDES.map(|stride| Level {
        stride,
        shapes: Vec::from(SIDES.map(|side| {
            let half = 0.5 * side * stride as f32;
            [-half, -half, half, half]
        })),
    });
    Grid {
        levels: Vec::from(levels),
        middle: 0.5,
        step: Step::Stride,
        ranking: Ranking::Together,
    }
}

/// Layers in the order of execution.
pub(super) struct Tiny {
    stem: Conv,
    norm: Norm,
    stages: Vec<[Unit; 2]>,
    /// Of the last three stages, the coarsest first.
    laterals: Vec<Unit>,
    /// The finest first.
    heads: Vec<Head>,
}

/// Convolution, normalisation, FiLM, ReLU.
struct Unit {
    conv: Conv,
    norm: Norm,
}

struct Head {
    tower: Unit,
    scores: Predictor,
    boxes: Predictor,
}

impl Tiny {
    pub(super) fn new(shape: &Shape, layout: &mut Layout) -> Self {
        let [channels, classes] = [shape.channels, shape.classes].map(|count| count as i64);
        let epsilon = shape.epsilon;
        let stem = layout.conv("conv1", [channels, WIDTHS[0]], 3).stride(2);
        let norm = layout.norm("bn1", WIDTHS[0], epsilon);
        let unit = |name: &str, channels, kernel, stride, layout: &mut Layout| {
            Unit::new((name, epsilon), channels, kernel, stride, layout)
        };
        let stages = WIDTHS.windows(2).enumerate().map(|(stage, widths)| {
            let name = |index| format!("layer{}.{index}", stage + 1);
            [
                unit(&name(0), [widths[0], widths[1]], 3, 2, layout),
                unit(&name(1), [widths[1], widths[1]], 3, 1, layout),
            ]
        });
        let stages = stages.collect();
        let levels = WIDTHS.iter().rev().take(STRIDES.len());
        let laterals = levels.enumerate().map(|(at, &width)| {
            let name = format!("lateral{}", STRIDES.len() - at);
            unit(&name, [width, PYRAMID], 1, 1, layout)
        });
        let laterals = laterals.collect();
        let heads = (1..=STRIDES.len()).map(|level| {
            let name = |part| format!("head{level}.{part}");
            let per_cell = PER_CELL as i64;
            Head {
                tower: unit(&name("tower"), [PYRAMID, PYRAMID], 3, 1, layout),
                scores: layout.predictor(&name("cls_logits"), [PYRAMID, per_cell * classes], 3),
                boxes: layout.predictor(&name("bbox_pred"), [PYRAMID, per_cell * 4], 3),
            }
        });
        Self {
            stem,
            norm,
            stages,
            laterals,
            heads: heads.collect(),
        }
    }
}

impl Layers for Tiny {
    fn score_biases(&self) -> Vec<String> {
        let levels = 1..=STRIDES.len();
        levels
            .map(|level| format!("head{level}.cls_logits.bias"))
            .collect()
    }

    fn stem(&self, pass: &Pass<'_>, images: &Tensor) -> Result<Tensor> {
        pass.conv(&self.stem, images)
    }

    fn heads(&self, pass: &Pass<'_>, stem: &Tensor) -> Result<[Tensor; 2]> {
        let mut x = relu(pass.norm(&self.norm, stem)?)?;
        let mut maps = Vec::with_capacity(self.stages.len());
        for stage in &self.stages {
            for unit in stage {
                x = unit.apply(pass, &x)?;
            }
            maps.push(x.shallow_clone());
        }
        let mut levels: Vec<Tensor> = Vec::with_capacity(self.laterals.len());
        for (lateral, map) in self.laterals.iter().zip(maps.iter().rev()) {
            let own = lateral.apply(pass, map)?;
            levels.push(match levels.last() {
                None => own,
                Some(coarser) => {
                    let size = own.size();
                    let spread = coarser.f_upsample_nearest2d(&size[2..], None, None)?;
                    own.f_add(&spread)?
                }
            });
        }
        let (mut logits, mut codes) = (Vec::new(), Vec::new());
        for (head, level) in self.heads.iter().zip(levels.iter().rev()) {
            let tower = head.tower.apply(pass, level)?;
            let images = level.size()[0];
            let rows = |predictor: &Predictor, values: i64| -> Result<Tensor> {
                let map = pass.predictor(predictor, &tower)?;
                let inner = map.f_permute([0, 2, 3, 1])?;
                Ok(inner.f_reshape([images, -1, values])?)
            };
            let outputs = pass.tensors[head.scores.bias].size()[0] / PER_CELL as i64;
            logits.push(rows(&head.scores, outputs)?);
            codes.push(rows(&head.boxes, 4)?);
        }
        Ok([Tensor::f_cat(&logits, 1)?, Tensor::f_cat(&codes, 1)?])
    }
}

impl Unit {
    fn new(
        (name, epsilon): (&str, f64),
        channels: [i64; 2],
        kernel: i64,
        stride: i64,
        layout: &mut Layout,
    ) -> Self {
        Self {
            conv: layout
                .conv(&format!("{name}.conv"), channels, kernel)
                .stride(stride),
            norm: layout.norm(&format!("{name}.bn"), channels[1], epsilon),
        }
    }

    fn apply(&self, pass: &Pass<'_>, x: &Tensor) -> Result<Tensor> {
        relu(pass.norm(&self.norm, &pass.conv(&self.conv, x)?)?)
    }
}
