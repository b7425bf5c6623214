//! Training of all weights from scratch: stochastic gradient descent with momentum, weight decay and a cosine rate.

use metricopt_sdk::tch::{Device, Kind, Tensor, no_grad, with_grad};
use metricopt_sdk::{Call, Error, Result};
use rayon::{ThreadPool, prelude::*};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::cell::RefCell;

use crate::architecture::{Architecture, NetworkName};
use crate::layers::Norm;
use crate::layout::{Layout, Parameter, Role};
use crate::pass::{Mode, Pass};
use crate::tensors::{Shared, channels_last};
use crate::weights::Weights;

/// Parts of a minibatch on the CPU. Fixed, because normalisation looks at one part at a time: another number would be
/// another training.
pub const SHARDS: usize = 4;

/// Share of the new statistics in the running ones, as in PyTorch.
const STATISTICS_RATE: f64 = 0.1;

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

/// What training starts from.
#[derive(Clone, Copy, Debug)]
pub struct Start<'a> {
    /// The network.
    pub name: NetworkName,
    /// Number of classes.
    pub classes: usize,
    /// Its weights: those of [`initialise`](crate::initialise), or others to go on from.
    pub weights: &'a Weights,
    /// Where it is trained.
    pub device: Device,
}

/// A minibatch: images f32 `[N, C, H, W]`, normalised, and labels i64 `[N]`.
pub type Minibatch = (Tensor, Tensor);

