//! Many methods at one seed: the same network, splits, folds, minibatches and search directions for all of them.

use metricopt_sdk::{Kind, Result, Split};
use serde::{Deserialize, Serialize};

use super::acceptance::accept;
use super::baselines::{Baselines, usual_search};
use super::calibrate::calibrate;
use super::config::{EngineConfig, FinetuneConfig};
use super::contender::Contender;
use super::events::Progress;
use super::finetune::{Candidate, Method, Outcome};
use super::footing::Footing;
use super::groundwork::Groundwork;
use super::history::{History, Observed};
use super::meter::{Cost, Meter};
use super::observation::Observation;
use super::observe::Observer;
use super::on_test::OnTest;
use super::random::stream_seed;

/// What one method reached at one seed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// The method.
    pub method: Contender,
    /// Natural metric value on the validation split.
    pub validation: f64,
    /// Natural metric value on the test split.
    pub test: f64,
    /// 95 % interval of `test` minus that of the reference at this seed, by the paired bootstrap over rows, queries or images of
    /// the test split. None where predictions cannot be drawn again, without samples, and in files of hosts that did not
    /// compute it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub difference_interval: Option<[f64; 2]>,
    /// Metric queries that it would have taken alone. The one of the pre-trained network is in its own row.
    pub queries: u64,
    /// Wall-clock seconds that it would have taken alone.
    pub seconds: f64,
    /// What validation chose: a threshold, an optimizer with its learning rate.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub chosen: Option<String>,
    /// The tuned adapter before the acceptance test, where there is one, and whether it passed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub acceptance: Option<Acceptance>,
    /// The validation metric along the steps, of the best pass where there are several; empty without steps, and in files of
    /// hosts that did not keep it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub history: Vec<Observed>,
}

/// The acceptance test of one method.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Acceptance {
    /// Whether the tuned adapter was kept.
    pub accepted: bool,
    /// Natural metric value of the tuned adapter on the validation split.
    pub tuned_validation: f64,
    /// Natural metric value of the tuned adapter on the test split.
    pub tuned_test: f64,
}

/// A method, or part of one, that a seed goes without.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Note {
    /// The method.
    pub method: Contender,
    /// Why.
    pub reason: String,
}

/// All methods at one seed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SeedResult {
    /// The seed.
    pub seed: u64,
    /// The calibrated width.
    pub width: f64,
    /// Rank correlation of the value function on held-out trajectories, if there is one.
    pub rank_correlation: Option<f64>,
    /// What was reached, in the order of the table.
    pub entries: Vec<Entry>,
    /// Methods that do not apply here.
    pub left_out: Vec<Note>,
    /// Points of the grids that failed.
    pub failed_points: Vec<Note>,
}

/// One seed of a comparison.
pub struct Contest<'a> {
    /// Task and metric.
    pub observer: &'a Observer<'a>,
    /// What the task yields.
    pub kind: Kind,
    /// The configuration.
    pub config: &'a EngineConfig,
    /// Seed of everything random.
    pub seed: u64,
    /// Gives seconds.
    pub clock: &'a dyn Fn() -> f64,
    /// Hears of progress.
    pub progress: &'a Progress<'a>,
}

/// A result before it is measured on the test split.
struct Found {
    kept: Candidate,
    threshold: f64,
    chosen: Option<String>,
    /// The tuned adapter and whether it was kept, where that was tested.
    tested: Option<(Candidate, bool)>,
}

impl From<Candidate> for Found {
    fn from(kept: Candidate) -> Self {
        Self {
            kept,
            threshold: 0.5,
            chosen: None,
            tested: None,
        }
    }
}

/// What several methods use, computed once, with what each of them has to pay for it.
struct Shared {
    pretrained: Candidate,
    pretrained_cost: Cost,
    width: f64,
    width_cost: Cost,
    /// Observation of the pre-trained network for the acceptance test.
    folds: Option<Observation>,
    folds_cost: Cost,
    groundwork: Option<Groundwork>,
}

