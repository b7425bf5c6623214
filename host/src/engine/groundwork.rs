//! What MetricOpt pays for before it fine-tunes: trajectories, their best point, and the value function.

use metricopt_sdk::{Batch, Result, Split};
use rand::RngExt;

use super::config::{EngineConfig, EsConfig, FinetuneConfig, OptimizerKind, Start};
use super::events::{Event, Progress};
use super::finetune::{Candidate, Method, Outcome, Setting, finetune};
use super::meter::{Cost, Meter};
use super::observe::Observer;
use super::optimizer_training::{Practice, Slope, train};
use super::random::{Stream, stream_seed};
use super::recorder::{Artifact, Recorder};
use super::trajectory::{
    Trajectories, check_gradient, collect, diversify, interpolate_observations,
};
use super::trust::{Trained, train_and_measure};
use super::update_rule::UpdateRule;
use super::value_function::Scratch;

/// Everything that is learned from trajectories, once for all methods that use it.
pub struct Groundwork {
    /// The trajectories.
    pub trajectories: Trajectories,
    /// The value function, unless there was nothing to learn.
    pub trained: Option<Trained>,
    /// The pre-trained network and the best observed point of the trajectories.
    pub candidates: Vec<Candidate>,
    /// What the trajectories and the look at their best point cost.
    pub trajectories_cost: Cost,
    /// What the value function cost.
    pub value_cost: Cost,
    /// The calibrated width.
    width: f64,
    /// The seed of all of it.
    seed: u64,
}

impl Groundwork {
    /// Collects trajectories, trains the value function on them and looks at their best point.
    ///
    /// # Errors
    ///
    /// Those of the task, the metric and the recorder, or that the user asked to stop.
    #[expect(clippy::too_many_arguments, reason = "each is a part of the engine")]
    pub fn lay(
        observer: &Observer<'_>,
        config: &EngineConfig,
        pretrained: &Candidate,
        width: f64,
        seed: u64,
        clock: &dyn Fn() -> f64,
        progress: &Progress<'_>,
        recorder: &mut dyn Recorder,
    ) -> Result<Self> {
        let sign = observer.direction.sign();
        let mut meter = Meter::start(observer, clock);
        let classes = observer.task.describe().classes;
        let settings = diversify(&config.trajectories, width, classes, seed);
        let trajectories = collect(
            observer,
            &config.trajectories,
            settings,
            config.observation.folds,
            seed,
            progress,
            recorder,
        )?;
        let mut trajectories_cost = meter.lap();
        let interpolation = interpolate_observations(&trajectories, sign);
        recorder.save(Artifact::Trajectories(&trajectories, &interpolation))?;

        let trained = train_and_measure(
            observer,
            config,
            &trajectories,
            &interpolation,
            seed,
            progress,
        )?;
        let agreement = trained.as_ref().and_then(|trained| trained.agreement);
        recorder.record(&Event::ValueFunctionTrained {
            rank_correlation: agreement.map(|agreement| agreement.rank),
            correlation: agreement.map(|agreement| agreement.linear),
            weight: trained.as_ref().map_or(0.0, |trained| trained.weight),
        })?;
        if let Some(trained) = &trained {
            recorder.save(Artifact::ValueFunction(&trained.function))?;
        }
        let value_cost = meter.lap();

        let mut candidates = vec![pretrained.clone()];
        if let Some((k, t)) = trajectories.best(sign) {
            let phi = trajectories.point(k, t).to_vec();
            let validation = observer.validation(&phi)?;
            candidates.push(Candidate { phi, validation });
        }
        trajectories_cost += meter.lap();
        Ok(Self {
            trajectories,
            trained,
            candidates,
            trajectories_cost,
            value_cost,
            width,
            seed,
        })
    }

