//! What the user says.

use metricopt_data::{Augmentation, Images, disjoint};
use metricopt_nn::{NetworkName, Precision};
use metricopt_sdk::prelude::*;
use std::path::PathBuf;

use crate::loss::Surrogate;
use crate::pretrain::Pretraining;

/// The longest embedding.
const MAX_DIMENSION: usize = 65_536;

/// Images that find others of their class, by the embedding of a convolutional network with FiLM after every normalisation.
///
/// Training, validation and test images have no class in common. By default the built-in optical digits (0 to 4 train, 5 and 6
/// validate, 7 to 9 test) and a small network that is pre-trained in seconds, once: it is kept by the content of data and
/// configuration. For images of one's own: `dataset=image-folder` and `root`; for published comparisons `dataset=sop`.
///
/// A unit is an image. Folds are groups of classes whose images search the whole split; samples are some classes that search
/// themselves. Each choice of `loss` is a baseline of its own: `--set task.loss=smooth-ap`.
///
/// Surrogate loss: `loss`, on minibatches with `per_class` images of each class. Predictions: embeddings.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The images and how their classes are divided.
    #[serde(flatten)]
    pub data: disjoint::Config,
    /// The network. If absent: `conv4` for grey images, `resnet18` for colour images.
    pub network: Option<NetworkName>,
    /// Length of an embedding, 1 to 65536: the outputs of the network's last linear layer.
    pub dimension: usize,
    /// Whether embeddings are divided by their length. Distances by cosine are the same with and without.
    pub normalise: bool,
    /// A safetensors file with the pre-trained weights, under the names that PyTorch gives them (`module.` in front is
    /// accepted). If absent, the network is pre-trained here, on the training images.
    pub weights: Option<PathBuf>,
    /// How exactly the tuned network calculates: `f32`, or `bf16`, which takes half the memory, for GPUs that have it.
    /// Pre-training, adapters, losses and scores stay f32.
    pub precision: Precision,
    /// How the network is pre-trained if there are no `weights`.
    pub pretraining: Pretraining,
    /// The surrogate loss of fine-tuning.
    pub loss: Surrogate,
    /// Images of a class in a minibatch of the surrogate loss, 2 to 1000; more where there are too few classes.
    pub per_class: usize,
    /// How training images are changed at random in the surrogate loss of fine-tuning; not at all by default.
    pub augmentation: Augmentation,
    /// FiLM sites that are tuned, by their names or the parts of the network they are in, such as `bn4` or `layer3.0.bn1`; all
    /// if empty.
    pub sites: Vec<String>,
    /// Memory in MiB for activations in front of the first FiLM site, which no adapter changes, 0 to 1048576; what does not fit is
    /// computed again each time.
    pub stem_cache: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            data: disjoint::Config::default(),
            network: None,
            dimension: 64,
            normalise: true,
            weights: None,
            precision: Precision::default(),
            pretraining: Pretraining::default(),
            loss: Surrogate::default(),
            per_class: 4,
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
        for (key, value, least, most) in [
            ("dimension", self.dimension, 1, MAX_DIMENSION),
            ("per_class", self.per_class, 2, 1000),
            ("stem_cache", self.stem_cache, 0, 1 << 20),
        ] {
            if !(least..=most).contains(&value) {
                problems.push(format!(
                    "`{key}` is out of range, expected {least} to {most}"
                ));
            }
        }
        if problems.is_empty() {
            Ok(())
        } else {
            Err(Error::configuration(problems.join("; ")))
        }
    }

    /// The network for these images.
    pub(crate) fn network_for(&self, images: &Images) -> NetworkName {
        self.network.unwrap_or(match images.channels {
            1 => NetworkName::Conv4,
            _ => NetworkName::Resnet18,
        })
    }
}
