//! Pre-trained networks on disk, by the content they were made from.

use metricopt_sdk::Result;
use safetensors::{Dtype, SafeTensors, tensor::TensorView};
use sha2::{Digest, Sha256};
use std::path::{Path, PathBuf};

use crate::data::Table;
use crate::network::{Layer, Network};
use crate::pretrain::Pretraining;

/// Changes whenever the same content would give another network.
const VERSION: &str = "1";

/// Where the network for this configuration, seed and data lies.
pub(crate) fn path(
    folder: &Path,
    config: &Pretraining,
    table: &Table,
    device: &str,
    seed: u64,
) -> PathBuf {
    let mut hash = Sha256::new();
    let config = metricopt_sdk::config::to_json(config).to_string();
    for part in [
        VERSION,
        &config,
        device,
        &seed.to_string(),
        &table.columns.to_string(),
    ] {
        hash.update(part.as_bytes());
        hash.update([0]);
    }
    let mut bytes = Vec::with_capacity(1 << 16);
    for values in table.features.chunks(1 << 14) {
        bytes.clear();
        bytes.extend(values.iter().flat_map(|value| value.to_le_bytes()));
        hash.update(&bytes);
    }
    hash.update(
        table
            .labels
            .iter()
            .map(|&label| label as u8)
            .collect::<Vec<u8>>(),
    );
    let name: String = hash
        .finalize()
        .iter()
        .take(16)
        .map(|byte| format!("{byte:02x}"))
        .collect();
    folder.join("tabular").join(format!("{name}.safetensors"))
}

/// Reads a network; `None` if there is none or the file is damaged, because it can be made again.
pub(crate) fn read(path: &Path, columns: usize, hidden: &[usize]) -> Option<Network> {
    let bytes = std::fs::read(path).ok()?;
    let file = SafeTensors::deserialize(&bytes).ok()?;
    let values = |name: String, shape: &[usize]| -> Option<Vec<f32>> {
        let view = file.tensor(&name).ok()?;
        if view.dtype() != Dtype::F32 || view.shape() != shape {
            return None;
        }
        let floats = view.data().as_chunks::<4>().0.iter();
        let floats: Vec<f32> = floats.map(|bytes| f32::from_le_bytes(*bytes)).collect();
        floats
            .iter()
            .all(|value| value.is_finite())
            .then_some(floats)
    };
    let widths: Vec<usize> = std::iter::once(columns)
        .chain(hidden.iter().copied())
        .chain([1])
        .collect();
    let layers: Option<Vec<Layer>> = widths
        .windows(2)
        .enumerate()
        .map(|(index, pair)| {
            Some(Layer {
                inputs: pair[0],
                outputs: pair[1],
                matrix: values(format!("layer{index}.matrix"), &[pair[0], pair[1]])?,
                bias: values(format!("layer{index}.bias"), &[pair[1]])?,
            })
        })
        .collect();
    Some(Network { layers: layers? })
}

/// Finds out whether the cache can be written, before minutes are spent on what goes into it.
pub(crate) fn check_writable(path: &Path) -> Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let probe = path.with_extension(format!("{}.tmp", std::process::id()));
    let tried = std::fs::create_dir_all(folder)
        .and_then(|()| std::fs::File::create(&probe))
        .and_then(|_| std::fs::remove_file(&probe));
    tried.map_err(|error| failed(path, &error.to_string()))
}

fn failed(path: &Path, reason: &str) -> metricopt_sdk::Error {
    metricopt_sdk::Error::failed(format!(
        "cannot write the cache file `{}`: {reason}",
        path.display()
    ))
    .hint(
        "point `METRICOPT_CACHE` at a writable folder, or set it to the empty string for no cache",
    )
}

/// Writes a network beside and renames it, so that no reader sees half a file.
pub(crate) fn write(path: &Path, network: &Network) -> Result<()> {
    let bytes = |values: &[f32]| -> Vec<u8> {
        values
            .iter()
            .flat_map(|value| value.to_le_bytes())
            .collect()
    };
    let parts: Vec<(String, Vec<usize>, Vec<u8>)> = network
        .layers
        .iter()
        .enumerate()
        .flat_map(|(index, layer)| {
            [
                (
                    format!("layer{index}.matrix"),
                    vec![layer.inputs, layer.outputs],
                    bytes(&layer.matrix),
                ),
                (
                    format!("layer{index}.bias"),
                    vec![layer.outputs],
                    bytes(&layer.bias),
                ),
            ]
        })
        .collect();
    let views: Result<Vec<_>, _> = parts
        .iter()
        .map(|(name, shape, data)| {
            TensorView::new(Dtype::F32, shape.clone(), data).map(|view| (name.as_str(), view))
        })
        .collect();
    let views = views.map_err(|error| failed(path, &error.to_string()))?;
    let file =
        safetensors::serialize(views, None).map_err(|error| failed(path, &error.to_string()))?;
    let folder = path.parent().unwrap_or(Path::new("."));
    std::fs::create_dir_all(folder).map_err(|error| failed(path, &error.to_string()))?;
    // The process id keeps two runs that write the same network apart.
    let temporary = path.with_extension(format!("{}.tmp", std::process::id()));
    let written = std::fs::write(&temporary, file).and_then(|()| std::fs::rename(&temporary, path));
    written.map_err(|error| {
        // Nothing half-written stays behind; if even that fails, the first error says why.
        let _ = std::fs::remove_file(&temporary);
        failed(path, &error.to_string())
    })
}
