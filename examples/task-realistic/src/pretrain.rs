//! Pre-training, and the cache: what users would have done before hearing of metricopt.

use metricopt_sdk::prelude::*;
use metricopt_sdk::tch::nn::{Adam, OptimizerConfig, VarStore};
use metricopt_sdk::tch::{Device, Kind as Dtype, Reduction, Tensor};
use rand::seq::SliceRandom;
use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64Mcg;
use sha2::{Digest, Sha256};
use std::path::{Path, PathBuf};

use crate::Config;
use crate::data::Table;
use crate::network::{Layer, Network};

/// Changes whenever the same content would give another network.
const VERSION: &str = "1";

/// Rows of a minibatch.
const BATCH: usize = 256;

/// The names of the tensors in a cache file, in the order of the layers.
pub(crate) const NAMES: [[&str; 2]; 3] = [
    ["matrix1", "bias1"],
    ["matrix2", "bias2"],
    ["matrix3", "bias3"],
];

/// The network from the cache, or trained and put there.
pub(crate) fn pretrained(config: &Config, table: &Table, context: &Context<'_>) -> Result<Network> {
    let path = context
        .cache
        .map(|folder| path(folder, config, table, context));
    if let Some(path) = &path
        && let Some(network) = load(path, shapes(config, table), context.device)
    {
        return Ok(network);
    }
    let network = train(config, table, context)?;
    if let Some(path) = &path {
        store(path, &network)?;
    }
    Ok(network)
}

/// Shapes of the matrices.
fn shapes(config: &Config, table: &Table) -> [[i64; 2]; 3] {
    let [one, two] = config.hidden.map(|width| width as i64);
    [[table.columns as i64, one], [one, two], [two, 1]]
}

/// Where the network lies, by all that it depends on.
fn path(folder: &Path, config: &Config, table: &Table, context: &Context<'_>) -> PathBuf {
    let mut hash = Sha256::new();
    let config = metricopt_sdk::config::to_json(config).to_string();
    let about = format!(
        "{VERSION}\n{config}\n{}\n{:?}\n",
        context.seed, context.device
    );
    hash.update(about.as_bytes());
    for value in &table.features {
        hash.update(value.to_le_bytes());
    }
    for label in &table.labels {
        hash.update(label.to_le_bytes());
    }
    let name: String = hash
        .finalize()
        .iter()
        .take(16)
        .map(|byte| format!("{byte:02x}"))
        .collect();
    folder.join("machines").join(format!("{name}.safetensors"))
}

/// Reads a network; `None` if there is none or the file is damaged, because it can be made again.
fn load(path: &Path, shapes: [[i64; 2]; 3], device: Device) -> Option<Network> {
    let mut tensors = Tensor::read_safetensors(path).ok()?;
    let mut take = |name: &str, shape: &[i64]| {
        let at = tensors.iter().position(|(found, _)| found == name)?;
        let tensor = tensors.swap_remove(at).1;
        let fits = tensor.size() == shape && tensor.kind() == Dtype::Float;
        let finite = fits && bool::try_from(tensor.f_isfinite().ok()?.f_all().ok()?).ok()?;
        tensor.f_to_device(device).ok().filter(|_| finite)
    };
    let mut layer = |index: usize| {
        Some(Layer {
            matrix: take(NAMES[index][0], &shapes[index])?,
            bias: take(NAMES[index][1], &shapes[index][1..])?,
        })
    };
    Some(Network {
        layers: [layer(0)?, layer(1)?, layer(2)?],
    })
}

