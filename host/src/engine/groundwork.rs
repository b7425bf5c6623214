//! What MetricOpt pays for before it fine-tunes: trajectories, their best point, and the value function.

use metricopt_sdk::{Error, Result, Split};

use super::collect::{collect, observe_again};
use super::config::{EngineConfig, EsConfig, FinetuneConfig, OptimizerKind, Start};
use super::events::{Event, Progress};
use super::finetune::{Candidate, Method, Outcome, Setting, finetune};
use super::footing::Footing;
use super::interpolation::interpolate_observations;
use super::meter::{Cost, Meter};
use super::observation::Observation;
use super::observe::Observer;
use super::optimizer_practice::{PracticeGround, learn_optimizer};
use super::past::{Past, StoredFunction};
use super::recorder::{Artifact, Recorder};
use super::trajectory::{Trajectories, diversify};
use super::trust::{Trained, train_and_measure};

/// Everything that is learned from trajectories, once for all methods that use it.
pub struct Groundwork {
    /// The trajectories, unless the value function is that of an earlier run.
    pub trajectories: Option<Trajectories>,
    /// The value function, unless there was nothing to learn.
    pub trained: Option<Trained>,
    /// The pre-trained network and the best observed point of the trajectories.
    pub candidates: Vec<Candidate>,
    /// What the trajectories and the look at their best point cost.
    pub trajectories_cost: Cost,
    /// What the value function cost.
    pub value_cost: Cost,
    /// Why the predictions along the trajectories were not kept, where they were to be.
    pub not_kept: Option<String>,
    /// Largest `|phi|` of the trajectories.
    radius: f64,
    /// The calibrated width.
    width: f64,
    /// The seed of all of it.
    seed: u64,
}

impl Groundwork {
    /// Collects trajectories, looks at their best point and trains the value function on them; takes from an earlier run
    /// what there is to take.
    ///
    /// # Errors
    ///
    /// Those of the task, the metric and the recorder, or that the user asked to stop.
    pub fn lay(
        observer: &Observer<'_>,
        config: &EngineConfig,
        footing: &Footing<'_>,
        seed: u64,
        clock: &dyn Fn() -> f64,
        progress: &Progress<'_>,
        recorder: &mut dyn Recorder,
    ) -> Result<Self> {
        if let Past::ValueFunction(stored) = observer.past {
            return Self::take_over(stored, footing, seed, config, recorder);
        }
        let sign = observer.direction.sign();
        let width = footing.calibration.width;
        let mut meter = Meter::start(observer, clock);
        let folds = config.observation.folds;
        let trajectories = match observer.past {
            Past::Trajectories(stored) => {
                observe_again(observer, &stored.trajectories, folds, progress, recorder)?
            }
            _ => {
                let classes = observer.task.describe().classes;
                let settings = diversify(&config.trajectories, width, classes, seed);
                let configured = &config.trajectories;
                collect(
                    observer, configured, settings, folds, seed, progress, recorder,
                )?
            }
        };
        let not_kept = keep_predictions(observer, folds, &trajectories, recorder)?;
        let mut candidates = vec![footing.pretrained.clone()];
        if let Some((k, t)) = trajectories.best(sign) {
            let phi = trajectories.point(k, t).to_vec();
            let validation = observer.validation(&phi)?;
            candidates.push(Candidate { phi, validation });
        }
        let trajectories_cost = meter.lap();
        let interpolation = interpolate_observations(&trajectories, sign);
        let best = candidates.last().map_or(f64::NAN, |best| best.validation);
        recorder.save(Artifact::Trajectories(
            &trajectories,
            &interpolation,
            footing,
            best,
        ))?;

        let trained = train_and_measure(
            &observer.call,
            observer.pool,
            config,
            &trajectories,
            &interpolation,
            seed,
            progress,
        )?;
        let radius = trajectories.radius();
        record(trained.as_ref(), footing, radius, recorder)?;
        Ok(Self {
            trajectories: Some(trajectories),
            trained,
            candidates,
            trajectories_cost,
            value_cost: meter.lap(),
            not_kept,
            radius,
            width,
            seed,
        })
    }

