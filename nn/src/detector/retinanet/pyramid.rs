//! The feature pyramid (Lin et al., CVPR 2017) with two further levels made of its coarsest.

use metricopt_sdk::Result;
use metricopt_sdk::tch::Tensor;

use super::CHANNELS;
use crate::layers::Modulated;
use crate::layout::Layout;
use crate::pass::Pass;

pub(super) struct Pyramid {
    /// Of each map, the coarsest first: to the channels of the pyramid, and behind the sum.
    levels: Vec<[Modulated; 2]>,
    /// Each halves height and width of the one before.
    further: [Modulated; 2],
}

impl Pyramid {
    /// For maps of these channels, the finest first.
    pub(super) fn new(inputs: [i64; 3], layout: &mut Layout) -> Self {
        let levels = inputs.into_iter().enumerate().rev().map(|(at, width)| {
            let name = |part| format!("backbone.fpn.{part}.{at}.0");
            [
                layout.modulated(&name("inner_blocks"), [width, CHANNELS], 1),
                layout.modulated(&name("layer_blocks"), [CHANNELS; 2], 3),
            ]
        });
        let levels = levels.collect();
        let further = ["p6", "p7"].map(|name| {
            let name = format!("backbone.fpn.extra_blocks.{name}");
            layout.modulated(&name, [CHANNELS; 2], 3).stride(2)
        });
        Self { levels, further }
    }

    /// The maps of the pyramid, the finest first, of those of the backbone, of which the last ones are taken.
    pub(super) fn levels(&self, pass: &Pass<'_>, maps: &[Tensor]) -> Result<Vec<Tensor>> {
        let mut levels = Vec::with_capacity(self.levels.len() + self.further.len());
        let mut coarser: Option<Tensor> = None;
        for ([inner, outer], map) in self.levels.iter().zip(maps.iter().rev()) {
            let own = pass.modulated(inner, map)?;
            let sum = match coarser {
                None => own,
                Some(coarser) => {
                    let size = own.size();
                    let spread = coarser.f_upsample_nearest2d(&size[2..], None, None)?;
                    own.f_add(&spread)?
                }
            };
            levels.push(pass.modulated(outer, &sum)?);
            coarser = Some(sum);
        }
        levels.reverse();
        let [sixth, seventh] = &self.further;
        if let Some(coarsest) = levels.last() {
            let sixth = pass.modulated(sixth, coarsest)?;
            let seventh = pass.modulated(seventh, &sixth.f_relu()?)?;
            levels.extend([sixth, seventh]);
        }
        Ok(levels)
    }
}
