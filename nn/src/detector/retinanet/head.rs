//! A head: four convolutions and one that puts out values, the same for all levels.

use metricopt_sdk::Result;
use metricopt_sdk::tch::Tensor;

use super::CHANNELS;
use crate::layers::{Modulated, Predictor, relu};
use crate::layout::Layout;
use crate::pass::Pass;

/// Convolutions in front of the last.
const DEPTH: usize = 4;

pub(super) struct Head {
    tower: Vec<Modulated>,
    predictor: Predictor,
    /// Values of an anchor.
    values: i64,
}

impl Head {
    /// `outputs` are the anchors of a cell and the values of an anchor.
    pub(super) fn new(name: &str, predictor: &str, outputs: [i64; 2], layout: &mut Layout) -> Self {
        let tower = (0..DEPTH)
            .map(|at| layout.modulated(&format!("{name}.conv.{at}.0"), [CHANNELS; 2], 3))
            .collect();
        let [per_cell, values] = outputs;
        Self {
            tower,
            predictor: layout.predictor(predictor, [CHANNELS, per_cell * values], 3),
            values,
        }
    }

    /// The values of all anchors `[N, A, values]` of the maps of the levels.
    pub(super) fn outputs(&self, pass: &Pass<'_>, levels: &[Tensor]) -> Result<Tensor> {
        let of_level = |level: &Tensor| -> Result<Tensor> {
            let mut x = level.shallow_clone();
            for layer in &self.tower {
                x = relu(pass.modulated(layer, &x)?)?;
            }
            let map = pass.predictor(&self.predictor, &x)?;
            let inner = map.f_permute([0, 2, 3, 1])?;
            Ok(inner.f_reshape([level.size()[0], -1, self.values])?)
        };
        let found: Result<Vec<Tensor>> = levels.iter().map(of_level).collect();
        Ok(Tensor::f_cat(&found?, 1)?)
    }
}
