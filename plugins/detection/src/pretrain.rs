//! Pre-training: what a user would have done before hearing of us.

use metricopt_data::detection::{DatasetName, Scenes};
use metricopt_nn::detector::loss::Targets;
use metricopt_nn::detector::matching::{Role, assign};
use metricopt_nn::detector::{Anchors, Shape, Start, train};
use metricopt_nn::{Training, Weights};
use metricopt_sdk::prelude::*;
use metricopt_sdk::tch::Tensor;
use metricopt_vision::{Epochs, Recipe, cached};
use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64Mcg;
use rayon::prelude::*;

use crate::part::gather;
use crate::pixels::pixels;
use crate::truth::objects;

/// An odd number without pattern, so that the seeds of steps lie far apart.
const ODD: u64 = 0x9E37_79B9_7F4A_7C15;

/// How the detector is trained before tuning.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Pretraining {
    /// Passes over the training images, 1 to 10000.
    pub epochs: usize,
    /// Images in a minibatch, 1 to 10000.
    pub batch_size: usize,
    /// Learning rate of SGD at the start; it falls to 0 along half a cosine.
    pub learning_rate: f64,
    /// Momentum of SGD.
    pub momentum: f64,
    /// Weight decay, on all weights.
    pub weight_decay: f64,
    /// Whether every second training image, at random, is mirrored left to right. If absent, those of all data sets but the
    /// built-in digits, which mean something else in a mirror.
    pub flip: Option<bool>,
}

impl Default for Pretraining {
    fn default() -> Self {
        Self {
            epochs: 42,
            batch_size: 16,
            learning_rate: 0.1,
            momentum: 0.9,
            weight_decay: 5e-4,
            flip: None,
        }
    }
}

impl Pretraining {
    /// With what the data set decides filled in.
    pub(crate) fn for_data(self, dataset: DatasetName) -> Self {
        let flip = dataset != DatasetName::ScatteredDigits;
        Self {
            flip: self.flip.or(Some(flip)),
            ..self
        }
    }

    /// Complaints about values out of range, one sentence each.
    pub(crate) fn problems(&self) -> Vec<String> {
        let mut problems = self.training().problems("pretraining");
        for (key, value) in [("epochs", self.epochs), ("batch_size", self.batch_size)] {
            if !(1..=10_000).contains(&value) {
                problems.push(format!(
                    "`pretraining.{key}` is out of range, expected 1 to 10000"
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
    shape: Shape,
    scenes: &Scenes,
    anchors: &Anchors,
    pool: &rayon::ThreadPool,
    context: &Context<'_>,
) -> Result<Weights> {
    let recipe = Recipe {
        plugin: "detection",
        network: &shape.title(),
        config: metricopt_sdk::config::to_json(config).to_string(),
        device: context.device,
        seed: context.seed,
    };
    cached(context.cache, &recipe, scenes, || {
        fit(config, shape, scenes, anchors, pool, context)
    })
}

fn fit(
    config: &Pretraining,
    shape: Shape,
    scenes: &Scenes,
    anchors: &Anchors,
    pool: &rayon::ThreadPool,
    context: &Context<'_>,
) -> Result<Weights> {
    let (device, seed) = (context.device, context.seed);
    let pixels = pixels(shape.network, scenes);
    let mut epochs = Epochs::new(scenes.scenes.len(), config.batch_size, seed);
    let steps = epochs.steps() * config.epochs as u64;
    let mut minibatch = |step: u64| -> Result<(Tensor, Targets)> {
        let rows = epochs.rows(step);
        let mut rng = Pcg64Mcg::seed_from_u64(seed ^ step.wrapping_mul(ODD).rotate_left(17));
        let mirrored: Vec<bool> = rows
            .iter()
            .map(|_| rng.random::<bool>() && config.flip == Some(true))
            .collect();
        let mut bytes = gather(scenes, rows)?;
        for (image, _) in bytes
            .chunks_exact_mut(scenes.image_len())
            .zip(&mirrored)
            .filter(|(_, mirrored)| **mirrored)
        {
            image
                .chunks_exact_mut(scenes.width)
                .for_each(<[u8]>::reverse);
        }
        let roles: Vec<Vec<Role>> = pool.install(|| {
            let images = rows.par_iter().zip(&mirrored);
            images
                .map(|(&row, &mirrored)| roles(scenes, row, mirrored, anchors))
                .collect()
        });
        let roles: Vec<&[Role]> = roles.iter().map(Vec::as_slice).collect();
        Ok((
            pixels.tensor(&bytes, device)?,
            Targets::new(&roles, shape.classes, device)?,
        ))
    };
    let start = Start {
        shape,
        weights: &shape.initialise(seed)?,
        device,
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

/// What the anchors of an image should say, mirrored or not.
fn roles(scenes: &Scenes, row: u32, mirrored: bool, anchors: &Anchors) -> Vec<Role> {
    let mut objects = objects(&scenes.scenes[row as usize]);
    if mirrored {
        let width = scenes.width as f32;
        for object in &mut objects {
            let [x1, y1, x2, y2] = object.corners;
            object.corners = [width - x2, y1, width - x1, y2];
        }
    }
    assign(anchors.boxes(), &objects)
}