impl Contest<'_> {
    /// Runs the methods.
    ///
    /// # Errors
    ///
    /// Those of the task and the metric, or that the user asked to stop.
    pub fn run(&self, methods: &[Contender]) -> Result<SeedResult> {
        let shared = self.share(methods)?;
        let mut failed_points = Vec::new();
        let mut entries = Vec::with_capacity(methods.len());
        let mut left_out = Vec::new();
        let mut on_test = OnTest::new(self.observer, self.kind);
        for &method in methods {
            self.observer.call.check()?;
            let meter = Meter::start(self.observer, self.clock);
            let mut history = History::default();
            let found = match self.one(method, &shared, &mut failed_points, &mut history)? {
                Ok(found) => found,
                Err(reason) => {
                    left_out.push(Note {
                        method,
                        reason: reason.to_owned(),
                    });
                    continue;
                }
            };
            let mut cost = meter.cost();
            cost += shared.cost(method);
            entries.push(Entry {
                history: history.best(self.observer.direction),
                ..self.measure(method, found, cost, &mut on_test)?
            });
        }
        self.compare_on_test(on_test, &mut entries)?;
        let trained = shared.groundwork.as_ref().and_then(|g| g.trained.as_ref());
        Ok(SeedResult {
            seed: self.seed,
            width: shared.width,
            rank_correlation: trained.and_then(|t| t.agreement).map(|a| a.rank),
            entries,
            left_out,
            failed_points,
        })
    }

    fn share(&self, methods: &[Contender]) -> Result<Shared> {
        let (observer, config) = (self.observer, self.config);
        let mut meter = Meter::start(observer, self.clock);
        let phi_0 = vec![0.0; observer.task.describe().dimensions()];
        let pretrained = Candidate {
            validation: observer.validation(&phi_0)?,
            phi: phi_0,
        };
        let pretrained_cost = meter.lap();
        let any = |needs: fn(Contender) -> bool| methods.iter().any(|&method| needs(method));
        // First of all, as in a run: if the metric has no value on one of the folds, no time is lost.
        let folds = if any(Contender::is_accepted) {
            let mut seen = observer.observe(&[&pretrained.phi], config.finetune.accept_folds)?;
            Some(seen.swap_remove(0))
        } else {
            None
        };
        let folds_cost = meter.lap();
        let calibration = calibrate(
            observer,
            &config.calibration,
            &config.trajectories,
            self.seed,
        )?;
        let width = calibration.width;
        let width_cost = meter.lap();
        let groundwork = if any(Contender::needs_trajectories) {
            Some(Groundwork::lay(
                observer,
                config,
                &Footing {
                    pretrained: &pretrained,
                    folds: folds.as_ref(),
                    calibration: &calibration,
                },
                self.seed,
                self.clock,
                self.progress,
                &mut (),
            )?)
        } else {
            None
        };
        Ok(Shared {
            pretrained,
            pretrained_cost,
            width,
            width_cost,
            folds,
            folds_cost,
            groundwork,
        })
    }

    /// What a method finds, or why it does not apply.
    fn one(
        &self,
        method: Contender,
        shared: &Shared,
        failed_points: &mut Vec<Note>,
        history: &mut History,
    ) -> Result<std::result::Result<Found, &'static str>> {
        let config = &self.config.finetune;
        let baselines = Baselines {
            observer: self.observer,
            config: self.config,
            pretrained: &shared.pretrained,
            width: shared.width,
            seed: self.seed,
            progress: self.progress,
        };
        let found = match method {
            Contender::Pretrained => shared.pretrained.clone().into(),
            Contender::Threshold => {
                if self.kind != Kind::Classification {
                    return Ok(Err("the task is no classification"));
                }
                if self.config.baselines.thresholds == 0 {
                    return Ok(Err("`baselines.thresholds` is 0"));
                }
                let meter = Meter::start(self.observer, self.clock);
                match baselines.tune_threshold(&meter)? {
                    None => return Ok(Err("the scores are no binary probabilities")),
                    Some(tuned) => Found {
                        kept: Candidate {
                            phi: tuned.phi,
                            validation: tuned.validation,
                        },
                        threshold: tuned.threshold,
                        chosen: Some(format!("threshold {:.4}", tuned.threshold)),
                        tested: None,
                    },
                }
            }
            Contender::LossOnly | Contender::LossOnValidation => {
                let split = match method {
                    Contender::LossOnValidation => Split::Validation,
                    _ => Split::Train,
                };
                let tuned = baselines.tune_loss(method.name(), split, history)?;
                let notes = tuned.failed.into_iter();
                failed_points.extend(notes.map(|reason| Note { method, reason }));
                Found {
                    chosen: Some(match tuned.point {
                        Some(point) => point.to_string(),
                        None => "pretrained".to_owned(),
                    }),
                    ..tuned.best.into()
                }
            }
            Contender::ClassWeighted => {
                let weightings =
                    baselines.weightings(self.kind, self.observer.task.describe().classes)?;
                if weightings.is_empty() {
                    return Ok(Err(
                        "the loss takes no class weights, no class is harder than another, or `baselines.class_weights` is empty",
                    ));
                }
                let weightings: Vec<&[f32]> = weightings.iter().map(Vec::as_slice).collect();
                let (best, _) = baselines.follow_loss(method.name(), &weightings, history)?;
                best.into()
            }
            Contender::Es => baselines.plain_search(history)?.into(),
            Contender::GuidedEs => {
                let es = usual_search(config);
                let mut guided = Method {
                    search: Some(&es),
                    ..Method::loss_only(method.name())
                };
                let guided = baselines.run(&mut guided, config, shared.width, history)?;
                self.accepted(guided, shared)?
            }
            Contender::BestTrajectory => {
                let candidates = shared.groundwork.iter().flat_map(|g| &g.candidates);
                let mut best = &shared.pretrained;
                for candidate in candidates {
                    let direction = self.observer.direction;
                    if direction.is_better(candidate.validation, best.validation) {
                        best = candidate;
                    }
                }
                best.clone().into()
            }
            Contender::ValueFunction
            | Contender::MetricoptSgd
            | Contender::MetricoptAdam
            | Contender::MetricoptLearned => {
                let Some(groundwork) = &shared.groundwork else {
                    return Ok(Err("there are no trajectories"));
                };
                let searches = method != Contender::ValueFunction && config.es.pairs > 0;
                let outcome = groundwork.tune(
                    self.observer,
                    method.name(),
                    &with_optimizer(config, method),
                    searches.then_some(&config.es),
                    shared.folds.as_ref(),
                    self.progress,
                    history,
                )?;
                self.accepted(outcome, shared)?
            }
        };
        Ok(Ok(found))
    }

    /// The acceptance test, as in a run.
    fn accepted(&self, outcome: Outcome, shared: &Shared) -> Result<Found> {
        let Outcome { best, tested, .. } = outcome;
        let Some(folds) = &shared.folds else {
            return Ok(best.into());
        };
        let threshold = self.config.finetune.accept_t;
        let decision = accept(self.observer, folds, &best.phi, tested.as_ref(), threshold)?;
        let kept = if decision.accepted {
            &best
        } else {
            &shared.pretrained
        };
        Ok(Found {
            tested: Some((best.clone(), decision.accepted)),
            ..kept.clone().into()
        })
    }

    /// Values on the test split, which nothing selected on.
    fn measure(
        &self,
        method: Contender,
        found: Found,
        cost: Cost,
        on_test: &mut OnTest<'_>,
    ) -> Result<Entry> {
        let Found {
            kept,
            threshold,
            chosen,
            tested,
        } = found;
        let test = on_test.add(&kept.phi, threshold)?;
        let acceptance = match tested {
            None => None,
            Some((tuned, accepted)) => {
                let tuned_test = if accepted {
                    test
                } else {
                    self.observer.test(&tuned.phi)?
                };
                Some(Acceptance {
                    accepted,
                    tuned_validation: tuned.validation,
                    tuned_test,
                })
            }
        };
        Ok(Entry {
            method,
            validation: kept.validation,
            test,
            difference_interval: None,
            queries: cost.queries,
            seconds: cost.seconds,
            chosen,
            acceptance,
            history: Vec::new(),
        })
    }

    /// Intervals of the differences to the reference, on the same samples of the test split for all methods.
    fn compare_on_test(&self, on_test: OnTest<'_>, entries: &mut [Entry]) -> Result<()> {
        let mut methods = entries.iter();
        let Some(reference) = methods.position(|entry| entry.method == Contender::REFERENCE) else {
            return Ok(());
        };
        let stream = stream_seed(self.seed, "intervals", 0);
        let samples = self.config.report.bootstrap;
        let intervals = on_test.intervals(reference, samples, stream)?;
        for (entry, interval) in entries.iter_mut().zip(intervals.into_iter().flatten()) {
            entry.difference_interval =
                Some(interval).filter(|_| entry.method != Contender::REFERENCE);
        }
        Ok(())
    }
}

