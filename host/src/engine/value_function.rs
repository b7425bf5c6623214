//! The value function `f_w`: predicts the metric at an adapter, and which way it falls.

use super::config::{MetaTrainingConfig, MetaTrainingMode, ValueFunctionConfig, ValueInput};
use super::interpolation::Interpolation;
use super::losses;
use super::meta_training::{joint, reptile};
use super::mlp::{Mlp, Tape};
use super::optimizer::Adam;
use super::projection::Projection;
use super::random::{Stream, stream};
use super::trajectory::Trajectories;
use rand::RngExt;

/// Most adapters that the principal directions are computed from.
const MAX_PCA_POINTS: usize = 2000;

/// A trained value function. It predicts the signed, standardised metric: lower is better.
#[derive(Clone, Debug, PartialEq)]
pub struct ValueFunction {
    /// From the adapter to the inputs.
    pub projection: Projection,
    /// The network.
    pub mlp: Mlp,
    /// Mean of the signed metric over the trajectories.
    pub mean: f64,
    /// Deviation of the signed metric over the trajectories.
    pub deviation: f64,
}

impl ValueFunction {
    /// Predicted signed, standardised metric.
    pub fn value(&self, phi: &[f32], tape: &mut Tape) -> f64 {
        self.mlp.forward(&self.projection.apply(phi), tape);
        f64::from(tape.outputs[0])
    }

    /// Gradient of the prediction with respect to the adapter, `[D]`.
    pub fn gradient(&self, phi: &[f32], scratch: &mut Scratch) -> Vec<f32> {
        self.slope(phi, scratch).1
    }

    /// The prediction and its gradient with respect to the adapter, `[D]`.
    pub fn slope(&self, phi: &[f32], scratch: &mut Scratch) -> (f64, Vec<f32>) {
        let value = self.value(phi, &mut scratch.tape);
        scratch.gradient.resize(self.mlp.weights().len(), 0.0);
        self.mlp
            .backward(&mut scratch.tape, &[1.0], None, &mut scratch.gradient);
        let gradient = self.projection.pull_back(scratch.tape.input_gradient());
        (value, gradient)
    }

    /// The signed metric as the network sees it.
    pub fn standardise(&self, signed: f64) -> f64 {
        (signed - self.mean) / self.deviation
    }
}

/// Buffers reused between passes.
#[derive(Clone, Debug, Default)]
pub struct Scratch {
    tape: Tape,
    gradient: Vec<f32>,
}

/// Trajectories as the network sees them: coordinates and standardised metric of every step.
#[derive(Clone, Debug)]
pub struct TrainingSet {
    /// Points of each trajectory.
    trajectories: Vec<Points>,
}

#[derive(Clone, Debug, Default)]
struct Points {
    /// Row-major `[n, inputs]`.
    x: Vec<f32>,
    means: Vec<f64>,
    deviations: Vec<f64>,
}

impl Points {
    fn push(&mut self, x: &[f32], mean: f64, deviation: f64) {
        self.x.extend_from_slice(x);
        self.means.push(mean);
        self.deviations.push(deviation);
    }

    fn clear(&mut self) {
        self.x.clear();
        self.means.clear();
        self.deviations.clear();
    }
}

impl TrainingSet {
    /// Projects the chosen trajectories.
    pub fn new(
        trajectories: &Trajectories,
        interpolation: &Interpolation,
        chosen: &[usize],
        projection: &Projection,
    ) -> Self {
        let project = |&k: &usize| {
            let mut points = Points::default();
            for t in 0..=trajectories.steps {
                let (mean, deviation) = interpolation.at(k, t);
                points.push(&projection.apply(trajectories.point(k, t)), mean, deviation);
            }
            points
        };
        Self {
            trajectories: chosen.iter().map(project).collect(),
        }
    }

