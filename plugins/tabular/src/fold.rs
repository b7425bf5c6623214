//! The network with an adapter folded into its weights, as PyTorch would name and shape them.

use metricopt_sdk::prelude::*;
use metricopt_sdk::tch::Tensor;

use crate::network::{Layer, Network};

/// Weights `[outputs, inputs]` and biases `[outputs]` of every layer at an adapter `[D]`, under the names of a
/// `torch.nn.Sequential` of `Linear` and `ReLU` in turn: `0.weight`, `0.bias`, `2.weight` and so on.
///
/// # Errors
///
/// If the adapter has another length, or those of libtorch.
pub(crate) fn folded(network: &Network, phi: &[f32]) -> Result<Vec<NamedTensor>> {
    if phi.len() != network.dimensions() {
        return Err(Error::data(format!(
            "the adapter has {} values, the network takes {}",
            phi.len(),
            network.dimensions()
        )));
    }
    let mut rest = phi;
    let mut tensors = Vec::with_capacity(2 * network.layers.len());
    for (index, layer) in network.layers.iter().enumerate() {
        let is_output = index + 1 == network.layers.len();
        let width = if is_output { 0 } else { layer.outputs };
        let (film, behind) = rest.split_at(2 * width);
        rest = behind;
        let (weight, bias) = fold_layer(layer, film)?;
        tensors.push(NamedTensor::new(format!("{}.weight", 2 * index), weight));
        tensors.push(NamedTensor::new(format!("{}.bias", 2 * index), bias));
    }
    Ok(tensors)
}

/// `scale * (W x + b) + shift = (scale * W) x + (scale * b + shift)`; `film` is `scale - 1` and then `shift`, or empty.
fn fold_layer(layer: &Layer, film: &[f32]) -> Result<(Tensor, Tensor)> {
    let matrix = Tensor::f_from_slice(&layer.matrix)?;
    let weight = matrix
        .f_view([layer.inputs as i64, layer.outputs as i64])?
        .f_transpose(0, 1)?;
    let bias = Tensor::f_from_slice(&layer.bias)?;
    if film.is_empty() {
        return Ok((weight, bias));
    }
    let (scale, shift) = film.split_at(layer.outputs);
    let scale = Tensor::f_from_slice(scale)?.f_add_scalar(1.0)?;
    let weight = weight.f_mul(&scale.f_unsqueeze(1)?)?;
    let bias = Tensor::f_from_slice(shift)?.f_addcmul(&bias, &scale)?;
    Ok((weight, bias))
}
