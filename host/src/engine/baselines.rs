//! The simple alternatives that every run is compared with.

use metricopt_sdk::{Kind, Result, Split};

use super::budget;
use super::class_weights;
use super::config::{EngineConfig, EsConfig, EsObjective, FinetuneConfig};
use super::events::{Event, EventLog, Progress};
use super::finetune::{Candidate, Method, Outcome, Setting, finetune};
use super::meter::{Finished, LeftOut, Meter};
use super::observe::Observer;
use super::threshold;

/// What the simple alternatives found.
pub struct Alternatives {
    /// Their rows of the table.
    pub finished: Vec<Finished>,
    /// Those that say nothing about this task, or that the bound on queries leaves no room for.
    pub left_out: Vec<LeftOut>,
    /// The way of loss-only at the better of its learning rates, the start first.
    pub loss_only_path: Vec<Vec<f32>>,
}

/// The simple alternatives. Each returns its best on validation, `phi_0` included.
pub struct Baselines<'a> {
    /// Task and metric.
    pub observer: &'a Observer<'a>,
    /// The configuration.
    pub config: &'a EngineConfig,
    /// Where all of them start.
    pub pretrained: &'a Candidate,
    /// The calibrated width.
    pub width: f64,
    /// Seed of batches and search directions.
    pub seed: u64,
    /// Hears of progress.
    pub progress: &'a Progress<'a>,
}

