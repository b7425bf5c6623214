//! The whole run: trajectories, value function, fine-tuning, the simple alternatives, and an honest table.

use metricopt_sdk::{Classification, Kind, OwnedClassification, Predictions, Result, Rows, Split};

use super::acceptance::{Decision, accept};
use super::bootstrap;
use super::calibrate::calibrate;
use super::config::{EngineConfig, EsConfig, FinetuneConfig, Start};
use super::events::{Artifact, Event, Recorder};
use super::finetune::{Candidate, Method, Outcome, Setting, finetune};
use super::observe::Observer;
use super::random::stream_seed;
use super::threshold;
use super::trajectory::{collect, diversify, interpolate_observations};
use super::trust::{Agreement, train_and_measure};

/// Reports progress: what is being done, how much is done, of how much.
pub type Progress<'a> = dyn Fn(&str, u64, u64) + 'a;

/// One row of the table.
#[derive(Clone, Debug, PartialEq)]
pub struct MethodResult {
    /// `pretrained`, `loss-only`, `threshold`, `class-weighted`, `es` or `metricopt`.
    pub name: &'static str,
    /// Natural metric value on the validation split.
    pub validation: f64,
    /// Natural metric value on the test split.
    pub test: f64,
    /// `test` minus that of the pre-trained network.
    pub difference: f64,
    /// 95 % interval of the difference; `None` where the predictions cannot be resampled.
    pub interval: Option<[f64; 2]>,
    /// Metric queries it took, those of the trajectories included where it uses them.
    pub queries: u64,
    /// Wall-clock seconds, those of the trajectories included where it uses them.
    pub seconds: f64,
}

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

/// A finished method before the table is made.
struct Finished {
    name: &'static str,
    validation: f64,
    phi: Vec<f32>,
    /// Decision threshold, 0.5 for all methods but one.
    threshold: f64,
    queries: u64,
    seconds: f64,
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
    meter.restart();
    let loss_only = baselines.follow_loss("loss-only", &[&[]], recorder)?;
    finished.push(meter.finish("loss-only", &loss_only));
    if kind == Kind::Classification && config.baselines.thresholds > 0 {
        meter.restart();
        finished.extend(baselines.tune_threshold(&meter)?);
    }
    let weightings = baselines.weightings(description.classes);
    if !weightings.is_empty() {
        meter.restart();
        let weightings: Vec<&[f32]> = weightings.iter().map(Vec::as_slice).collect();
        let class_weighted = baselines.follow_loss("class-weighted", &weightings, recorder)?;
        finished.push(meter.finish("class-weighted", &class_weighted));
    }
    if config.baselines.es {
        meter.restart();
        let es = baselines.search(recorder)?;
        finished.push(meter.finish("es", &es));
    }

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
    let Outcome { best, last } = finetune(
        observer,
        &config.finetune,
        &mut method,
        &setting,
        progress,
        recorder,
    )?;

    let decision = accept(
        observer,
        &pretrained.phi,
        &best.phi,
        config.finetune.accept_folds,
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
    finished.push(meter.finish("metricopt", kept));

    let methods = table(observer, kind, config, seed, finished, progress, recorder)?;
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

/// Queries and seconds since the last restart.
struct Meter<'a> {
    observer: &'a Observer<'a>,
    clock: &'a dyn Fn() -> f64,
    queries: u64,
    seconds: f64,
}

impl<'a> Meter<'a> {
    fn start(observer: &'a Observer<'a>, clock: &'a dyn Fn() -> f64) -> Self {
        Self {
            observer,
            clock,
            queries: observer.queries.get(),
            seconds: clock(),
        }
    }

    fn restart(&mut self) {
        *self = Self::start(self.observer, self.clock);
    }

    fn finish(&self, name: &'static str, candidate: &Candidate) -> Finished {
        Finished {
            name,
            validation: candidate.validation,
            phi: candidate.phi.clone(),
            threshold: 0.5,
            queries: self.observer.queries.get() - self.queries,
            seconds: (self.clock)() - self.seconds,
        }
    }
}

/// The simple alternatives. Each returns its best on validation, `phi_0` included.
struct Baselines<'a> {
    observer: &'a Observer<'a>,
    config: &'a EngineConfig,
    pretrained: &'a Candidate,
    width: f64,
    seed: u64,
    progress: &'a Progress<'a>,
}