/// Trains all weights of a network by cross-entropy and returns them.
///
/// `batch` gives the minibatch of a step; each must have the same size or less, and at least one image. `progress` hears
/// the steps done and the mean loss of the last one.
///
/// Each minibatch is cut into [`SHARDS`] parts that run side by side; normalisation uses
/// the statistics of the part (Hoffer et al., NeurIPS 2017, call it ghost batch normalisation), gradients and statistics are
/// added in order. So the result does not depend on the number of threads, as long as libtorch uses one thread an
/// operation. On a GPU the minibatch stays whole.
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
    let mut trainer = Trainer::new(start)?;
    for step in 0..steps {
        call.check()?;
        let (images, labels) = batch(step)?;
        let gradient = trainer.gradient(&images, &labels, pool)?;
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

struct Trainer {
    architecture: Box<dyn Architecture>,
    layout: Layout,
    tensors: Vec<Tensor>,
    /// Momentum of each tensor that is trained.
    velocities: Vec<Tensor>,
    device: Device,
}

/// What one minibatch says about the weights.
struct Gradient {
    loss: f64,
    /// Of each tensor that is trained.
    slopes: Vec<Tensor>,
    /// Mean and unbiased variance of each normalisation, in the order of execution.
    statistics: Vec<(Norm, Tensor, Tensor)>,
}

impl Trainer {
    fn new(start: &Start<'_>) -> Result<Self> {
        let mut layout = Layout::default();
        let architecture = start.name.architecture(start.classes, &mut layout);
        let network = format!("{} with {} classes", start.name, start.classes);
        let given = start.weights.fit(&layout, &network)?;
        let mut tensors = Vec::new();
        let mut velocities = Vec::new();
        for (tensor, parameter) in given.iter().zip(layout.parameters()) {
            let own = tensor.f_to_device(start.device)?.f_detach_copy()?;
            let own = match parameter.role {
                Role::Kernel => channels_last(&own)?,
                _ => own,
            };
            if parameter.role.is_trained() {
                velocities.push(own.f_zeros_like()?);
            }
            tensors.push(own);
        }
        Ok(Self {
            architecture,
            layout,
            tensors,
            velocities,
            device: start.device,
        })
    }

    fn trained(&self) -> impl Iterator<Item = usize> {
        let is_trained = |(_, parameter): &(usize, &Parameter)| parameter.role.is_trained();
        let parameters = self.layout.parameters().iter().enumerate();
        parameters.filter(is_trained).map(|(index, _)| index)
    }

    fn gradient(&self, images: &Tensor, labels: &Tensor, pool: &ThreadPool) -> Result<Gradient> {
        let size = labels.size().first().copied().unwrap_or(0);
        if size == 0 || images.size().first() != Some(&size) {
            return Err(Error::data(format!(
                "a minibatch of images {:?} and labels {:?}",
                images.size(),
                labels.size()
            )));
        }
        let shards = match self.device {
            Device::Cpu => SHARDS as i64,
            _ => 1,
        };
        let images = images.f_to_device(self.device)?.f_chunk(shards, 0)?;
        let labels = labels.f_to_device(self.device)?.f_chunk(shards, 0)?;
        let shared = Shared::new(self.tensors.iter().map(Tensor::shallow_clone).collect());
        let shards: Vec<(Tensor, Tensor)> = images.into_iter().zip(labels).collect();
        let (architecture, layout) = (&*self.architecture, &self.layout);
        let follow = |(images, labels): (Tensor, Tensor)| {
            shard(architecture, layout, shared.get(), &images, &labels, size)
        };
        let parts: Result<Vec<Gradient>> =
            pool.install(|| shards.into_par_iter().map(follow).collect());
        sum(parts?)
    }

    fn update(&mut self, training: &Training, rate: f64, gradient: &Gradient) -> Result<()> {
        let trained: Vec<usize> = self.trained().collect();
        for ((index, slope), velocity) in trained
            .into_iter()
            .zip(&gradient.slopes)
            .zip(&mut self.velocities)
        {
            let weight = &mut self.tensors[index];
            *velocity = velocity
                .f_mul_scalar_(training.momentum)?
                .f_add_(slope)?
                .f_add_(&weight.f_mul_scalar(training.weight_decay)?)?;
            *weight = weight.f_sub_(&velocity.f_mul_scalar(rate)?)?;
        }
        for (norm, mean, variance) in &gradient.statistics {
            for (index, new) in [(norm.mean, mean), (norm.variance, variance)] {
                let running = &mut self.tensors[index];
                *running = running.f_lerp_(new, STATISTICS_RATE)?;
            }
        }
        Ok(())
    }

    fn weights(self) -> Result<Weights> {
        let names = self.layout.parameters().iter();
        let names = names.map(|parameter| parameter.name.clone());
        Weights::from_tensors(names.zip(self.tensors))
            .map_err(|error| error.context("training diverged"))
    }
}

/// The share of one part in loss and gradient of a minibatch of `size` images.
fn shard(
    architecture: &dyn Architecture,
    layout: &Layout,
    tensors: Vec<Tensor>,
    images: &Tensor,
    labels: &Tensor,
    size: i64,
) -> Result<Gradient> {
    let mut leaves = Vec::with_capacity(tensors.len());
    for (tensor, parameter) in tensors.iter().zip(layout.parameters()) {
        let own = tensor.f_detach()?;
        leaves.push(own.f_set_requires_grad(parameter.role.is_trained())?);
    }
    let noted = RefCell::new(Vec::new());
    let pass = Pass {
        tensors: &leaves,
        mode: Mode::Training(&noted),
    };
    let loss = with_grad(|| -> Result<Tensor> {
        let stem = architecture.stem(&pass, &channels_last(images)?)?;
        let maps = architecture.maps(&pass, &stem)?;
        let last = maps
            .last()
            .ok_or_else(|| Error::failed("a network without stages"))?;
        let logits = architecture.classify(&pass, &architecture.features(last)?)?;
        let none: Option<&Tensor> = None;
        let sum = metricopt_sdk::tch::Reduction::Sum;
        let loss = logits.f_cross_entropy_loss(labels, none, sum, -100, 0.0)?;
        Ok(loss.f_div_scalar(size as f64)?)
    })?;
    let trained: Vec<&Tensor> = leaves.iter().filter(|leaf| leaf.requires_grad()).collect();
    Ok(Gradient {
        loss: f64::try_from(loss.f_to_kind(Kind::Double)?)?,
        slopes: Tensor::f_run_backward(&[&loss], &trained, false, false)?,
        statistics: noted.into_inner(),
    })
}

/// Adds gradients and averages statistics, in order.
fn sum(parts: Vec<Gradient>) -> Result<Gradient> {
    let count = parts.len() as f64;
    let mut parts = parts.into_iter();
    let mut total = parts
        .next()
        .ok_or_else(|| Error::failed("a minibatch without parts"))?;
    for part in parts {
        total.loss += part.loss;
        for (sum, slope) in total.slopes.iter_mut().zip(&part.slopes) {
            *sum = sum.f_add_(slope)?;
        }
        for (sum, new) in total.statistics.iter_mut().zip(&part.statistics) {
            sum.1 = sum.1.f_add_(&new.1)?;
            sum.2 = sum.2.f_add_(&new.2)?;
        }
    }
    for (_, mean, variance) in &mut total.statistics {
        *mean = mean.f_div_scalar_(count)?;
        *variance = variance.f_div_scalar_(count)?;
    }
    Ok(total)
}