impl Baselines<'_> {
    /// Runs those that are switched on and make sense for the task, in the order of the table.
    ///
    /// # Errors
    ///
    /// Those of the task, the metric and the log, or that the user asked to stop.
    pub fn run_all(
        &self,
        kind: Kind,
        classes: Option<usize>,
        meter: &mut Meter<'_>,
        log: &mut dyn EventLog,
    ) -> Result<Alternatives> {
        let mut finished = Vec::new();
        let mut left_out = Vec::new();
        let mut loss_only_path = Vec::new();
        let observed = budget::fine_tuning(&self.config.finetune, 0);
        let along_loss = widths(self.width).len() as u64 * observed;
        if self.fits("loss-only", along_loss, &mut left_out) {
            meter.restart();
            let (loss_only, path) = self.follow_loss("loss-only", &[&[]], log)?;
            loss_only_path = path;
            finished.push(meter.finish("loss-only", &loss_only));
        }
        let thresholds = self.config.baselines.thresholds as u64;
        if kind == Kind::Classification
            && thresholds > 0
            && self.fits("threshold", thresholds + 1, &mut left_out)
        {
            meter.restart();
            match self.tune_threshold(meter)? {
                Some(tuned) => finished.push(tuned),
                None => left_out.push(LeftOut {
                    method: "threshold",
                    reason: "the scores are no binary probabilities".to_owned(),
                }),
            }
        }
        meter.restart();
        let weightings = self.weightings(kind, classes)?;
        let queries = weightings.len() as u64 * along_loss;
        if !weightings.is_empty() && self.fits("class-weighted", queries, &mut left_out) {
            let weightings: Vec<&[f32]> = weightings.iter().map(Vec::as_slice).collect();
            let (class_weighted, _) = self.follow_loss("class-weighted", &weightings, log)?;
            finished.push(meter.finish("class-weighted", &class_weighted));
        }
        let es = usual_search(&self.config.finetune);
        let queries = budget::fine_tuning(&self.config.finetune, budget::step(Some(&es), false));
        if self.config.baselines.es && self.fits("es", queries, &mut left_out) {
            meter.restart();
            let es = self.plain_search(log)?;
            finished.push(meter.finish("es", &es));
        }
        for LeftOut { method, reason } in &left_out {
            log.record(&Event::MethodLeftOut {
                method: (*method).to_owned(),
                reason: reason.clone(),
            })?;
        }
        Ok(Alternatives {
            finished,
            left_out,
            loss_only_path,
        })
    }

    /// Whether a method that may take so many queries fits in what is left; if not, it is noted.
    fn fits(&self, method: &'static str, queries: u64, left_out: &mut Vec<LeftOut>) -> bool {
        let fits = self.observer.affords(queries);
        if let (false, Some(left)) = (fits, self.observer.remaining()) {
            left_out.push(LeftOut {
                method,
                reason: format!("it may take {queries} queries, and {left} are left"),
            });
        }
        fits
    }

    /// Runs one method from the pre-trained network.
    pub(super) fn run(
        &self,
        method: &mut Method<'_>,
        finetune_config: &FinetuneConfig,
        width: f64,
        log: &mut dyn EventLog,
    ) -> Result<Outcome> {
        let setting = Setting {
            start: self.pretrained,
            candidates: std::slice::from_ref(self.pretrained),
            width,
            radius: f64::INFINITY,
            seed: self.seed,
            acceptance: None,
        };
        finetune(
            self.observer,
            finetune_config,
            method,
            &setting,
            self.progress,
            log,
        )
    }

    /// Loss-only runs with each weighting, at the calibrated and at the plain learning rate: the best of them all, so
    /// that the method is not compared with a badly tuned alternative. With the way of the best.
    pub(super) fn follow_loss(
        &self,
        name: &str,
        weightings: &[&[f32]],
        log: &mut dyn EventLog,
    ) -> Result<(Candidate, Vec<Vec<f32>>)> {
        let mut best = self.pretrained.clone();
        let mut best_path = Vec::new();
        for class_weights in weightings {
            for width in widths(self.width) {
                let mut method = Method {
                    class_weights,
                    ..Method::loss_only(name)
                };
                let outcome = self.run(&mut method, &self.config.finetune, width, log)?;
                let better = self
                    .observer
                    .direction
                    .is_better(outcome.best.validation, best.validation);
                // Even where no way leads to anything better, there is one to show.
                if better || best_path.is_empty() {
                    best_path = outcome.path;
                }
                if better {
                    best = outcome.best;
                }
            }
        }
        Ok((best, best_path))
    }

    /// The class weights to try, if the surrogate loss takes any.
    pub(super) fn weightings(&self, kind: Kind, classes: Option<usize>) -> Result<Vec<Vec<f32>>> {
        let factors = &self.config.baselines.class_weights;
        match classes {
            Some(2) => Ok(class_weights::of_two(factors)),
            Some(_) if kind == Kind::Classification && !factors.is_empty() => {
                let observer = self.observer;
                let predictions =
                    observer.classification(&self.pretrained.phi, Split::Validation)?;
                class_weights::of_several(factors, predictions.view())
            }
            _ => Ok(Vec::new()),
        }
    }

    /// Plain evolution strategies on the true metric, without loss and value function.
    pub(super) fn plain_search(&self, log: &mut dyn EventLog) -> Result<Candidate> {
        let es = EsConfig {
            alpha: 1.0,
            ..usual_search(&self.config.finetune)
        };
        let mut method = Method {
            loss: false,
            search: Some(&es),
            ..Method::loss_only("es")
        };
        Ok(self
            .run(&mut method, &self.config.finetune, self.width, log)?
            .best)
    }

    /// The threshold row, if the scores are binary probabilities.
    pub(super) fn tune_threshold(&self, meter: &Meter<'_>) -> Result<Option<Finished>> {
        let scores = self
            .observer
            .classification(&self.pretrained.phi, Split::Validation)?;
        if !scores.view().is_binary() || scores.view().probabilities().is_err() {
            return Ok(None);
        }
        let observer = self.observer;
        let tuned = threshold::tune(
            &observer.metric_on("the validation split"),
            observer.direction,
            &scores,
            self.config.baselines.thresholds,
            observer.pool,
            &observer.call,
        )?;
        observer.count(tuned.queries)?;
        Ok(Some(Finished {
            threshold: tuned.threshold,
            validation: tuned.value,
            ..meter.finish("threshold", self.pretrained)
        }))
    }
}

/// The factors on the learning rate that the loss is followed with: plain and calibrated.
pub(super) fn widths(width: f64) -> Vec<f64> {
    if width == 1.0 {
        vec![1.0]
    } else {
        vec![1.0, width]
    }
}

/// The search on the true metric. Where the method itself does not search, an alternative that does still gets its usual
/// population.
pub(super) fn usual_search(config: &FinetuneConfig) -> EsConfig {
    let es = &config.es;
    EsConfig {
        objective: EsObjective::Metric,
        pairs: match es.pairs {
            0 => EsConfig::default().pairs,
            pairs => pairs,
        },
        ..es.clone()
    }
}
