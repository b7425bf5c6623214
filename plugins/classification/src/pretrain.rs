//! Pre-training: what a user would have done before hearing of us.

use metricopt_data::{Augmentation, Images};
use metricopt_nn::{NetworkName, Start, Training, Weights, initialise, train};
use metricopt_sdk::prelude::*;
use metricopt_sdk::tch::Tensor;
use metricopt_vision::{Epochs, Pixels, Recipe, augment, cached};

/// How the network is trained before tuning.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Pretraining {
    /// Passes over the training images, 1 to 10000.
    pub epochs: usize,
    /// Images in a minibatch, 1 to 100000.
    pub batch_size: usize,
    /// Learning rate of SGD at the start; it falls to 0 along half a cosine.
    pub learning_rate: f64,
    /// Momentum of SGD.
    pub momentum: f64,
    /// Weight decay, on all weights.
    pub weight_decay: f64,
    /// How training images are changed at random; not at all by default.
    pub augmentation: Augmentation,
}

impl Default for Pretraining {
    fn default() -> Self {
        Self {
            epochs: 30,
            batch_size: 64,
            learning_rate: 0.1,
            momentum: 0.9,
            weight_decay: 1e-4,
            augmentation: Augmentation::default(),
        }
    }
}

impl Pretraining {
    /// Complaints about values out of range, one sentence each.
    pub(crate) fn problems(&self) -> Vec<String> {
        let mut problems = self.training().problems("pretraining");
        for (key, value, most) in [
            ("epochs", self.epochs, 10_000),
            ("batch_size", self.batch_size, 100_000),
        ] {
            if !(1..=most).contains(&value) {
                problems.push(format!(
                    "`pretraining.{key}` is out of range, expected 1 to {most}"
                ));
            }
        }
        problems
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

/// The weights from the cache, or trained and put there.
///
/// The order of images and the initial weights come from the seed alone.
///
/// # Errors
///
/// If the training diverges or the cache cannot be written; that the user asked to stop.
pub(crate) fn pretrained(
    config: &Pretraining,
    network: NetworkName,
    images: &Images,
    pixels: &Pixels,
    pool: &rayon::ThreadPool,
    context: &Context<'_>,
) -> Result<Weights> {
    let recipe = Recipe {
        plugin: "classification",
        network: network.name(),
        config: metricopt_sdk::config::to_json(config).to_string(),
        device: context.device,
        seed: context.seed,
    };
    cached(context.cache, &recipe, images, || {
        fit(config, network, images, pixels, pool, context)
    })
}

fn fit(
    config: &Pretraining,
    network: NetworkName,
    images: &Images,
    pixels: &Pixels,
    pool: &rayon::ThreadPool,
    context: &Context<'_>,
) -> Result<Weights> {
    let (device, seed) = (context.device, context.seed);
    let mut epochs = Epochs::new(images.len(), config.batch_size, seed);
    let steps = epochs.steps() * config.epochs as u64;
    let mut minibatch = |step: u64| -> Result<(Tensor, Tensor)> {
        let mut chosen = images.gather(epochs.rows(step))?;
        if config.augmentation != Augmentation::default() {
            let at = (seed, step, 0);
            augment(&mut chosen.pixels, pixels.shape(), &config.augmentation, at)?;
        }
        Ok((
            pixels.tensor(&chosen.pixels, device)?,
            Tensor::f_from_slice(&chosen.labels)?.f_to_device(device)?,
        ))
    };
    let start = Start {
        name: network,
        classes: images.classes.len(),
        weights: &initialise(network, images.classes.len(), seed)?,
        device,
        objective: None,
    };
    let mut progress = |done: u64, _: f64| (context.progress)("pre-training", done, steps);
    train(
        &start,
        &config.training(),
        steps,
        &mut minibatch,
        &mut progress,
        pool,
        &context.call,
    )
}
