//! The network: a multilayer perceptron with one logit and a FiLM site before every hidden activation.

use metricopt_sdk::tch::Tensor;
use metricopt_sdk::{Result, Site};
use std::sync::Mutex;

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

/// A tensor that nobody writes, shared between threads: the lock is held only to add one to its reference count.
pub(crate) struct Frozen(Mutex<Tensor>);

impl Frozen {
    pub(crate) fn new(tensor: Tensor) -> Self {
        Self(Mutex::new(tensor))
    }

    pub(crate) fn get(&self) -> Tensor {
        let guard = self
            .0
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        guard.shallow_clone()
    }
}

/// The layers behind the first as tensors on the task's device, for gradients and for evaluation on a GPU.
pub(crate) struct TensorNetwork {
    hidden: Vec<(Frozen, Frozen)>,
    output: (Frozen, Frozen),
    widths: Vec<i64>,
}

impl TensorNetwork {
    pub(crate) fn new(network: &Network, device: metricopt_sdk::tch::Device) -> Result<Self> {
        let tensors = |layer: &Layer| -> Result<(Frozen, Frozen)> {
            let matrix = Tensor::f_from_slice(&layer.matrix)?
                .f_view([layer.inputs as i64, layer.outputs as i64])?;
            let bias = Tensor::f_from_slice(&layer.bias)?;
            Ok((
                Frozen::new(matrix.f_to_device(device)?),
                Frozen::new(bias.f_to_device(device)?),
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

    /// Logits `[N]` at one adapter `[D]`, from the pre-activations of the first hidden layer `[N, channels]`.
    pub(crate) fn logits(&self, phi: &Tensor, first: &Tensor) -> Result<Tensor> {
        let mut offset = 0;
        let mut film = |z: &Tensor, width: i64| -> Result<Tensor> {
            let scale = phi.f_narrow(0, offset, width)?.f_add_scalar(1.0)?;
            let shift = phi.f_narrow(0, offset + width, width)?;
            offset += 2 * width;
            Ok(shift.f_addcmul(z, &scale)?.f_relu()?)
        };
        let mut a = film(first, self.widths[0])?;
        for ((matrix, bias), &width) in self.hidden.iter().zip(&self.widths[1..]) {
            a = film(&bias.get().f_addmm(&a, &matrix.get())?, width)?;
        }
        let (matrix, bias) = &self.output;
        Ok(bias.get().f_addmm(&a, &matrix.get())?.f_squeeze_dim(1)?)
    }
}
