//! Pre-training: what a user would have done before hearing of us.

use metricopt_sdk::prelude::*;
use metricopt_sdk::tch::nn::{self, OptimizerConfig};
use metricopt_sdk::tch::{Device, Kind as Dtype, Tensor, no_grad};
use rand::seq::SliceRandom;
use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64Mcg;

use crate::data::Table;
use crate::network::{Layer, Network};

/// The network and how it is trained before tuning.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Pretraining {
    /// Widths of the hidden layers; each gets a FiLM site in front of its ReLU.
    pub hidden: Vec<usize>,
    /// Most passes over the training rows.
    pub epochs: usize,
    /// Rows in a minibatch.
    pub batch_size: usize,
    /// Learning rate of Adam.
    pub learning_rate: f64,
    /// Weight of the positive class in the loss; weights are normalised to mean 1 in each batch.
    pub class_weight: f64,
    /// Share of the training rows held out to stop early on, 0 for none: training ends when their loss has not fallen
    /// for `patience` epochs, and the best epoch is kept.
    pub early_stopping: f64,
    /// Epochs without improvement before training ends.
    pub patience: usize,
}

/// Largest number of weights between hidden layers: with Adam's moments and gradients 1.6 GB.
const MAX_WEIGHTS: f64 = 1e8;

impl Default for Pretraining {
    fn default() -> Self {
        Self {
            hidden: vec![100, 100],
            epochs: 15,
            batch_size: 512,
            learning_rate: 1e-3,
            class_weight: 1.0,
            early_stopping: 0.1,
            patience: 3,
        }
    }
}

impl Pretraining {
    /// Complaints about values out of range, one sentence each.
    pub(crate) fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        let mut check = |key: &str, fits: bool, expected: &str| {
            if !fits {
                problems.push(format!(
                    "`network.{key}` is out of range, expected {expected}"
                ));
            }
        };
        check(
            "hidden",
            (1..=16).contains(&self.hidden.len())
                && self.hidden.iter().all(|width| (1..=65_536).contains(width)),
            "1 to 16 widths of 1 to 65536",
        );
        let widths = || std::iter::once(1).chain(self.hidden.iter().copied());
        let weights = widths()
            .zip(self.hidden.iter().copied())
            .map(|(a, b)| a as f64 * b as f64);
        check(
            "hidden",
            weights.sum::<f64>() <= MAX_WEIGHTS,
            "at most 100 million weights in all",
        );
        check("epochs", (1..=10_000).contains(&self.epochs), "1 to 10000");
        check(
            "batch_size",
            (1..=1_000_000).contains(&self.batch_size),
            "1 to 1000000",
        );
        check(
            "learning_rate",
            self.learning_rate > 0.0 && self.learning_rate <= 10.0,
            "above 0, at most 10",
        );
        check(
            "class_weight",
            self.class_weight > 0.0 && self.class_weight <= 1e6,
            "above 0, at most 1000000",
        );
        check(
            "early_stopping",
            (0.0..=0.9).contains(&self.early_stopping),
            "0 to 0.9",
        );
        check("patience", self.patience >= 1, "at least 1");
        problems
    }
}

/// Class weights of rows, normalised to mean 1.
pub(crate) fn row_weights(labels: &Tensor, negative: f64, positive: f64) -> Result<Tensor> {
    let weights = labels
        .f_mul_scalar(positive - negative)?
        .f_add_scalar(negative)?;
    let mean = weights.f_mean(Dtype::Float)?;
    Ok(weights.f_div(&mean)?)
}

