//! Pre-trained detectors on disk, by the content they were made from.

use metricopt_data::detection::Scenes;
use metricopt_nn::Weights;
use metricopt_sdk::{Error, Result};
use sha2::{Digest, Sha256};
use std::path::{Path, PathBuf};

use crate::pretrain::Pretraining;

/// Changes whenever the same content would give another detector.
const VERSION: &str = "1";

/// Where the detector for this configuration, seed and data lies.
pub(crate) fn path(
    folder: &Path,
    config: &Pretraining,
    scenes: &Scenes,
    device: &str,
    seed: u64,
) -> PathBuf {
    let mut hash = Sha256::new();
    let config = metricopt_sdk::config::to_json(config).to_string();
    let sizes = [
        scenes.channels,
        scenes.height,
        scenes.width,
        scenes.classes.len(),
    ];
    for part in [
        VERSION,
        &config,
        device,
        &seed.to_string(),
        &format!("{sizes:?}"),
    ] {
        hash.update(part.as_bytes());
        hash.update([0]);
    }
    hash.update(&scenes.pixels);
    for scene in &scenes.scenes {
        for object in &scene.objects {
            for corner in scene.frame.inward(object.pixels) {
                hash.update(corner.to_le_bytes());
            }
            hash.update(object.class.to_le_bytes());
            hash.update([u8::from(object.difficult)]);
        }
        // Objects of one image do not run into those of the next.
        hash.update([0xff]);
    }
    let name: String = hash
        .finalize()
        .iter()
        .take(16)
        .map(|byte| format!("{byte:02x}"))
        .collect();
    folder.join("detection").join(format!("{name}.safetensors"))
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
