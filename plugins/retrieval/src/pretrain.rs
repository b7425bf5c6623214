//! Pre-training: what a user would have done before hearing of us.

use metricopt_data::disjoint::DatasetName;
use metricopt_data::{Augmentation, Images};
use metricopt_nn::{NetworkName, Start, Training, Weights, initialise, train};
use metricopt_sdk::prelude::*;
use metricopt_sdk::tch::Tensor;
use metricopt_vision::{Pixels, Recipe, augment, cached};
use std::path::{Path, PathBuf};

use crate::loss::Surrogate;
use crate::sampler::{Classes, Draw};

/// How the network is trained before tuning.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Pretraining {
    /// The loss; any but `proxy-nca`, whose proxies come from a pre-trained network.
    pub loss: Surrogate,
    /// A safetensors file with weights to start from, such as those of ImageNet; its last linear layer is replaced by the
    /// embedding. Random weights if absent.
    pub start: Option<PathBuf>,
    /// Minibatches, 1 to 10000000.
    pub steps: u64,
    /// Images in a minibatch, 4 to 100000.
    pub batch_size: usize,
    /// Images of a class in a minibatch, 2 to 1000; more where there are too few classes.
    pub per_class: usize,
    /// Learning rate of SGD at the start; it falls to 0 along half a cosine.
    pub learning_rate: f64,
    /// Momentum of SGD.
    pub momentum: f64,
    /// Weight decay, on all weights.
    pub weight_decay: f64,
    /// How training images are changed at random. If absent: pieces are cut out of a border of 2 pixels for `omniglot`, whose
    /// characters stand anywhere on the paper; otherwise not at all.
    pub augmentation: Option<Augmentation>,
}

impl Default for Pretraining {
    fn default() -> Self {
        Self {
            loss: Surrogate::SupervisedContrastive,
            start: None,
            steps: 400,
            batch_size: 128,
            per_class: 8,
            learning_rate: 0.1,
            momentum: 0.9,
            weight_decay: 1e-4,
            augmentation: None,
        }
    }
}

/// How characters are changed in training.
const OF_CHARACTERS: Augmentation = Augmentation {
    padding: 2,
    flip: false,
};

impl Pretraining {
    /// Complaints about values out of range, one sentence each.
    pub(crate) fn problems(&self) -> Vec<String> {
        let mut problems = self.training().problems("pretraining");
        for (key, value, least, most) in [
            ("steps", self.steps, 1, 10_000_000),
            ("batch_size", self.batch_size as u64, 4, 100_000),
            ("per_class", self.per_class as u64, 2, 1000),
        ] {
            if !(least..=most).contains(&value) {
                problems.push(format!(
                    "`pretraining.{key}` is out of range, expected {least} to {most}"
                ));
            }
        }
        if self.loss == Surrogate::ProxyNca {
            problems.push("`pretraining.loss` cannot be `proxy-nca`".to_owned());
        }
        problems
    }

    /// With nothing left open, for images of this data set.
    pub(crate) fn completed(&self, dataset: DatasetName) -> Self {
        let usual = match dataset {
            DatasetName::Omniglot => OF_CHARACTERS,
            _ => Augmentation::default(),
        };
        Self {
            augmentation: Some(self.augmentation.clone().unwrap_or(usual)),
            ..self.clone()
        }
    }

    fn training(&self) -> Training {
        Training {
            learning_rate: self.learning_rate,
            momentum: self.momentum,
            weight_decay: self.weight_decay,
            ..Training::default()
        }
    }
}

/// An embedding network and the images it is trained on.
pub(crate) struct Pupil<'a> {
    pub(crate) network: NetworkName,
    pub(crate) dimension: usize,
    pub(crate) images: &'a Images,
    pub(crate) pixels: &'a Pixels,
}

/// The weights from the cache, or trained and put there.
///
/// Minibatches and initial weights come from the seed alone.
///
/// # Errors
///
/// If the training diverges or the cache cannot be written; that the user asked to stop.
pub(crate) fn pretrained(
    config: &Pretraining,
    pupil: &Pupil<'_>,
    pool: &rayon::ThreadPool,
    context: &Context<'_>,
) -> Result<Weights> {
    let mut described = metricopt_sdk::config::to_json(config).to_string();
    described.push_str(&format!(" dimension {}", pupil.dimension));
    if let Some(meta) = config
        .start
        .as_deref()
        .and_then(|path| path.metadata().ok())
    {
        described.push_str(&format!(" {} {:?}", meta.len(), meta.modified()));
    }
    let recipe = Recipe {
        plugin: "retrieval",
        network: pupil.network.name(),
        config: described,
        device: context.device,
        seed: context.seed,
    };
    cached(context.cache, &recipe, pupil.images, || {
        fit(config, pupil, pool, context)
    })
}

fn fit(
    config: &Pretraining,
    pupil: &Pupil<'_>,
    pool: &rayon::ThreadPool,
    context: &Context<'_>,
) -> Result<Weights> {
    let (images, seed) = (pupil.images, context.seed);
    let classes = Classes::new(&images.labels);
    let changes = config.augmentation.as_ref();
    let changes = changes.filter(|&changes| *changes != Augmentation::default());
    let mut minibatch = |step: u64| -> Result<(Tensor, Tensor)> {
        let rows = classes.minibatch(&Draw {
            seed,
            step,
            size: config.batch_size,
            per_class: config.per_class,
            fraction: 1.0,
        });
        let mut chosen = images.gather(&rows)?;
        if let Some(change) = changes {
            let at = (seed, step, 0);
            augment(&mut chosen.pixels, pupil.pixels.shape(), change, at)?;
        }
        Ok((
            pupil.pixels.tensor(&chosen.pixels, context.device)?,
            Tensor::f_from_slice(&chosen.labels)?,
        ))
    };
    let objective = |embeddings: &Tensor, labels: &Tensor| {
        config.loss.of(embeddings, &Vec::try_from(labels)?, None)
    };
    let initial = initialise(pupil.network, pupil.dimension, seed)?;
    let start = Start {
        name: pupil.network,
        classes: pupil.dimension,
        weights: &match &config.start {
            Some(path) => with_new_head(path, initial)?,
            None => initial,
        },
        device: context.device,
        objective: Some(&objective),
    };
    let mut progress = |done: u64, _: f64| (context.progress)("pre-training", done, config.steps);
    train(
        &start,
        &config.training(),
        config.steps,
        &mut minibatch,
        &mut progress,
        pool,
        &context.call,
    )
}

/// The weights of a file, but the last linear layer of others.
fn with_new_head(path: &Path, others: Weights) -> Result<Weights> {
    let is_head = |name: &str| {
        ["fc.", "linear.", "last_linear."]
            .iter()
            .any(|head| name.starts_with(head))
    };
    let trunk = Weights::read(path)?.into_tensors();
    let trunk = trunk.filter(|(name, _)| !is_head(name));
    let head = others.into_tensors().filter(|(name, _)| is_head(name));
    Weights::from_tensors(trunk.chain(head))
        .map_err(|error| error.context(format!("`{}`", path.display())))
}