    /// A set that was projected before: coordinates row-major `[K, T + 1, inputs]`, standardised means and deviations
    /// `[K, T + 1]`. None if they do not fit together.
    pub fn from_parts(
        x: &[f32],
        means: &[f64],
        deviations: &[f64],
        points: usize,
        inputs: usize,
    ) -> Option<Self> {
        let fits = points > 0
            && inputs > 0
            && means.len().is_multiple_of(points)
            && deviations.len() == means.len()
            && means.len().checked_mul(inputs) == Some(x.len());
        let trajectories = x
            .chunks(points.checked_mul(inputs)?.max(1))
            .zip(means.chunks(points.max(1)))
            .zip(deviations.chunks(points.max(1)))
            .map(|((x, means), deviations)| Points {
                x: x.to_vec(),
                means: means.to_vec(),
                deviations: deviations.to_vec(),
            });
        fits.then(|| Self {
            trajectories: trajectories.collect(),
        })
    }

    /// Number of trajectories.
    pub fn count(&self) -> usize {
        self.trajectories.len()
    }

    /// Coordinates of all points, row-major `[K, T + 1, inputs]`.
    pub fn coordinates(&self) -> impl Iterator<Item = f32> {
        self.trajectories
            .iter()
            .flat_map(|points| points.x.iter().copied())
    }

    /// Standardised metric and its deviation at all points, `[K, T + 1]`.
    pub fn targets(&self) -> impl Iterator<Item = (f64, f64)> {
        self.trajectories.iter().flat_map(|points| {
            let deviations = points.deviations.iter().copied();
            points.means.iter().copied().zip(deviations)
        })
    }

    /// A random point: its coordinates and standardised metric.
    pub fn draw(&self, inputs: usize, rng: &mut Stream) -> Option<(&[f32], f64)> {
        if self.trajectories.is_empty() {
            return None;
        }
        let points = &self.trajectories[rng.random_range(0..self.trajectories.len())];
        let t = rng.random_range(0..points.means.len());
        Some((&points.x[t * inputs..(t + 1) * inputs], points.means[t]))
    }
}

/// Fits the coordinates to the chosen trajectories.
pub fn fit_projection(
    config: &ValueFunctionConfig,
    trajectories: &Trajectories,
    chosen: &[usize],
) -> Projection {
    let all: Vec<(usize, usize)> = chosen
        .iter()
        .flat_map(|&k| (0..=trajectories.steps).map(move |t| (k, t)))
        .collect();
    let stride = all.len().div_ceil(MAX_PCA_POINTS).max(1);
    let points: Vec<f32> = all
        .iter()
        .step_by(stride)
        .flat_map(|&(k, t)| trajectories.point(k, t).iter().copied())
        .collect();
    match config.input {
        ValueInput::Pca => {
            Projection::principal(&points, trajectories.dimensions, config.components)
        }
        ValueInput::Raw => Projection::raw(&points, trajectories.dimensions),
    }
}

/// Meta-trains a value function on the chosen trajectories.
///
/// `None` if they hold nothing to learn: the metric does not vary, or the adapter never moved.
pub fn train(
    config: &ValueFunctionConfig,
    meta: &MetaTrainingConfig,
    trajectories: &Trajectories,
    interpolation: &Interpolation,
    chosen: &[usize],
    seed: u64,
    mut progress: impl FnMut(usize) -> metricopt_sdk::Result<()>,
) -> metricopt_sdk::Result<Option<(ValueFunction, TrainingSet)>> {
    let projection = fit_projection(config, trajectories, chosen);
    if interpolation.deviation <= 0.0 || projection.outputs() == 0 || chosen.is_empty() {
        return Ok(None);
    }
    let set = TrainingSet::new(trajectories, interpolation, chosen, &projection);
    let mut rng = stream(seed, "meta-training", 0);
    let mut mlp = Mlp::new(projection.outputs(), &config.hidden, &mut rng);
    let mut step = LossStep::new(config, meta.batch_size, mlp.inputs());
    let tasks = set.trajectories.len();
    match meta.mode {
        MetaTrainingMode::Reptile => {
            reptile(
                &mut mlp,
                meta,
                tasks,
                &mut rng,
                &mut progress,
                |mlp, task, rng| {
                    step.draw(rng, |_| &set.trajectories[task]);
                    let gradient = step.gradient(mlp, rng);
                    let rate = meta.inner_learning_rate;
                    super::vector::add_scaled(mlp.weights_mut(), -rate, gradient);
                },
            )?;
        }
        MetaTrainingMode::Joint => {
            joint(&mut mlp, meta, &mut rng, &mut progress, |mlp, rng| {
                step.draw(rng, |rng| &set.trajectories[rng.random_range(0..tasks)]);
                step.gradient(mlp, rng).to_vec()
            })?;
        }
    }
    let function = ValueFunction {
        projection,
        mlp,
        mean: interpolation.mean,
        deviation: interpolation.deviation,
    };
    Ok(Some((function, set)))
}

