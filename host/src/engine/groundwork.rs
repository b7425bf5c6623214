//! What MetricOpt pays for before it fine-tunes: trajectories, their best point, and the value function.

use metricopt_sdk::Result;

use super::config::{EngineConfig, EsConfig, FinetuneConfig, Start};
use super::events::{Event, Progress};
use super::finetune::{Candidate, Method, Outcome, Setting, finetune};
use super::meter::{Cost, Meter};
use super::observe::Observer;
use super::recorder::{Artifact, Recorder};
use super::trajectory::{Trajectories, collect, diversify, interpolate_observations};
use super::trust::{Trained, train_and_measure};

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

    /// Fine-tunes along loss, value function and, if given, the search.
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
            radius: match config.trust_region {
                0.0 => f64::INFINITY,
                multiple => multiple * self.trajectories.radius(),
            },
            seed: self.seed,
        };
        let mut method = Method {
            value: self
                .trained
                .as_ref()
                .map(|trained| (trained.function.clone(), &trained.set, trained.weight)),
            search,
            ..Method::loss_only(name)
        };
        finetune(observer, config, &mut method, &setting, progress, recorder)
    }
}