impl Shared {
    /// What a method would have paid for what it did not compute itself.
    fn cost(&self, method: Contender) -> Cost {
        let mut cost = Cost::default();
        if method == Contender::Pretrained {
            cost += self.pretrained_cost;
        }
        if method.needs_width() {
            cost += self.width_cost;
        }
        if method.is_accepted() {
            cost += self.folds_cost;
        }
        if let Some(groundwork) = self
            .groundwork
            .as_ref()
            .filter(|_| method.needs_trajectories())
        {
            cost += groundwork.trajectories_cost;
            if method != Contender::BestTrajectory {
                cost += groundwork.value_cost;
            }
        }
        cost
    }
}

/// The configuration with the optimizer of a method. A learning rate is meant for the optimizer it was given with: another
/// one takes its usual rate.
fn with_optimizer(config: &FinetuneConfig, method: Contender) -> FinetuneConfig {
    let optimizer = method.metricopt_optimizer().unwrap_or(config.optimizer);
    FinetuneConfig {
        optimizer,
        learning_rate: config
            .learning_rate
            .filter(|_| optimizer == config.optimizer),
        ..config.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::config::OptimizerKind;

    #[test]
    fn a_learning_rate_stays_with_its_optimizer() {
        let config = FinetuneConfig {
            optimizer: OptimizerKind::Sgd,
            learning_rate: Some(0.2),
            ..FinetuneConfig::default()
        };
        let rate = |method| with_optimizer(&config, method).peak_learning_rate();
        assert_eq!(rate(Contender::MetricoptSgd), 0.2);
        assert_eq!(rate(Contender::MetricoptAdam), 0.003);
        assert_eq!(rate(Contender::ValueFunction), 0.2);
    }
}
