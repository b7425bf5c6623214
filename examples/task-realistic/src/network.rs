//! The network: two hidden layers with a FiLM site in front of each ReLU, and one logit.

use metricopt_sdk::prelude::*;
use metricopt_sdk::tch::Tensor;

/// A fully connected layer.
#[derive(Debug)]
pub(crate) struct Layer {
    /// `[inputs, outputs]`
    pub(crate) matrix: Tensor,
    /// `[outputs]`
    pub(crate) bias: Tensor,
}

impl Layer {
    fn apply(&self, x: &Tensor) -> Result<Tensor> {
        Ok(x.f_matmul(&self.matrix)?.f_add(&self.bias)?)
    }

    fn width(&self) -> i64 {
        self.bias.size()[0]
    }
}

/// The network.
#[derive(Debug)]
pub(crate) struct Network {
    pub(crate) layers: [Layer; 3],
}

impl Network {
    /// The FiLM sites, in the order of the adapter.
    pub(crate) fn sites(&self) -> Vec<Site> {
        let hidden = self.layers[..2].iter().zip(["hidden1", "hidden2"]);
        let site = |(layer, name): (&Layer, &str)| Site {
            name: name.to_owned(),
            channels: layer.width() as usize,
        };
        hidden.map(site).collect()
    }

    /// Values of an adapter.
    pub(crate) fn dimensions(&self) -> i64 {
        2 * (self.layers[0].width() + self.layers[1].width())
    }

    /// What comes in at the first FiLM site, which no adapter changes: `[N, columns]` to `[N, H]`.
    pub(crate) fn first(&self, features: &Tensor) -> Result<Tensor> {
        self.layers[0].apply(features)
    }

    /// The network that has the same outputs without FiLM as this one with the adapter `phi` `[D]`.
    pub(crate) fn folded(&self, phi: &Tensor) -> Result<Self> {
        let [one, two, output] = &self.layers;
        let output = Layer {
            matrix: output.matrix.shallow_clone(),
            bias: output.bias.shallow_clone(),
        };
        Ok(Self {
            layers: [fold(one, phi, 0)?, fold(two, phi, 2 * one.width())?, output],
        })
    }

    /// The logits `[P, N]` of `P` adapters `[P, D]`, in one pass.
    ///
    /// `first` is what comes in at the first FiLM site: `[N, H]` where all adapters see the same rows, `[P, N, H]`
    /// where each has rows of its own.
    pub(crate) fn logits(&self, first: &Tensor, phis: &Tensor) -> Result<Tensor> {
        let [one, two, output] = &self.layers;
        let hidden = film(first, phis, 0, one.width())?.f_relu()?;
        let hidden = film(&two.apply(&hidden)?, phis, 2 * one.width(), two.width())?.f_relu()?;
        Ok(output.apply(&hidden)?.f_squeeze_dim(-1)?)
    }
}

/// The layer with the FiLM site behind it folded in: `scale * (x W + b) + shift`, with a scale for each column of `W`.
fn fold(layer: &Layer, phi: &Tensor, start: i64) -> Result<Layer> {
    let width = layer.width();
    let scale = phi.f_narrow(0, start, width)?.f_add_scalar(1.0)?;
    let shift = phi.f_narrow(0, start + width, width)?;
    Ok(Layer {
        matrix: layer.matrix.f_mul(&scale)?,
        bias: shift.f_addcmul(&layer.bias, &scale)?,
    })
}

/// A FiLM site: scales and shifts each channel, for each adapter; the result is `[P, N, H]`.
///
/// From `start` on the adapter holds `scale - 1` and then the shift, so that `phi = 0` is exactly the network without
/// the site.
fn film(z: &Tensor, phis: &Tensor, start: i64, width: i64) -> Result<Tensor> {
    let scale = phis.f_narrow(1, start, width)?.f_add_scalar(1.0)?;
    let shift = phis.f_narrow(1, start + width, width)?;
    Ok(shift.f_unsqueeze(1)?.f_addcmul(z, &scale.f_unsqueeze(1)?)?)
}
