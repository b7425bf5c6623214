//! Pre-trained networks on disk, by the content they were made from.

use metricopt_data::Images;
use metricopt_nn::{NetworkName, Weights};
use metricopt_sdk::{Error, Result};
use sha2::{Digest, Sha256};
use std::path::{Path, PathBuf};

use crate::pretrain::Pretraining;

/// Changes whenever the same content would give another network.
const VERSION: &str = "1";

/// Where the network for this configuration, seed and data lies.
pub(crate) fn path(
    folder: &Path,
    network: NetworkName,
    config: &Pretraining,
    images: &Images,
    device: &str,
    seed: u64,
) -> PathBuf {
    let mut hash = Sha256::new();
    let config = metricopt_sdk::config::to_json(config).to_string();
    let sizes = [
        images.channels,
        images.height,
        images.width,
        images.classes.len(),
    ];
    for part in [
        VERSION,
        network.name(),
        &config,
        device,
        &seed.to_string(),
        &format!("{sizes:?}"),
    ] {
        hash.update(part.as_bytes());
        hash.update([0]);
    }
    hash.update(&images.pixels);
    for label in &images.labels {
        hash.update(label.to_le_bytes());
    }
    let name: String = hash
        .finalize()
        .iter()
        .take(16)
        .map(|byte| format!("{byte:02x}"))
        .collect();
    folder
        .join("classification")
        .join(format!("{name}.safetensors"))
}

/// Reads weights; `None` if there are none or the file is damaged, because they can be made again.
pub(crate) fn read(path: &Path) -> Option<Weights> {
    Weights::read(path).ok()
}

/// Finds out whether the cache can be written, before minutes are spent on what goes into it.
pub(crate) fn check_writable(path: &Path) -> Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let probe = path.with_extension(format!("{}.probe", std::process::id()));
    let tried = std::fs::create_dir_all(folder)
        .and_then(|()| std::fs::File::create(&probe))
        .and_then(|_| std::fs::remove_file(&probe));
    tried.map_err(|error| {
        Error::failed(format!(
            "cannot write the cache file `{}`: {error}",
            path.display()
        ))
        .hint(
            "point `METRICOPT_CACHE` at a writable folder, or set it to the empty string for no cache",
        )
    })
}
