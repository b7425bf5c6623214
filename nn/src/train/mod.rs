//! Training of all weights from scratch: stochastic gradient descent with momentum, weight decay and a cosine rate.

mod gradient;
mod trainer;

use metricopt_sdk::tch::{Device, Reduction, Tensor, no_grad};
use metricopt_sdk::{Call, Error, Result};
use rayon::ThreadPool;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::architecture::Architecture;
use crate::layout::Layout;
use crate::name::NetworkName;
use crate::pass::Pass;
use crate::tensors::channels_last;
use crate::weights::Weights;
pub(crate) use gradient::{Forward, Step};
pub(crate) use trainer::Trainer;

/// Parts of a minibatch on the CPU. Fixed, because normalisation looks at one part at a time: another number would be
/// another training.
pub const SHARDS: usize = 4;

/// How a network is trained.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Training {
    /// Learning rate of the first step; it falls to 0 along half a cosine (Loshchilov and Hutter, ICLR 2017).
    pub learning_rate: f64,
    /// Momentum, at least 0 and below 1.
    pub momentum: f64,
    /// Weight decay, on all trained weights (He et al., CVPR 2016).
    pub weight_decay: f64,
    /// Steps over which the rate rises from 0 before it falls; at most a tenth of all steps.
    pub warmup_steps: u64,
}

impl Default for Training {
    fn default() -> Self {
        Self {
            learning_rate: 0.1,
            momentum: 0.9,
            weight_decay: 1e-4,
            warmup_steps: 100,
        }
    }
}

impl Training {
    /// Complaints about values out of range, one sentence each; `key` stands in front of the names.
    ///
    /// ```
    /// use metricopt_nn::Training;
    ///
    /// assert!(Training::default().problems("task.network").is_empty());
    /// let wrong = Training { momentum: 1.0, ..Training::default() };
    /// assert_eq!(wrong.problems("task.network"), ["`task.network.momentum` is out of range, expected 0 to below 1"]);
    /// ```
    pub fn problems(&self, key: &str) -> Vec<String> {
        let checks = [
            (
                "learning_rate",
                self.learning_rate > 0.0 && self.learning_rate <= 10.0,
                "above 0, at most 10",
            ),
            (
                "momentum",
                (0.0..1.0).contains(&self.momentum),
                "0 to below 1",
            ),
            (
                "weight_decay",
                (0.0..=1.0).contains(&self.weight_decay),
                "0 to 1",
            ),
        ];
        let wrong = checks.into_iter().filter(|(_, fits, _)| !fits);
        wrong
            .map(|(name, _, expected)| {
                format!("`{key}.{name}` is out of range, expected {expected}")
            })
            .collect()
    }

    /// The rate of a step of `steps`.
    fn rate(&self, step: u64, steps: u64) -> f64 {
        let warmup = self.warmup_steps.min(steps / 10);
        if step < warmup {
            return self.learning_rate * (step + 1) as f64 / warmup as f64;
        }
        let done = (step - warmup) as f64 / (steps - warmup) as f64;
        self.learning_rate * 0.5 * (1.0 + (std::f64::consts::PI * done).cos())
    }
}

/// What is made small, from the logits f32 `[N, classes]` and labels i64 `[N]` of a whole minibatch to a scalar.
pub type Objective<'a> = dyn Fn(&Tensor, &Tensor) -> Result<Tensor> + 'a;

/// What training starts from.
#[derive(Clone, Copy)]
pub struct Start<'a> {
    /// The network.
    pub name: NetworkName,
    /// Number of classes.
    pub classes: usize,
    /// Its weights: those of [`initialise`](crate::initialise), or others to go on from.
    pub weights: &'a Weights,
    /// Where it is trained.
    pub device: Device,
    /// What is made small; the mean cross-entropy if absent.
    pub objective: Option<&'a Objective<'a>>,
}

/// The mean cross-entropy of a minibatch.
fn cross_entropy(logits: &Tensor, labels: &Tensor) -> Result<Tensor> {
    let none: Option<&Tensor> = None;
    let sum = logits.f_cross_entropy_loss(labels, none, Reduction::Sum, -100, 0.0)?;
    Ok(sum.f_div_scalar(labels.size1()? as f64)?)
}

