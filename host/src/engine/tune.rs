//! The whole run: trajectories, value function, fine-tuning, the simple alternatives, and an honest table.

use metricopt_sdk::{Kind, Result};

use super::acceptance::{Decision, accept};
use super::baselines::Baselines;
use super::calibrate::calibrate;
use super::config::{EngineConfig, Start};
use super::events::{Event, Progress};
use super::finetune::{Candidate, Method, Outcome, Setting, finetune};
use super::landscape::survey;
use super::meter::{Finished, Meter};
use super::observe::Observer;
use super::recorder::{Artifact, Recorder};
use super::table::{MethodResult, table};
use super::trajectory::{collect, diversify, interpolate_observations};
use super::trust::{Agreement, train_and_measure};

/// Validation and test value of one adapter on the way.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Reading {
    /// Natural metric value on the validation split.
    pub validation: f64,
    /// Natural metric value on the test split.
    pub test: f64,
}

/// What a run found.
#[derive(Clone, Debug, PartialEq)]
pub struct Tuned {
    /// The table, in the order of the names above.
    pub methods: Vec<MethodResult>,
    /// The acceptance test.
    pub decision: Decision,
    /// The adapter to use: the tuned one if it was accepted, else `phi_0`.
    pub adapter: Vec<f32>,
    /// The tuned adapter before acceptance: the best on validation.
    pub best: Reading,
    /// The last step of fine-tuning.
    pub last: Reading,
    /// The calibrated width.
    pub width: f64,
    /// Agreement of the value function on held-out trajectories, if there is a value function.
    pub agreement: Option<Agreement>,
    /// Weight of the value gradient; 0 without a value function.
    pub value_weight: f64,
}

/// Runs everything.
///
/// `clock` gives seconds; it is an argument so that results do not depend on it.
///
/// # Errors
///
/// Those of the task, the metric and the recorder, or that the user asked to stop.
pub fn tune(
    observer: &Observer<'_>,
    kind: Kind,
    config: &EngineConfig,
    seed: u64,
    clock: &dyn Fn() -> f64,
    progress: &Progress<'_>,
    recorder: &mut dyn Recorder,
) -> Result<Tuned> {
    let description = observer.task.describe();
    let dimensions = description.dimensions();
    let sign = observer.direction.sign();
    let mut meter = Meter::start(observer, clock);
    let mut finished: Vec<Finished> = Vec::new();

    let phi_0 = vec![0.0; dimensions];
    let pretrained = Candidate {
        validation: observer.validation(&phi_0)?,
        phi: phi_0,
    };
    finished.push(meter.finish("pretrained", &pretrained));
    // The folds of the acceptance test come first: if the metric has no value on one of them, no time is lost.
    let folds = config.finetune.accept_folds;
    let pretrained_folds = observer.observe(&[&pretrained.phi], folds)?.swap_remove(0);

    let calibration = calibrate(observer, &config.calibration, &config.trajectories, seed)?;
    let width = calibration.width;
    recorder.record(&Event::Calibrated {
        width,
        measured: config.calibration.width.is_none(),
        loss: calibration.loss,
        probed: calibration.probed,
    })?;

    let baselines = Baselines {
        observer,
        config,
        pretrained: &pretrained,
        width,
        seed,
        progress,
    };
    let alternatives = baselines.run_all(kind, description.classes, &mut meter, recorder)?;
    finished.extend(alternatives.finished);

    meter.restart();
    let settings = diversify(&config.trajectories, width, description.classes, seed);
    let folds = config.observation.folds;
    let trajectories = collect(
        observer,
        &config.trajectories,
        settings,
        folds,
        seed,
        progress,
        recorder,
    )?;
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
    let value_weight = trained.as_ref().map_or(0.0, |trained| trained.weight);
    recorder.record(&Event::ValueFunctionTrained {
        rank_correlation: agreement.map(|agreement| agreement.rank),
        correlation: agreement.map(|agreement| agreement.linear),
        weight: value_weight,
    })?;
    if let Some(trained) = &trained {
        recorder.save(Artifact::ValueFunction(&trained.function))?;
    }

    let mut candidates = vec![pretrained.clone()];
    if let Some((k, t)) = trajectories.best(sign) {
        let phi = trajectories.point(k, t).to_vec();
        let validation = observer.validation(&phi)?;
        candidates.push(Candidate { phi, validation });
    }
    let start = match config.finetune.start {
        Start::Pretrained => &candidates[0],
        Start::BestTrajectory => &candidates[candidates.len() - 1],
    };
    let setting = Setting {
        start,
        candidates: &candidates,
        width,
        radius: match config.finetune.trust_region {
            0.0 => f64::INFINITY,
            multiple => multiple * trajectories.radius(),
        },
        seed,
    };
    let mut method = Method {
        name: "metricopt",
        loss: true,
        class_weights: &[],
        value: trained
            .as_ref()
            .map(|trained| (trained.function.clone(), &trained.set, trained.weight)),
        search: (config.finetune.es.pairs > 0).then_some(&config.finetune.es),
    };
    let Outcome { best, last, path } = finetune(
        observer,
        &config.finetune,
        &mut method,
        &setting,
        progress,
        recorder,
    )?;

    let decision = accept(
        observer,
        &pretrained_folds,
        &best.phi,
        config.finetune.accept_t,
    )?;
    recorder.record(&Event::Decided {
        accepted: decision.accepted,
        t: decision.t,
        threshold: decision.threshold,
    })?;
    let kept = if decision.accepted {
        &best
    } else {
        &pretrained
    };
    recorder.save(Artifact::Adapter(&kept.phi, &description.sites))?;
    let mut metricopt = meter.finish("metricopt", kept);
    // The folds of the pre-trained network, observed at the very start.
    metricopt.queries += 1;
    finished.push(metricopt);

    let methods = table(observer, kind, config, seed, finished, progress, recorder)?;
    let function = trained.as_ref().map(|trained| &trained.function);
    let ways = [
        ("loss-only", alternatives.loss_only_path),
        ("metricopt", path),
    ];
    let landscape = survey(
        observer,
        config.report.landscape,
        &trajectories,
        function,
        &ways,
        seed,
        progress,
    )?;
    if let Some(reason) = &landscape.left_out {
        recorder.record(&Event::LandscapeLeftOut {
            reason: reason.clone(),
        })?;
    }
    recorder.save(Artifact::Report(&landscape, &best.phi, &description.sites))?;
    let reading = |candidate: &Candidate| -> Result<Reading> {
        Ok(Reading {
            validation: candidate.validation,
            test: observer.test(&candidate.phi)?,
        })
    };
    Ok(Tuned {
        methods,
        decision,
        best: reading(&best)?,
        last: reading(&last)?,
        adapter: kept.phi.clone(),
        width,
        agreement,
        value_weight,
    })
}
