//! What the user says.

use metricopt_data::{Augmentation, DatasetConfig, Images};
use metricopt_nn::{NetworkName, Precision};
use metricopt_sdk::prelude::*;
use std::path::PathBuf;

use crate::pretrain::Pretraining;

/// Largest side of images for which the networks for CIFAR are taken.
const SMALL_SIDE: usize = 64;

/// Images of several classes and a convolutional network with FiLM after every normalisation.
///
/// By default the built-in optical digits, 8 x 8, and a small ResNet that is pre-trained in seconds, once: it is kept by the
/// content of data and configuration. For images and a network of one's own: `dataset=image-folder`, `root`, `network` and
/// `weights`.
///
/// Surrogate loss: cross-entropy, class-weighted where asked. Scores: softmax probabilities.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The images and how they are divided.
    #[serde(flatten)]
    pub data: DatasetConfig,
    /// The network. If absent: `resnet8` for grey images, `resnet32` for colour images of up to 64 x 64 pixels, `resnet18` for
    /// larger ones.
    pub network: Option<NetworkName>,
    /// A safetensors file with the pre-trained weights, under the names that PyTorch gives them (`module.` in front is
    /// accepted). If absent, the network is pre-trained here, on the training images.
    pub weights: Option<PathBuf>,
    /// How exactly the tuned network calculates: `f32`, or `bf16`, which takes half the memory, for GPUs that have it.
    /// Pre-training, adapters, losses and scores stay f32.
    pub precision: Precision,
    /// How the network is pre-trained if there are no `weights`.
    pub pretraining: Pretraining,
    /// How training images are changed at random in the surrogate loss of fine-tuning; not at all by default.
    pub augmentation: Augmentation,
    /// FiLM sites that are tuned, by their names or the parts of the network they are in, such as `layer3` or `layer3.0.bn1`;
    /// all if empty.
    pub sites: Vec<String>,
    /// Memory in MiB for activations in front of the first FiLM site, which no adapter changes, 0 to 1048576; what does not fit is
    /// computed again each time.
    pub stem_cache: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            data: DatasetConfig::default(),
            network: None,
            weights: None,
            precision: Precision::default(),
            pretraining: Pretraining::default(),
            augmentation: Augmentation::default(),
            sites: Vec::new(),
            stem_cache: 256,
        }
    }
}

impl Config {
    /// Checks the values without looking at any file.
    ///
    /// # Errors
    ///
    /// Names all problems at once.
    pub fn check(&self) -> Result<()> {
        self.data.check()?;
        let mut problems = self.pretraining.problems();
        if self.stem_cache > 1 << 20 {
            problems.push("`stem_cache` is out of range, expected 0 to 1048576".to_owned());
        }
        if problems.is_empty() {
            Ok(())
        } else {
            Err(Error::configuration(problems.join("; ")))
        }
    }

    /// The network for these images.
    pub(crate) fn network_for(&self, images: &Images) -> NetworkName {
        self.network.unwrap_or({
            if images.channels == 1 {
                NetworkName::Resnet8
            } else if images.height.max(images.width) <= SMALL_SIDE {
                NetworkName::Resnet32
            } else {
                NetworkName::Resnet18
            }
        })
    }
}