/// Trains the network on a table.
///
/// The order of rows and the initial weights come from `seed` alone.
pub(crate) fn train(
    config: &Pretraining,
    table: &Table,
    device: Device,
    seed: u64,
    context: &Context<'_>,
) -> Result<Network> {
    let mut rng = Pcg64Mcg::seed_from_u64(seed);
    let rows = table.rows();
    let mut order: Vec<i64> = (0..rows as i64).collect();
    order.shuffle(&mut rng);
    let held_out = ((config.early_stopping * rows as f64) as usize).min(rows - 1);
    let (held_out, training) = order.split_at_mut(held_out);

    let features = Tensor::f_from_slice(&table.features)?
        .f_view([rows as i64, table.columns as i64])?
        .f_to_device(device)?;
    let labels: Vec<f32> = table.labels.iter().map(|&label| label as f32).collect();
    let labels = Tensor::f_from_slice(&labels)?.f_to_device(device)?;

    let variables = nn::VarStore::new(device);
    let mut layers = Vec::new();
    let mut widths = vec![table.columns];
    widths.extend(&config.hidden);
    widths.push(1);
    for (index, pair) in widths.windows(2).enumerate() {
        // The bounds of PyTorch's `Linear`.
        let bound = 1.0 / (pair[0].max(1) as f32).sqrt();
        let mut uniform =
            |n: usize| -> Vec<f32> { (0..n).map(|_| rng.random_range(-bound..=bound)).collect() };
        let matrix = Tensor::f_from_slice(&uniform(pair[0] * pair[1]))?
            .f_view([pair[0] as i64, pair[1] as i64])?;
        let bias = Tensor::f_from_slice(&uniform(pair[1]))?;
        let path = variables.root() / index;
        layers.push((
            path.var_copy("matrix", &matrix),
            path.var_copy("bias", &bias),
        ));
    }
    let logits = |x: &Tensor| -> Result<Tensor> {
        let mut a = x.shallow_clone();
        for (index, (matrix, bias)) in layers.iter().enumerate() {
            a = bias.f_addmm(&a, matrix)?;
            if index + 1 < layers.len() {
                a = a.f_relu()?;
            }
        }
        Ok(a.f_squeeze_dim(1)?)
    };
    let loss = |rows: &[i64]| -> Result<Tensor> {
        let index = Tensor::f_from_slice(rows)?.f_to_device(device)?;
        let y = labels.f_index_select(0, &index)?;
        let weights = row_weights(&y, 1.0, config.class_weight)?;
        cross_entropy(
            &logits(&features.f_index_select(0, &index)?)?,
            &y,
            Some(&weights),
        )
    };
    let export = || -> Result<Network> {
        let layers: Result<Vec<Layer>> = layers
            .iter()
            .map(|(matrix, bias)| {
                let &[inputs, outputs] = matrix.size().as_slice() else {
                    return Err(Error::failed("a weight matrix is no matrix"));
                };
                Ok(Layer {
                    inputs: inputs as usize,
                    outputs: outputs as usize,
                    matrix: Vec::try_from(matrix.f_reshape([-1])?)?,
                    bias: Vec::try_from(bias)?,
                })
            })
            .collect();
        Ok(Network { layers: layers? })
    };

    let mut optimizer = nn::Adam::default().build(&variables, config.learning_rate)?;
    let mut best: Option<(f64, Network)> = None;
    let mut stale = 0;
    for epoch in 0..config.epochs {
        training.shuffle(&mut rng);
        for (step, batch) in training.chunks(config.batch_size).enumerate() {
            if step % 16 == 0 {
                context.call.check()?;
                let done = epoch * training.len() + step * config.batch_size;
                (context.progress)(
                    "pre-training",
                    done as u64,
                    (config.epochs * training.len()) as u64,
                );
            }
            optimizer.zero_grad();
            loss(batch)?.f_backward()?;
            optimizer.step();
        }
        if held_out.is_empty() {
            continue;
        }
        let value = f64::try_from(no_grad(|| loss(held_out))?)?;
        if best
            .as_ref()
            .is_none_or(|(incumbent, _)| value < *incumbent)
        {
            best = Some((value, export()?));
            stale = 0;
        } else {
            stale += 1;
            if stale >= config.patience {
                break;
            }
        }
    }
    let network = match best {
        Some((_, network)) => network,
        None => export()?,
    };
    let finite = |layer: &Layer| {
        layer
            .matrix
            .iter()
            .chain(&layer.bias)
            .all(|weight| weight.is_finite())
    };
    if !network.layers.iter().all(finite) {
        return Err(Error::failed("pre-training diverged: a weight is not finite")
            .hint("lower `task.network.learning_rate`; features of very different scale need `task.standardise=true`"));
    }
    Ok(network)
}

/// Binary cross-entropy of logits `[N]`.
pub(crate) fn cross_entropy(
    logits: &Tensor,
    labels: &Tensor,
    weights: Option<&Tensor>,
) -> Result<Tensor> {
    let none: Option<&Tensor> = None;
    Ok(logits.f_binary_cross_entropy_with_logits(
        labels,
        weights,
        none,
        metricopt_sdk::tch::Reduction::Mean,
    )?)
}
