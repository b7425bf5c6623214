//! NASNet-A-Mobile (Zoph et al., CVPR 2018: 4 @ 1056) with the names of the well-known PyTorch port.
//!
//! The port keeps the windows of the TensorFlow original where a cell halves the image: they start at the first pixel
//! instead of being centred at it. It pads, convolves and crops for that; here the same windows are asked for directly.

mod branch;
mod cell;
mod entry;

use metricopt_sdk::Result;
use metricopt_sdk::tch::Tensor;

use crate::architecture::Architecture;
use crate::layers::{Conv, Linear, Norm, global_average};
use crate::layout::Layout;
use crate::pass::Pass;
use branch::Window;
use cell::Cell;
use entry::Entry;

/// That of the TensorFlow original.
const EPSILON: f64 = 1e-3;

/// Channels of the first convolution.
const STEM: i64 = 32;

/// Channels of a branch in the first cells: 1,056 at the end, over the 6 outputs and 4 times the width of the last ones.
const FILTERS: i64 = 44;

pub(crate) struct Nasnet {
    stem: Conv,
    norm: Norm,
    stem_cells: [Cell; 2],
    /// Three runs of cells; all but the first begin with a cell that halves the image.
    stages: Vec<Vec<Cell>>,
    classifier: Linear,
}

impl Nasnet {
    pub(crate) fn mobile(classes: usize, layout: &mut Layout) -> Self {
        let stem = layout.conv("conv0.conv", [3, STEM], 3);
        let norm = layout.norm("conv0.bn", STEM, EPSILON);
        let quarter = FILTERS / 4;
        let first = Cell::stem("cell_stem_0", STEM, quarter, layout);
        let previous = Entry::factorised("cell_stem_1", [STEM, quarter], layout);
        let current = Entry::projection("cell_stem_1.conv_1x1", [4 * quarter, 2 * quarter], layout);
        let second = Cell::reduction(
            "cell_stem_1",
            [previous, current],
            2 * quarter,
            Window::HalveFromEdge,
            layout,
        );
        // Channels of the last two results.
        let mut channels = [FILTERS, 2 * FILTERS];
        let mut stages = Vec::new();
        for (stage, number) in [0, 6, 12].into_iter().enumerate() {
            let width = FILTERS << stage;
            let mut cells = Vec::new();
            if stage > 0 {
                let name = format!("reduction_cell_{}", stage - 1);
                let entries = projections(&name, channels, width, layout);
                let window = Window::HalveFromEdge;
                cells.push(Cell::reduction(&name, entries, width, window, layout));
                channels = [channels[1], 4 * width];
            }
            for index in 0..4 {
                let name = format!("cell_{}", number + index);
                let entries = if index == 0 {
                    // The result before the last is still twice as large.
                    [
                        Entry::factorised(&name, [channels[0], width / 2], layout),
                        Entry::projection(
                            &format!("{name}.conv_1x1"),
                            [channels[1], width],
                            layout,
                        ),
                    ]
                } else {
                    projections(&name, channels, width, layout)
                };
                cells.push(Cell::normal(&name, entries, width, layout));
                channels = [channels[1], 6 * width];
            }
            stages.push(cells);
        }
        Self {
            stem: stem.stride(2).unpadded(),
            norm,
            stem_cells: [first, second],
            stages,
            classifier: layout.linear("last_linear", [channels[1], classes as i64]),
        }
    }
}

/// The entries of a cell whose two inputs have the same size.
fn projections(name: &str, channels: [i64; 2], width: i64, layout: &mut Layout) -> [Entry; 2] {
    let [previous, current] = channels;
    [
        Entry::projection(&format!("{name}.conv_prev_1x1"), [previous, width], layout),
        Entry::projection(&format!("{name}.conv_1x1"), [current, width], layout),
    ]
}

impl Architecture for Nasnet {
    fn stem(&self, pass: &Pass<'_>, images: &Tensor) -> Result<Tensor> {
        pass.conv(&self.stem, images)
    }

    fn maps(&self, pass: &Pass<'_>, stem: &Tensor) -> Result<Vec<Tensor>> {
        let start = pass.norm(&self.norm, stem)?;
        let first = self.stem_cells[0].apply(pass, &start, &start)?;
        let mut current = self.stem_cells[1].apply(pass, &start, &first)?;
        let mut previous = first;
        let mut maps = Vec::with_capacity(self.stages.len());
        for stage in &self.stages {
            for cell in stage {
                let next = cell.apply(pass, &previous, &current)?;
                previous = std::mem::replace(&mut current, next);
            }
            maps.push(current.shallow_clone());
        }
        Ok(maps)
    }

    fn features(&self, map: &Tensor) -> Result<Tensor> {
        global_average(&map.f_relu()?)
    }

    fn classify(&self, pass: &Pass<'_>, features: &Tensor) -> Result<Tensor> {
        pass.linear(&self.classifier, features)
    }
}
