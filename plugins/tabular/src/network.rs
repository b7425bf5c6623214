//! The network: a multilayer perceptron with one logit and a FiLM site before every hidden activation.

use metricopt_sdk::tch::Tensor;
use metricopt_sdk::{Result, SharedTensor, Site};

/// One fully connected layer.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Layer {
    /// Number of inputs.
    pub(crate) inputs: usize,
    /// Number of outputs.
    pub(crate) outputs: usize,
    /// Weights, row-major `[inputs, outputs]`.
    pub(crate) matrix: Vec<f32>,
    /// Bias, `[outputs]`.
    pub(crate) bias: Vec<f32>,
}

/// A frozen network: ReLU between layers, the last layer has one output, the logit of the positive class.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Network {
    /// The layers, at least two.
    pub(crate) layers: Vec<Layer>,
}

impl Network {
    fn hidden(&self) -> &[Layer] {
        self.layers.split_last().map_or(&[], |(_, hidden)| hidden)
    }

    /// One site for each hidden layer.
    pub(crate) fn sites(&self) -> Vec<Site> {
        let site = |(index, layer): (usize, &Layer)| Site {
            name: format!("hidden{}", index + 1),
            channels: layer.outputs,
        };
        self.hidden().iter().enumerate().map(site).collect()
    }

    /// Length of the adapter.
    pub(crate) fn dimensions(&self) -> usize {
        self.hidden().iter().map(|layer| 2 * layer.outputs).sum()
    }
}

/// The layers behind the first as tensors on the task's device, for gradients and for evaluation on a GPU.
pub(crate) struct TensorNetwork {
    hidden: Vec<(SharedTensor, SharedTensor)>,
    output: (SharedTensor, SharedTensor),
    widths: Vec<i64>,
}

impl TensorNetwork {
    pub(crate) fn new(network: &Network, device: metricopt_sdk::tch::Device) -> Result<Self> {
        let tensors = |layer: &Layer| -> Result<(SharedTensor, SharedTensor)> {
            let matrix = Tensor::f_from_slice(&layer.matrix)?
                .f_view([layer.inputs as i64, layer.outputs as i64])?;
            let bias = Tensor::f_from_slice(&layer.bias)?;
            Ok((
                SharedTensor::new(matrix.f_to_device(device)?),
                SharedTensor::new(bias.f_to_device(device)?),
            ))
        };
        let hidden: Result<Vec<_>> = network.hidden().iter().skip(1).map(tensors).collect();
        let output = &network.layers[network.layers.len() - 1];
        Ok(Self {
            hidden: hidden?,
            output: tensors(output)?,
            widths: network
                .hidden()
                .iter()
                .map(|layer| layer.outputs as i64)
                .collect(),
        })
    }

    /// Logits `[N]` at one adapter `[D]`, from the pre-activations of the first hidden layer `[N, channels]`; or `[P, N]` at a
    /// population of adapters `[P, D]` in one pass, from these or from rows of its own for each, `[P, N, channels]`.
    pub(crate) fn logits(&self, phi: &Tensor, first: &Tensor) -> Result<Tensor> {
        // One row for all samples: `[1, D]`, or `[P, 1, D]`.
        let phi = phi.f_unsqueeze(-2)?;
        let mut offset = 0;
        let mut film = |z: &Tensor, width: i64| -> Result<Tensor> {
            let scale = phi.f_narrow(-1, offset, width)?.f_add_scalar(1.0)?;
            let shift = phi.f_narrow(-1, offset + width, width)?;
            offset += 2 * width;
            Ok(shift.f_addcmul(z, &scale)?.f_relu()?)
        };
        let linear =
            |(matrix, bias): &(SharedTensor, SharedTensor), a: &Tensor| -> Result<Tensor> {
                Ok(a.f_linear(&matrix.get().f_transpose(0, 1)?, Some(&bias.get()))?)
            };
        let mut a = film(first, self.widths[0])?;
        for (layer, &width) in self.hidden.iter().zip(&self.widths[1..]) {
            a = film(&linear(layer, &a)?, width)?;
        }
        Ok(linear(&self.output, &a)?.f_squeeze_dim(-1)?)
    }
}