impl Baselines<'_> {
    fn run(
        &self,
        method: &mut Method<'_>,
        finetune_config: &FinetuneConfig,
        width: f64,
        recorder: &mut dyn Recorder,
    ) -> Result<Candidate> {
        let setting = Setting {
            start: self.pretrained,
            candidates: std::slice::from_ref(self.pretrained),
            width,
            radius: f64::INFINITY,
            seed: self.seed,
        };
        Ok(finetune(
            self.observer,
            finetune_config,
            method,
            &setting,
            self.progress,
            recorder,
        )?
        .best)
    }

    /// Loss-only runs with each weighting, at the calibrated and at the plain learning rate: the best of them all, so
    /// that the method is not compared with a badly tuned alternative.
    fn follow_loss(
        &self,
        name: &'static str,
        weightings: &[&[f32]],
        recorder: &mut dyn Recorder,
    ) -> Result<Candidate> {
        let mut best = self.pretrained.clone();
        let widths: &[f64] = if self.width == 1.0 {
            &[1.0]
        } else {
            &[1.0, self.width]
        };
        for class_weights in weightings {
            for &width in widths {
                let mut method = Method {
                    name,
                    loss: true,
                    class_weights,
                    value: None,
                    search: None,
                };
                let candidate = self.run(&mut method, &self.config.finetune, width, recorder)?;
                if self
                    .observer
                    .direction
                    .is_better(candidate.validation, best.validation)
                {
                    best = candidate;
                }
            }
        }
        Ok(best)
    }

    /// The class weights to try: each factor on every class but the first of a binary task, else on each class in turn
    /// would be a search of its own, so several classes have no such row.
    fn weightings(&self, classes: Option<usize>) -> Vec<Vec<f32>> {
        match classes {
            Some(2) => {
                let factors = &self.config.baselines.class_weights;
                factors
                    .iter()
                    .map(|&factor| vec![1.0, factor as f32])
                    .collect()
            }
            _ => Vec::new(),
        }
    }

    /// Plain evolution strategies on the true metric, without loss and value function.
    fn search(&self, recorder: &mut dyn Recorder) -> Result<Candidate> {
        let es = EsConfig {
            alpha: 1.0,
            objective: super::config::EsObjective::Metric,
            pairs: self.config.finetune.es.pairs.max(1),
            ..self.config.finetune.es.clone()
        };
        let mut method = Method {
            name: "es",
            loss: false,
            class_weights: &[],
            value: None,
            search: Some(&es),
        };
        self.run(&mut method, &self.config.finetune, self.width, recorder)
    }

    /// The threshold row, if the scores are binary probabilities.
    fn tune_threshold(&self, meter: &Meter<'_>) -> Result<Option<Finished>> {
        let scores = scores(self.observer, &self.pretrained.phi, Split::Validation)?;
        if !scores.view().is_binary() || scores.view().probabilities().is_err() {
            return Ok(None);
        }
        let observer = self.observer;
        let tuned = threshold::tune(
            observer.metric,
            observer.direction,
            &scores,
            self.config.baselines.thresholds,
            observer.pool,
        )?;
        observer.queries.set(observer.queries.get() + tuned.queries);
        Ok(Some(Finished {
            threshold: tuned.threshold,
            validation: tuned.value,
            ..meter.finish("threshold", self.pretrained)
        }))
    }
}

/// Copies the classification predictions of one adapter.
fn scores(observer: &Observer<'_>, phi: &[f32], split: Split) -> Result<OwnedClassification> {
    let mut owned = None;
    observer.predict(&[phi], &Rows::all(split), &mut |_, views| {
        for views in views {
            owned = Some(Classification::from_views(views)?.to_owned());
        }
        Ok(())
    })?;
    owned.ok_or_else(|| metricopt_sdk::Error::failed("the task emitted no prediction"))
}

/// Measures every method on the test split, which nothing selected on, with paired bootstrap intervals where the
/// predictions can be resampled.
fn table(
    observer: &Observer<'_>,
    kind: Kind,
    config: &EngineConfig,
    seed: u64,
    finished: Vec<Finished>,
    progress: &Progress<'_>,
    recorder: &mut dyn Recorder,
) -> Result<Vec<MethodResult>> {
    progress("test", 0, 1);
    let mut values = Vec::with_capacity(finished.len());
    let mut intervals = None;
    if kind == Kind::Classification {
        let predictions: Result<Vec<OwnedClassification>> = finished
            .iter()
            .map(|method| {
                threshold::apply(
                    &scores(observer, &method.phi, Split::Test)?,
                    method.threshold,
                )
            })
            .collect();
        let predictions = predictions?;
        for scores in &predictions {
            let value = scores.with_views(|views| observer.metric.evaluate(views));
            values.push(value.map_err(|error| {
                error.context(format!(
                    "metric `{}` on the test split",
                    observer.metric_name
                ))
            })?);
        }
        let models: Vec<&OwnedClassification> = predictions.iter().collect();
        intervals = bootstrap::intervals(
            observer.metric,
            &predictions[0],
            &models,
            config.report.bootstrap,
            stream_seed(seed, "intervals", 0),
            observer.pool,
            &observer.call,
        )?;
    } else {
        for method in &finished {
            values.push(observer.test(&method.phi)?);
        }
    }
    progress("test", 1, 1);
    let reference = values.first().copied().unwrap_or_default();
    let mut methods = Vec::with_capacity(finished.len());
    for (index, (method, test)) in finished.into_iter().zip(values).enumerate() {
        recorder.record(&Event::Finished {
            method: method.name.to_owned(),
            validation: method.validation,
            test,
            queries: method.queries,
        })?;
        methods.push(MethodResult {
            name: method.name,
            validation: method.validation,
            test,
            difference: test - reference,
            interval: intervals.as_ref().map(|intervals| intervals[index]),
            queries: method.queries,
            seconds: method.seconds,
        });
    }
    Ok(methods)
}
