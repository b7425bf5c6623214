//! Four convolutions: the embedding network of few-shot learning, here with 32 channels (Vinyals et al., NeurIPS 2016,
//! section 4.1.1; 32 channels as in Finn et al., ICML 2017, section 5.2).

use metricopt_sdk::Result;
use metricopt_sdk::tch::Tensor;

use crate::architecture::Architecture;
use crate::layers::{Conv, Linear, Norm, relu};
use crate::layout::Layout;
use crate::pass::Pass;

const CHANNELS: i64 = 32;
const BLOCKS: usize = 4;

/// PyTorch's default.
const EPSILON: f64 = 1e-5;

/// Four times convolution, normalisation, ReLU, with a pooling by two between each two, and a linear layer behind the mean.
pub(crate) struct Conv4 {
    blocks: Vec<(Conv, Norm)>,
    classifier: Linear,
}

impl Conv4 {
    pub(crate) fn new(classes: usize, layout: &mut Layout) -> Self {
        let blocks = (1..=BLOCKS).map(|block| {
            let inputs = if block == 1 { 1 } else { CHANNELS };
            (
                layout.conv(&format!("conv{block}"), [inputs, CHANNELS], 3),
                layout.norm(&format!("bn{block}"), CHANNELS, EPSILON),
            )
        });
        Self {
            blocks: blocks.collect(),
            classifier: layout.linear("fc", [CHANNELS, classes as i64]),
        }
    }
}

impl Architecture for Conv4 {
    fn stem(&self, pass: &Pass<'_>, images: &Tensor) -> Result<Tensor> {
        pass.conv(&self.blocks[0].0, images)
    }

    fn maps(&self, pass: &Pass<'_>, stem: &Tensor) -> Result<Vec<Tensor>> {
        let mut maps: Vec<Tensor> = Vec::with_capacity(BLOCKS);
        for (conv, norm) in &self.blocks {
            let x = match maps.last() {
                None => stem.shallow_clone(),
                Some(finer) => {
                    // Rounded up, so that images of 8 x 8 pixels are not too small.
                    let pooled = finer.f_max_pool2d([2, 2], [2, 2], [0, 0], [1, 1], true)?;
                    pass.conv(conv, &pooled)?
                }
            };
            maps.push(relu(pass.norm(norm, &x)?)?);
        }
        Ok(maps)
    }

    fn classify(&self, pass: &Pass<'_>, features: &Tensor) -> Result<Tensor> {
        pass.linear(&self.classifier, features)
    }
}
