//! The whole run: trajectories, value function, fine-tuning, the simple alternatives, and an honest table.

use metricopt_sdk::{Error, Kind, Result};

use super::acceptance::{Decision, accept};
use super::baselines::Baselines;
use super::calibrate::{Calibration, calibrate, measure_reference};
use super::config::EngineConfig;
use super::events::{Event, Progress, StopReason};
use super::finetune::{Candidate, Outcome};
use super::footing::Footing;
use super::groundwork::Groundwork;
use super::landscape::survey;
use super::meter::{Cost, Finished, LeftOut, Meter, Phase};
use super::observe::Observer;
use super::past::Past;
use super::predictions::Keeper;
use super::recorder::{Artifact, Recorder};
use super::reference::Reference;
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
    /// Rows that the table has not: they say nothing about this task, or the bound on queries leaves no room for them.
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
    /// Why the predictions along the trajectories were not kept, where they were to be.
    pub not_kept: Option<String>,
    /// Steps of MetricOpt.
    pub steps: usize,
    /// Why MetricOpt ended before its last step, if it did.
    pub stopped: Option<StopReason>,
    /// Evaluations of the network before MetricOpt began to fine-tune.
    pub evaluations_before: u64,
    /// Evaluations of the network in all.
    pub evaluations: u64,
    /// Queries of the metric in all.
    pub queries: u64,
    /// What the run consisted of, in order.
    pub phases: Vec<Phase>,
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
    let mut phases = Phases::start(observer, clock);
    let mut finished: Vec<Finished> = Vec::new();
    observer.keeper.replace(keeper(observer, config));

    let phi_0 = vec![0.0; dimensions];
    let pretrained = Candidate {
        validation: observer.validation(&phi_0)?,
        phi: phi_0,
    };
    finished.push(meter.finish("pretrained", &pretrained));
    meter.restart();
    // The folds of the acceptance test come first: if the metric has no value on one of them, no time is lost.
    let folds = config.finetune.accept_folds;
    let pretrained_folds = observer.observe(&[&pretrained.phi], folds)?.swap_remove(0);
    let mut cost = Cost {
        seconds: 0.0,
        ..meter.lap()
    };
    phases.end("pretrained");

    let calibration = match observer.past.calibration() {
        Some((width, reference)) => Calibration {
            width,
            reference: reference.clone(),
            probed: Vec::new(),
        },
        None => calibrate(observer, &config.calibration, &config.trajectories, seed)?,
    };
    let width = calibration.width;
    let is_measured = matches!(observer.past, Past::Nothing) && config.calibration.width.is_none();
    recorder.record(&Event::Calibrated {
        width,
        measured: is_measured,
        loss: calibration.reference.loss,
        probed: calibration.probed.clone(),
    })?;
    phases.end("calibration");

    meter.restart();
    let footing = Footing {
        pretrained: &pretrained,
        folds: Some(&pretrained_folds),
        calibration: &calibration,
    };
    let groundwork = Groundwork::lay(observer, config, &footing, seed, clock, progress, recorder)?;
    phases.take("trajectories", groundwork.trajectories_cost);
    phases.take("value function", groundwork.value_cost);
    let before = observer.evaluations.get();
    recorder.record(&Event::MetaTestingBegun {
        queries: observer.queries.get(),
        evaluations: before,
    })?;
    if let Some((_, reference)) = observer.past.calibration() {
        let here = measure_reference(observer, &config.calibration, seed)?;
        if !reference.is_of_same_network(&here) {
            return Err(another_network(reference, &here));
        }
    }
    let search = (config.finetune.es.pairs > 0).then_some(&config.finetune.es);
    let Outcome {
        best,
        last,
        path,
        tested,
        steps,
        stopped,
    } = groundwork.tune(
        observer,
        "metricopt",
        &config.finetune,
        search,
        Some(&pretrained_folds),
        progress,
        recorder,
    )?;

    let decision = accept(
        observer,
        &pretrained_folds,
        &best.phi,
        tested.as_ref(),
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
    cost += meter.cost();
    let metricopt = Finished {
        cost,
        ..meter.finish("metricopt", kept)
    };
    phases.end("fine-tuning");

    // They come last, so that a bound on queries leaves out alternatives before it cuts the method short.
    let alternatives = Baselines {
        observer,
        config,
        pretrained: &pretrained,
        width,
        seed,
        progress,
    }
    .run_all(kind, description.classes, &mut meter, recorder)?;
    for alternative in &alternatives.finished {
        phases.take(alternative.name, alternative.cost);
    }
    finished.extend(alternatives.finished);
    finished.push(metricopt);

    let methods = table(observer, kind, config, seed, finished, progress, recorder)?;
    let reading = |candidate: &Candidate| -> Result<Reading> {
        Ok(Reading {
            validation: candidate.validation,
            test: observer.test(&candidate.phi)?,
        })
    };
    let (best_reading, last_reading) = (reading(&best)?, reading(&last)?);
    phases.end("test");
    let trained = groundwork.trained.as_ref();
    let function = trained.map(|trained| &trained.function);
    let mut ways = vec![("metricopt", path)];
    if !alternatives.loss_only_path.is_empty() {
        ways.insert(0, ("loss-only", alternatives.loss_only_path));
    }
    let landscape = survey(
        observer,
        config.report.landscape,
        groundwork.trajectories.as_ref(),
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
    phases.end("landscape");
    Ok(Tuned {
        methods,
        decision,
        best: best_reading,
        last: last_reading,
        adapter: kept.phi.clone(),
        width,
        agreement: trained.and_then(|trained| trained.agreement),
        value_weight: trained.map_or(0.0, |trained| trained.weight),
        left_out: alternatives.left_out,
        not_kept: groundwork.not_kept,
        steps,
        stopped,
        evaluations_before: before,
        evaluations: observer.evaluations.get(),
        queries: observer.queries.get(),
        phases: phases.ended,
    })
}

/// The phases of a run, one after the other.
struct Phases<'a> {
    meter: Meter<'a>,
    ended: Vec<Phase>,
}

impl<'a> Phases<'a> {
    fn start(observer: &'a Observer<'a>, clock: &'a dyn Fn() -> f64) -> Self {
        Self {
            meter: Meter::start(observer, clock),
            ended: Vec::new(),
        }
    }

    /// Ends a phase that began where the one before ended.
    fn end(&mut self, name: &'static str) {
        let cost = self.meter.lap();
        self.ended.push(Phase { name, cost });
    }

    /// Takes over a phase that was measured where it ran; the next one begins now.
    fn take(&mut self, name: &'static str, cost: Cost) {
        self.ended.push(Phase { name, cost });
        self.meter.restart();
    }
}

/// Takes the predictions along trajectories that are collected, if any are to be kept.
fn keeper(observer: &Observer<'_>, config: &EngineConfig) -> Option<Keeper> {
    let mebibytes = config.observation.keep_predictions_mib;
    let collects = matches!(observer.past, Past::Nothing);
    (collects && mebibytes > 0).then(|| Keeper::new(mebibytes))
}

fn another_network(earlier: &Reference, here: &Reference) -> Error {
    Error::data(format!(
        "the earlier run had another pre-trained network or other data: its surrogate loss on the same validation rows \
         was {}, and is {} with another gradient",
        earlier.loss, here.loss
    ))
    .hint("collect anew, without `--trajectories` and `--value-function`")
}
