//! The network: two hidden layers with a FiLM site each, and one logit.

use metricopt_sdk::prelude::*;
use metricopt_sdk::tch::nn::{Adam, OptimizerConfig, VarStore};
use metricopt_sdk::tch::{Kind as Dtype, Reduction, Tensor};

use crate::data::{Points, Random};

/// Channels of a hidden layer.
pub(crate) const WIDTH: i64 = 16;

/// A fully connected layer.
struct Layer {
    /// `[inputs, outputs]`
    matrix: Tensor,
    /// `[outputs]`
    bias: Tensor,
}

impl Layer {
    fn apply(&self, x: &Tensor) -> Result<Tensor> {
        Ok(x.f_matmul(&self.matrix)?.f_add(&self.bias)?)
    }
}

/// The frozen network.
pub(crate) struct Network {
    layers: [Layer; 3],
}

impl Network {
    /// Trains the network on all points at once. A task with a long training would keep the weights in the folder
    /// `context.cache`, under a name made of all that they depend on.
    pub(crate) fn train(points: &Points, steps: usize, context: &Context<'_>) -> Result<Self> {
        let mut variables = VarStore::new(context.device);
        // Initial weights of our own: the random numbers of libtorch belong to the whole process.
        let mut random = Random(!context.seed);
        let mut layer = |name: &str, inputs: i64, outputs: i64| -> Result<Layer> {
            let bound = 1.0 / (inputs as f64).sqrt();
            let mut uniform = |shape: &[i64]| -> Result<Tensor> {
                let count = shape.iter().product();
                let values = (0..count).map(|_| (bound * (2.0 * random.next() - 1.0)) as f32);
                let values: Vec<f32> = values.collect();
                Ok(Tensor::f_from_slice(&values)?.f_view(shape)?)
            };
            let path = variables.root() / name;
            Ok(Layer {
                matrix: path.var_copy("matrix", &uniform(&[inputs, outputs])?),
                bias: path.var_copy("bias", &uniform(&[outputs])?),
            })
        };
        let layers = [
            layer("1", 2, WIDTH)?,
            layer("2", WIDTH, WIDTH)?,
            layer("3", WIDTH, 1)?,
        ];
        let network = Self { layers };

        let device = context.device;
        let x = points.tensor()?.f_to_device(device)?;
        let labels = Tensor::f_from_slice(&points.labels)?.f_to_device(device)?;
        let targets = labels.f_to_kind(Dtype::Float)?.f_unsqueeze(0)?;
        let identity = Tensor::f_zeros([1, 4 * WIDTH], (Dtype::Float, device))?;
        let mut optimizer = Adam::default().build(&variables, 0.02)?;
        for step in 0..steps {
            context.call.check()?;
            (context.progress)("pre-training", step as u64, steps as u64);
            let logits = network.logits(&network.first(&x)?, &identity)?;
            let none: Option<&Tensor> = None;
            let loss =
                logits.f_binary_cross_entropy_with_logits(&targets, none, none, Reduction::Mean)?;
            optimizer.zero_grad();
            loss.f_backward()?;
            optimizer.step();
        }
        // From here on gradients go to the adapter alone.
        variables.freeze();
        Ok(network)
    }

    /// What comes in at the first FiLM site: `[N, 2]` to `[N, WIDTH]`.
    pub(crate) fn first(&self, points: &Tensor) -> Result<Tensor> {
        self.layers[0].apply(points)
    }

    /// The logits `[P, N]` of `P` adapters `[P, D]`, from what comes in at the first FiLM site, `[N, WIDTH]`.
    pub(crate) fn logits(&self, first: &Tensor, phis: &Tensor) -> Result<Tensor> {
        let hidden = film(first, phis, 0)?.f_relu()?;
        let hidden = film(&self.layers[1].apply(&hidden)?, phis, 1)?.f_relu()?;
        Ok(self.layers[2].apply(&hidden)?.f_squeeze_dim(-1)?)
    }
}

/// A FiLM site: scales and shifts each channel, for each adapter, `[N, WIDTH]` or `[P, N, WIDTH]` to the latter.
///
/// The adapter holds `scale - 1` and then the shift, so that `phi = 0` is exactly the pre-trained network.
fn film(z: &Tensor, phis: &Tensor, site: i64) -> Result<Tensor> {
    let part = |index: i64| -> Result<Tensor> {
        let start = (2 * site + index) * WIDTH;
        Ok(phis.f_narrow(1, start, WIDTH)?.f_unsqueeze(1)?)
    };
    let scale = part(0)?.f_add_scalar(1.0)?;
    Ok(part(1)?.f_addcmul(z, &scale)?)
}
