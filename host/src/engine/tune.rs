//! The whole run: trajectories, value function, fine-tuning, the simple alternatives, and an honest table.

use metricopt_sdk::{Kind, Result};

use super::acceptance::{Decision, accept};
use super::baselines::Baselines;
use super::calibrate::calibrate;
use super::config::EngineConfig;
use super::events::{Event, Progress};
use super::finetune::{Candidate, Outcome};
use super::groundwork::Groundwork;
use super::landscape::survey;
use super::meter::{Finished, LeftOut, Meter};
use super::observe::Observer;
use super::recorder::{Artifact, Recorder};
use super::table::{MethodResult, table};
use super::trust::Agreement;

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
    /// Rows that the table has not, because they say nothing about this task.
    pub left_out: Vec<LeftOut>,
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
    let groundwork = Groundwork::lay(
        observer,
        config,
        &pretrained,
        width,
        seed,
        clock,
        progress,
        recorder,
    )?;
    let search = (config.finetune.es.pairs > 0).then_some(&config.finetune.es);
    let Outcome { best, last, path } = groundwork.tune(
        observer,
        "metricopt",
        &config.finetune,
        search,
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
    let trained = groundwork.trained.as_ref();
    let function = trained.map(|trained| &trained.function);
    let ways = [
        ("loss-only", alternatives.loss_only_path),
        ("metricopt", path),
    ];
    let landscape = survey(
        observer,
        config.report.landscape,
        &groundwork.trajectories,
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
        left_out: alternatives.left_out,
        decision,
        best: reading(&best)?,
        last: reading(&last)?,
        adapter: kept.phi.clone(),
        width,
        agreement: trained.and_then(|trained| trained.agreement),
        value_weight: trained.map_or(0.0, |trained| trained.weight),
    })
}