/// A minibatch: images f32 `[N, C, H, W]`, normalised, and labels i64 `[N]`.
pub type Minibatch = (Tensor, Tensor);

/// Trains all weights of a network and returns them.
///
/// `batch` gives the minibatch of a step; each must have the same size or less, and at least one image. `progress` hears
/// the steps done and the mean loss of the last one.
///
/// Each minibatch is cut into [`SHARDS`] parts that run side by side; normalisation uses the statistics of the part
/// (Hoffer et al., NeurIPS 2017, call it ghost batch normalisation), the objective sees the logits of all, gradients and
/// statistics are added in order. So the result does not depend on the number of threads, as long as libtorch uses one
/// thread an operation. On a GPU the minibatch stays whole.
///
/// # Errors
///
/// If the weights do not fit, a minibatch is empty, the training diverges, or the user asked to stop.
pub fn train(
    start: &Start<'_>,
    training: &Training,
    steps: u64,
    batch: &mut dyn FnMut(u64) -> Result<Minibatch>,
    progress: &mut dyn FnMut(u64, f64),
    pool: &ThreadPool,
    call: &Call<'_>,
) -> Result<Weights> {
    let mut layout = Layout::default();
    let architecture = start.name.architecture(start.classes, &mut layout);
    let architecture = architecture.as_ref();
    let network = format!("{} with {} classes", start.name, start.classes);
    let trainer = Trainer::new(layout, start.weights, &network, start.device)?;
    let objective = start.objective.unwrap_or(&cross_entropy);
    let mut minibatch = |step: u64| -> Result<Step<'_>> {
        let (images, labels) = batch(step)?;
        let size = labels.size().first().copied().unwrap_or(0);
        if size == 0 || images.size().first() != Some(&size) {
            return Err(Error::data(format!(
                "a minibatch of images {:?} and labels {:?}",
                images.size(),
                labels.size()
            )));
        }
        let shards = shards(start.device);
        let images = images.f_to_device(start.device)?.f_chunk(shards, 0)?;
        let labels = labels.f_to_device(start.device)?;
        let part = |images: Tensor| -> Forward<'_> {
            Box::new(move |pass| logits(architecture, pass, &images))
        };
        Ok(Step {
            parts: images.into_iter().map(part).collect(),
            loss: Box::new(move |logits| objective(logits, &labels)),
        })
    };
    descend(
        trainer,
        training,
        steps,
        &mut minibatch,
        progress,
        pool,
        call,
    )
}

/// Into how many parts a minibatch is cut.
pub(crate) fn shards(device: Device) -> i64 {
    match device {
        Device::Cpu => SHARDS as i64,
        _ => 1,
    }
}

/// The logits of some images in training.
fn logits(architecture: &dyn Architecture, pass: &Pass<'_>, images: &Tensor) -> Result<Tensor> {
    let stem = architecture.stem(pass, &channels_last(images)?)?;
    let maps = architecture.maps(pass, &stem)?;
    let last = maps
        .last()
        .ok_or_else(|| Error::failed("a network without stages"))?;
    architecture.classify(pass, &architecture.features(last)?)
}

/// Moves the weights of a trainer `steps` times; `minibatch` gives what each step is about.
pub(crate) fn descend<'a>(
    mut trainer: Trainer,
    training: &Training,
    steps: u64,
    minibatch: &mut dyn FnMut(u64) -> Result<Step<'a>>,
    progress: &mut dyn FnMut(u64, f64),
    pool: &ThreadPool,
    call: &Call<'_>,
) -> Result<Weights> {
    for step in 0..steps {
        call.check()?;
        let gradient = trainer.gradient(minibatch(step)?, pool)?;
        if !gradient.loss.is_finite() {
            return Err(Error::failed(format!(
                "training diverged: the loss of step {step} is {}",
                gradient.loss
            ))
            .hint("lower the learning rate"));
        }
        no_grad(|| trainer.update(training, training.rate(step, steps), &gradient))?;
        progress(step + 1, gradient.loss);
    }
    trainer.weights()
}