    /// Meta-trains the learned optimizer for fine-tuning with this configuration, unless one is given; none without a value
    /// function, which stands in for the metric. Takes no query.
    ///
    /// # Errors
    ///
    /// Those of the task and the recorder, or that the user asked to stop.
    fn learn_optimizer(
        &self,
        observer: &Observer<'_>,
        config: &FinetuneConfig,
        progress: &Progress<'_>,
        recorder: &mut dyn Recorder,
    ) -> Result<Option<UpdateRule>> {
        if let Some(given) = &config.learned.given {
            recorder.save(Artifact::Optimizer(given))?;
            return Ok(Some(given.clone()));
        }
        let Some(trained) = &self.trained else {
            return Ok(None);
        };
        let practice = Practice {
            config,
            trust: trained.weight,
            learning_rate: self.width * config.peak_learning_rate(),
            radius: self.radius(config),
            pool: observer.pool,
            seed: self.seed,
        };
        let trajectories = &self.trajectories;
        // Every other run starts where trajectories do, as fine-tuning will.
        let mut start = |member: usize, rng: &mut Stream| {
            let k = rng.random_range(0..trajectories.count());
            let t = rng.random_range(0..=trajectories.steps);
            let t = if member.is_multiple_of(2) { 0 } else { t };
            trajectories.point(k, t).to_vec()
        };
        let mut scratch = Scratch::default();
        let mut terrain = |phis: &[&[f32]], number: u64| {
            let batches: Vec<Batch<'_>> = (0..phis.len() as u64)
                .map(|member| Batch {
                    split: Split::Train,
                    seed: stream_seed(self.seed, "practice batches", member),
                    step: number,
                    size: config.batch_size,
                    fraction: 1.0,
                    class_weights: &[],
                })
                .collect();
            let (losses, flat) = observer.gradients(phis, &batches)?;
            let dimensions = trajectories.dimensions;
            check_gradient(&flat, phis.len() * dimensions)?;
            let gradients = flat.chunks_exact(dimensions);
            let slopes = phis.iter().zip(losses).zip(gradients);
            Ok(slopes
                .map(|((phi, loss), gradient)| {
                    let (value, value_gradient) = trained.function.slope(phi, &mut scratch);
                    Slope {
                        loss,
                        loss_gradient: gradient.to_vec(),
                        value,
                        value_gradient,
                    }
                })
                .collect())
        };
        let total = config.learned.iterations as u64;
        progress("learned optimizer", 0, total);
        let learnt = train(practice, &mut start, &mut terrain, &mut |iteration| {
            progress("learned optimizer", iteration as u64, total);
            observer.call.check()
        })?;
        recorder.record(&Event::OptimizerLearned {
            objective_changes: learnt.changes,
        })?;
        recorder.save(Artifact::Optimizer(&learnt.rule))?;
        Ok(Some(learnt.rule))
    }

    /// Largest `|phi|` that fine-tuning may reach.
    fn radius(&self, config: &FinetuneConfig) -> f64 {
        match config.trust_region {
            0.0 => f64::INFINITY,
            multiple => multiple * self.trajectories.radius(),
        }
    }

    /// Fine-tunes along loss, value function and, if given, the search; meta-trains the optimizer before if it is a learned
    /// one.
    ///
    /// # Errors
    ///
    /// Those of the task, the metric and the recorder, or that the user asked to stop.
    pub fn tune(
        &self,
        observer: &Observer<'_>,
        name: &str,
        config: &FinetuneConfig,
        search: Option<&EsConfig>,
        progress: &Progress<'_>,
        recorder: &mut dyn Recorder,
    ) -> Result<Outcome> {
        let start = match config.start {
            Start::Pretrained => &self.candidates[0],
            Start::BestTrajectory => &self.candidates[self.candidates.len() - 1],
        };
        let setting = Setting {
            start,
            candidates: &self.candidates,
            width: self.width,
            radius: self.radius(config),
            seed: self.seed,
        };
        let rule = match config.optimizer {
            OptimizerKind::Learned => self.learn_optimizer(observer, config, progress, recorder)?,
            OptimizerKind::Sgd | OptimizerKind::Adam => None,
        };
        let mut method = Method {
            value: self
                .trained
                .as_ref()
                .map(|trained| (trained.function.clone(), &trained.set, trained.weight)),
            search,
            rule: rule.as_ref(),
            ..Method::loss_only(name)
        };
        finetune(observer, config, &mut method, &setting, progress, recorder)
    }
}