/// One gradient of `L_v` on a batch, with its buffers.
struct LossStep {
    gamma: f64,
    fisher: (f64, f64),
    batch_size: usize,
    inputs: usize,
    batch: Points,
    scratch: Scratch,
}

impl LossStep {
    fn new(config: &ValueFunctionConfig, batch_size: usize, inputs: usize) -> Self {
        Self {
            gamma: config.gamma,
            fisher: (config.fisher_positive, config.fisher_negative),
            batch_size,
            inputs,
            batch: Points::default(),
            scratch: Scratch::default(),
        }
    }

    /// Fills the batch with random points of the trajectories that `choose` names.
    fn draw<'a>(&mut self, rng: &mut Stream, mut choose: impl FnMut(&mut Stream) -> &'a Points) {
        self.batch.clear();
        for _ in 0..self.batch_size {
            let points = choose(rng);
            let t = rng.random_range(0..points.means.len());
            let x = &points.x[t * self.inputs..(t + 1) * self.inputs];
            self.batch.push(x, points.means[t], points.deviations[t]);
        }
    }

    /// Gradient of `gamma L_regress + L_oe` with respect to the weights.
    fn gradient(&mut self, mlp: &Mlp, rng: &mut Stream) -> &[f32] {
        let Scratch { tape, gradient } = &mut self.scratch;
        let (means, deviations) = (&self.batch.means, &self.batch.deviations);
        mlp.forward(&self.batch.x, tape);
        let (_, mut d_outputs) = losses::regression(&tape.outputs, means, deviations);
        d_outputs.iter_mut().for_each(|d| *d *= self.gamma as f32);
        let triplets = losses::triplets(means, deviations, self.fisher, rng);
        let (_, d_features) = losses::order_embedding(tape.features(), mlp.features(), &triplets);
        gradient.resize(mlp.weights().len(), 0.0);
        mlp.backward(tape, &d_outputs, Some(&d_features), gradient);
        gradient
    }
}

/// Keeps a value function true to the run at hand: a few steps of Adam on the absolute error over this run's
/// observations and replayed points of the trajectories.
pub struct OnlineAdaptation<'a> {
    set: &'a TrainingSet,
    adam: Adam,
    learning_rate: f64,
    steps: usize,
    replay: usize,
    own: Points,
    batch: Points,
    scratch: Scratch,
}

impl<'a> OnlineAdaptation<'a> {
    /// Adaptation that has seen nothing yet.
    pub fn new(
        function: &ValueFunction,
        set: &'a TrainingSet,
        learning_rate: f64,
        steps: usize,
        replay: usize,
    ) -> Self {
        Self {
            set,
            adam: Adam::new(function.mlp.weights().len(), 0.9, 0.999),
            learning_rate,
            steps,
            replay,
            own: Points::default(),
            batch: Points::default(),
            scratch: Scratch::default(),
        }
    }

    /// Learns from a new observation of the signed metric at `phi`.
    pub fn observe(
        &mut self,
        function: &mut ValueFunction,
        phi: &[f32],
        signed: f64,
        rng: &mut Stream,
    ) {
        let target = function.standardise(signed);
        self.own.push(&function.projection.apply(phi), target, 1.0);
        let inputs = function.projection.outputs();
        for _ in 0..self.steps {
            self.batch.clone_from(&self.own);
            for _ in 0..self.replay {
                if let Some((x, mean)) = self.set.draw(inputs, rng) {
                    self.batch.push(x, mean, 1.0);
                }
            }
            let Scratch { tape, gradient } = &mut self.scratch;
            function.mlp.forward(&self.batch.x, tape);
            let (_, d_outputs) =
                losses::regression(&tape.outputs, &self.batch.means, &self.batch.deviations);
            gradient.resize(function.mlp.weights().len(), 0.0);
            function.mlp.backward(tape, &d_outputs, None, gradient);
            self.adam
                .step(function.mlp.weights_mut(), gradient, self.learning_rate);
        }
    }
}