    /// The value function of an earlier run in place of everything.
    fn take_over(
        stored: &StoredFunction,
        footing: &Footing<'_>,
        seed: u64,
        config: &EngineConfig,
        recorder: &mut dyn Recorder,
    ) -> Result<Self> {
        if config.finetune.start == Start::BestTrajectory {
            return Err(Error::configuration(
                "`finetune.start` is `best-trajectory`, but a run with `--value-function` has no trajectories",
            )
            .hint("start at `pretrained`, or give `--trajectories` the directory of the earlier run"));
        }
        record(Some(&stored.trained), footing, stored.radius, recorder)?;
        Ok(Self {
            trajectories: None,
            trained: Some(stored.trained.clone()),
            candidates: vec![footing.pretrained.clone()],
            trajectories_cost: Cost::default(),
            value_cost: Cost::default(),
            not_kept: None,
            radius: stored.radius,
            width: footing.calibration.width,
            seed,
        })
    }

    /// Largest `|phi|` that fine-tuning may reach.
    fn radius(&self, config: &FinetuneConfig) -> f64 {
        match config.trust_region {
            0.0 => f64::INFINITY,
            multiple => multiple * self.radius,
        }
    }

    /// Fine-tunes along loss, value function and, if given, the search; meta-trains the optimizer before if it is a learned
    /// one.
    ///
    /// # Errors
    ///
    /// Those of the task, the metric and the recorder, or that the user asked to stop.
    #[expect(clippy::too_many_arguments, reason = "each is a part of the engine")]
    pub fn tune(
        &self,
        observer: &Observer<'_>,
        name: &str,
        config: &FinetuneConfig,
        search: Option<&EsConfig>,
        pretrained_folds: Option<&Observation>,
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
            acceptance: pretrained_folds,
        };
        let rule = match config.optimizer {
            OptimizerKind::Learned => {
                let ground = PracticeGround {
                    trajectories: self.trajectories.as_ref(),
                    trained: self.trained.as_ref(),
                    width: self.width,
                    radius: self.radius(config),
                    seed: self.seed,
                };
                learn_optimizer(observer, config, &ground, progress, recorder)?
            }
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

/// Tells of the value function and keeps it.
fn record(
    trained: Option<&Trained>,
    footing: &Footing<'_>,
    radius: f64,
    recorder: &mut dyn Recorder,
) -> Result<()> {
    let agreement = trained.and_then(|trained| trained.agreement);
    recorder.record(&Event::ValueFunctionTrained {
        rank_correlation: agreement.map(|agreement| agreement.rank),
        correlation: agreement.map(|agreement| agreement.linear),
        weight: trained.map_or(0.0, |trained| trained.weight),
    })?;
    match trained {
        Some(trained) => recorder.save(Artifact::ValueFunction(trained, footing, radius)),
        None => Ok(()),
    }
}

/// Hands on the predictions along the trajectories: those of this run, or of the one they were taken from. Says why there
/// are none, where there were to be.
fn keep_predictions(
    observer: &Observer<'_>,
    folds: usize,
    trajectories: &Trajectories,
    recorder: &mut dyn Recorder,
) -> Result<Option<String>> {
    let units = observer.task.describe().units(Split::Validation);
    let keeper = observer.keeper.take();
    let kept = match (&observer.past, keeper) {
        (Past::Trajectories(stored), _) => stored.predictions.clone().map(Ok),
        (_, keeper) => keeper.map(|keeper| keeper.finish(folds, units)),
    };
    match kept {
        Some(Ok(predictions)) => {
            recorder.save(Artifact::Predictions(&predictions, trajectories))?;
            Ok(None)
        }
        Some(Err(reason)) => {
            recorder.record(&Event::PredictionsNotKept {
                reason: reason.clone(),
            })?;
            Ok(Some(reason))
        }
        None => Ok(None),
    }
}
