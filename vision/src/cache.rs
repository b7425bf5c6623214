//! Pre-trained networks on disk, by the content they were made from.

use metricopt_data::Images;
use metricopt_data::detection::Scenes;
use metricopt_nn::Weights;
use metricopt_sdk::tch::Device;
use metricopt_sdk::{Error, Result};
use sha2::{Digest, Sha256};
use std::path::{Path, PathBuf};

/// Changes whenever the same content would give another network.
const VERSION: &str = "1";

/// What a network is pre-trained on.
pub trait Content {
    /// Puts all that the network depends on into the digest.
    fn digest(&self, into: &mut Sha256);
}

impl Content for Images {
    fn digest(&self, into: &mut Sha256) {
        let sizes = [self.channels, self.height, self.width, self.classes.len()];
        into.update(format!("{sizes:?}"));
        into.update([0]);
        into.update(&self.pixels);
        for label in &self.labels {
            into.update(label.to_le_bytes());
        }
    }
}

impl Content for Scenes {
    fn digest(&self, into: &mut Sha256) {
        let sizes = [self.channels, self.height, self.width, self.classes.len()];
        into.update(format!("{sizes:?}"));
        into.update([0]);
        into.update(&self.pixels);
        for scene in &self.scenes {
            for object in &scene.objects {
                for corner in scene.frame.inward(object.pixels) {
                    into.update(corner.to_le_bytes());
                }
                into.update(object.class.to_le_bytes());
                into.update([u8::from(object.difficult)]);
            }
            // Objects of one image do not run into those of the next.
            into.update([0xff]);
        }
    }
}

/// What a pre-trained network was made from, beside its images.
pub struct Recipe<'a> {
    /// The plugin that trains it, which is also the name of its folder.
    pub plugin: &'a str,
    /// The name of the network.
    pub network: &'a str,
    /// All that the user can say about the training, as JSON.
    pub config: String,
    /// Where it is trained: other devices round otherwise.
    pub device: Device,
    /// Seed of the training.
    pub seed: u64,
}

/// Where the network of this recipe and these images lies.
fn path(folder: &Path, recipe: &Recipe<'_>, content: &dyn Content) -> PathBuf {
    let mut hash = Sha256::new();
    let device = match recipe.device {
        Device::Cpu => "cpu",
        _ => "cuda",
    };
    for part in [
        VERSION,
        recipe.network,
        &recipe.config,
        device,
        &recipe.seed.to_string(),
    ] {
        hash.update(part.as_bytes());
        hash.update([0]);
    }
    content.digest(&mut hash);
    let name: String = hash
        .finalize()
        .iter()
        .take(16)
        .map(|byte| format!("{byte:02x}"))
        .collect();
    folder
        .join(recipe.plugin)
        .join(format!("{name}.safetensors"))
}

/// The weights of the cache, or made by `train` and put there; without a folder they are made each time.
///
/// # Errors
///
/// Those of `train`, or that the cache cannot be written, which is found out before.
pub fn cached(
    folder: Option<&Path>,
    recipe: &Recipe<'_>,
    content: &dyn Content,
    train: impl FnOnce() -> Result<Weights>,
) -> Result<Weights> {
    let Some(path) = folder.map(|folder| path(folder, recipe, content)) else {
        return train();
    };
    if let Some(weights) = read(&path) {
        return Ok(weights);
    }
    check_writable(&path)?;
    let weights = train()?;
    weights.write(&path)?;
    Ok(weights)
}

/// Reads weights; `None` if there are none or the file is damaged, because they can be made again.
fn read(path: &Path) -> Option<Weights> {
    Weights::read(path).ok()
}

/// Finds out whether the cache can be written, before minutes are spent on what goes into it.
fn check_writable(path: &Path) -> Result<()> {
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