/// Writes a network beside and renames it, so that no reader sees half a file.
fn store(path: &Path, network: &Network) -> Result<()> {
    let tensors: Vec<(&str, &Tensor)> = NAMES
        .iter()
        .zip(&network.layers)
        .flat_map(|(names, layer)| [(names[0], &layer.matrix), (names[1], &layer.bias)])
        .collect();
    let folder = path.parent().unwrap_or(Path::new("."));
    // The process id keeps two runs that write the same network apart.
    let temporary = path.with_extension(format!("{}.tmp", std::process::id()));
    let written = std::fs::create_dir_all(folder)
        .map_err(|error| error.to_string())
        .and_then(|()| {
            Tensor::write_safetensors(&tensors, &temporary).map_err(|error| error.to_string())
        })
        .and_then(|()| std::fs::rename(&temporary, path).map_err(|error| error.to_string()));
    written.map_err(|reason| {
        // Nothing half-written stays behind; if even that fails, the first error says why.
        let _ = std::fs::remove_file(&temporary);
        Error::failed(format!("cannot write the cache file `{}`: {reason}", path.display()))
            .hint("point `METRICOPT_CACHE` at a writable folder, or set it to the empty string for no cache")
    })
}

/// Trains the network. Initial weights and the order of rows come from the seed alone.
fn train(config: &Config, table: &Table, context: &Context<'_>) -> Result<Network> {
    let device = context.device;
    let mut rng = Pcg64Mcg::seed_from_u64(context.seed);
    let mut variables = VarStore::new(device);
    let root = variables.root();
    let mut layer = |index: usize, [inputs, outputs]: [i64; 2]| -> Result<Layer> {
        // The bounds of PyTorch's `Linear`. The generator is ours: the one of libtorch belongs to the whole process.
        let bound = 1.0 / (inputs as f32).sqrt();
        let mut uniform = |shape: &[i64]| -> Result<Tensor> {
            let count: i64 = shape.iter().product();
            let values: Vec<f32> = (0..count)
                .map(|_| rng.random_range(-bound..=bound))
                .collect();
            Ok(Tensor::f_from_slice(&values)?.f_view(shape)?)
        };
        Ok(Layer {
            matrix: root.var_copy(NAMES[index][0], &uniform(&[inputs, outputs])?),
            bias: root.var_copy(NAMES[index][1], &uniform(&[outputs])?),
        })
    };
    let [one, two, three] = shapes(config, table);
    let network = Network {
        layers: [layer(0, one)?, layer(1, two)?, layer(2, three)?],
    };

    let columns = table.columns as i64;
    let features = Tensor::f_from_slice(&table.features)?
        .f_view([-1, columns])?
        .f_to_device(device)?;
    let targets = Tensor::f_from_slice(&table.labels)?
        .f_to_device(device)?
        .f_to_kind(Dtype::Float)?;
    let identity = Tensor::f_zeros([1, network.dimensions()], (Dtype::Float, device))?;
    let mut order: Vec<i64> = (0..table.labels.len() as i64).collect();
    let mut optimizer = Adam::default().build(&variables, config.learning_rate)?;
    for epoch in 0..config.epochs {
        (context.progress)("pre-training", epoch as u64, config.epochs as u64);
        order.shuffle(&mut rng);
        for rows in order.chunks(BATCH) {
            context.call.check()?;
            let rows = Tensor::f_from_slice(rows)?.f_to_device(device)?;
            let first = network.first(&features.f_index_select(0, &rows)?)?;
            let logits = network.logits(&first, &identity)?.f_squeeze_dim(0)?;
            let (targets, none) = (targets.f_index_select(0, &rows)?, None::<&Tensor>);
            let loss =
                logits.f_binary_cross_entropy_with_logits(&targets, none, none, Reduction::Mean)?;
            optimizer.zero_grad();
            loss.f_backward()?;
            optimizer.step();
        }
    }
    // From here on gradients go to the adapter alone.
    variables.freeze();
    for layer in &network.layers {
        for tensor in [&layer.matrix, &layer.bias] {
            if !bool::try_from(tensor.f_isfinite()?.f_all()?)? {
                return Err(
                    Error::failed("pre-training diverged: a weight is not finite")
                        .hint("lower `task.learning_rate`"),
                );
            }
        }
    }
    Ok(network)
}
