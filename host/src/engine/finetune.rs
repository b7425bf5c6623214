//! Meta-testing: one loop for every method, because methods differ only in the directions they follow.

use metricopt_sdk::{Batch, Part, Result, Split};

use super::budget;
use super::collect::check_gradient;
use super::config::{EsConfig, EsObjective, FinetuneConfig};
use super::events::{Event, EventLog, Progress, StopReason};
use super::guided_es::{GuidingSubspace, search_gradient};
use super::learned_optimizer::{LearnedOptimizer, Signals};
use super::mlp::Tape;
use super::observation::Observation;
use super::observe::Observer;
use super::optimizer::{Optimizer, cosine};
use super::random::{stream, stream_seed};
use super::stopping::Patience;
use super::update_rule::UpdateRule;
use super::value_function::{OnlineAdaptation, Scratch, TrainingSet, ValueFunction};
use super::vector::{Direction, add_scaled, norm, unit};

/// How fast the running mean of the loss gradient's norm forgets.
const NORM_DECAY: f64 = 0.9;

/// What a method follows.
pub struct Method<'a> {
    /// Its name in tables and events.
    pub name: &'a str,
    /// Whether the loss gradient is part of the step. Its length sets the scale of the other directions in any case.
    pub loss: bool,
    /// The rows the loss is computed on.
    pub split: Split,
    /// Class weights of the loss; empty for none.
    pub class_weights: &'a [f32],
    /// The value function, its training set and the weight of its direction, 0 to 1.
    pub value: Option<(ValueFunction, &'a TrainingSet, f64)>,
    /// The evolution strategy.
    pub search: Option<&'a EsConfig>,
    /// The rule of the learned optimizer; without one, the optimizer is the one of the configuration.
    pub rule: Option<&'a UpdateRule>,
}

impl<'a> Method<'a> {
    /// The plain surrogate loss on the training rows: what other methods differ from.
    pub fn loss_only(name: &'a str) -> Self {
        Self {
            name,
            loss: true,
            split: Split::Train,
            class_weights: &[],
            value: None,
            search: None,
            rule: None,
        }
    }
}

/// An adapter and its value on the whole validation split.
#[derive(Clone, Debug, PartialEq)]
pub struct Candidate {
    /// The adapter.
    pub phi: Vec<f32>,
    /// Natural metric value on the validation split.
    pub validation: f64,
}

/// Where a run may begin and what bounds it.
pub struct Setting<'a> {
    /// The first adapter.
    pub start: &'a Candidate,
    /// What the best of the path is compared with, `phi_0` first.
    pub candidates: &'a [Candidate],
    /// The calibrated width.
    pub width: f64,
    /// Largest `|phi|`; infinite for no bound.
    pub radius: f64,
    /// Seed of batches and search directions: the same for all methods, so that they are paired.
    pub seed: u64,
    /// The pre-trained network on the folds of the acceptance test, where one follows: a query is left for it.
    pub acceptance: Option<&'a Observation>,
}

/// What a run found.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    /// Best on validation among the candidates and the observed path, the earliest of equals.
    pub best: Candidate,
    /// The last point of the path.
    pub last: Candidate,
    /// The adapters that were observed on the way, the start first.
    pub path: Vec<Vec<f32>>,
    /// The best on the folds of the acceptance test, if it was put to it on the way.
    pub tested: Option<Observation>,
    /// Steps taken.
    pub steps: usize,
    /// Why it ended before its last step, if it did.
    pub stopped: Option<StopReason>,
}

/// Runs one method.
///
/// # Errors
///
/// Those of the task, the metric and the log, or that the user asked to stop.
pub fn finetune(
    observer: &Observer<'_>,
    config: &FinetuneConfig,
    method: &mut Method<'_>,
    setting: &Setting<'_>,
    progress: &Progress<'_>,
    log: &mut dyn EventLog,
) -> Result<Outcome> {
    let mut phi = setting.start.phi.clone();
    let mut last = setting.start.clone();
    let mut path = vec![phi.clone()];
    let mut best = best_of(observer, setting.candidates, setting.start);
    let mut optimizer = Optimizer::new(config.optimizer, config.momentum, phi.len());
    let mut learned = method
        .rule
        .map(|rule| (rule, LearnedOptimizer::new(phi.len())));
    let mut subspace = GuidingSubspace::new(method.search.map_or(0, |es| es.subspace));
    let mut search_rng = stream(setting.seed, "search directions", 0);
    let mut replay_rng = stream(setting.seed, "replay", 0);
    let mut scratch = Scratch::default();
    let mut adaptation = method.value.as_ref().map(|(function, set, _)| {
        OnlineAdaptation::new(
            function,
            set,
            config.adapt_learning_rate,
            config.adapt_steps,
            config.replay,
        )
    });
    let mut loss_norm = None;
    let mut patience = setting
        .acceptance
        .and_then(|pretrained| Patience::new(config, pretrained));
    let reserved = u64::from(setting.acceptance.is_some());
    let step_queries = budget::step(method.search, method.value.is_some());
    // Every step leaves room for the observation that may have to follow it.
    let affords = |more: u64| observer.affords(step_queries + 1 + more + reserved);
    let mut taken = 0;
    let mut stopped = (!affords(0)).then_some(StopReason::QueriesSpent);

    for step in 0..config.steps {
        if stopped.is_some() {
            break;
        }
        observer.call.check()?;
        progress(method.name, step as u64, config.steps as u64);

        let (loss, loss_gradient) = loss_gradient(observer, config, method, setting, &phi, step)?;
        let length = norm(&loss_gradient);
        let scale = usual_length(loss_norm, length);
        loss_norm = Some(scale);
        let value_gradient = method
            .value
            .as_ref()
            .map_or_else(Vec::new, |(function, _, _)| {
                function.gradient(&phi, &mut scratch)
            });
        let search_gradient = match method.search {
            Some(es) => {
                subspace.push(&loss_gradient);
                subspace.push(&value_gradient);
                let sigma = setting.width * es.sigma;
                search_gradient(es, sigma, &phi, &subspace, &mut search_rng, |candidates| {
                    objective(
                        observer,
                        es,
                        method.value.as_ref().map(|value| &value.0),
                        setting.seed,
                        step,
                        candidates,
                    )
                })?
            }
            None => Vec::new(),
        };

        let weight = method.value.as_ref().map_or(0.0, |(_, _, weight)| *weight);
        let direction = metric_direction(
            &[(&search_gradient, 1.0), (&value_gradient, weight)],
            phi.len(),
        );
        let gradient = combine(
            method.loss.then_some(loss_gradient.as_slice()),
            config.lambda * scale,
            &direction,
        );
        let rate = setting.width * config.peak_learning_rate() * cosine(step, config.steps);
        match &mut learned {
            Some((rule, learned)) => {
                let signals = Signals {
                    loss: &loss_gradient,
                    loss_norm: scale,
                    metric: &direction,
                    combined: &gradient,
                    progress: step as f64 / config.steps as f64,
                };
                learned.step(rule, &mut phi, &signals, rate, &[], &mut Vec::new());
            }
            None => optimizer.step(&mut phi, &gradient, rate),
        }
        keep_within(&mut phi, setting.radius);

        log.record(&Event::Step {
            method: method.name.to_owned(),
            step,
            loss,
            loss_gradient_norm: length,
            value_gradient_norm: norm(&value_gradient),
            search_gradient_norm: norm(&search_gradient),
            adapter_norm: norm(&phi),
            queries: observer.queries.get(),
        })?;
        let done = step + 1;
        taken = done;
        let is_due = done % config.observe_every == 0 || done == config.steps;
        if done < config.steps && !affords(u64::from(is_due)) {
            stopped = Some(StopReason::QueriesSpent);
        }
        if is_due || stopped.is_some() {
            let validation = observer.validation(&phi)?;
            path.push(phi.clone());
            last = Candidate {
                phi: phi.clone(),
                validation,
            };
            let improved = observer.direction.is_better(validation, best.validation);
            if improved {
                best = last.clone();
            }
            if let (Some((function, _, _)), Some(adaptation)) = (&mut method.value, &mut adaptation)
            {
                adaptation.observe(
                    function,
                    &phi,
                    observer.direction.sign() * validation,
                    &mut replay_rng,
                );
            }
            log.record(&Event::Observed {
                method: method.name.to_owned(),
                step: done,
                validation,
                queries: observer.queries.get(),
            })?;
            if let Some(patience) = &mut patience
                && done < config.steps
                && stopped.is_none()
            {
                stopped = patience.observed(observer, improved, &best.phi)?;
                if stopped.is_none() && !affords(0) {
                    stopped = Some(StopReason::QueriesSpent);
                }
            }
        }
    }
    if let Some(reason) = stopped {
        log.record(&Event::Stopped {
            method: method.name.to_owned(),
            step: taken,
            reason,
        })?;
    }
    Ok(Outcome {
        best,
        last,
        path,
        tested: patience.and_then(Patience::tested),
        steps: taken,
        stopped,
    })
}

/// Loss and loss gradient on the minibatch of this step.
fn loss_gradient(
    observer: &Observer<'_>,
    config: &FinetuneConfig,
    method: &Method<'_>,
    setting: &Setting<'_>,
    phi: &[f32],
    step: usize,
) -> Result<(f64, Vec<f32>)> {
    let batch = Batch {
        split: method.split,
        seed: stream_seed(setting.seed, "fine-tuning batches", 0),
        step: step as u64,
        size: config.batch_size,
        fraction: 1.0,
        class_weights: method.class_weights,
    };
    let (losses, gradient) = observer.gradients(&[phi], &[batch])?;
    check_gradient(&gradient, phi.len())?;
    Ok((losses.first().copied().unwrap_or_default(), gradient))
}

/// What the search minimises at each candidate: the signed metric on the rows of this step, or the value function.
fn objective(
    observer: &Observer<'_>,
    es: &EsConfig,
    function: Option<&ValueFunction>,
    seed: u64,
    step: usize,
    candidates: &[Vec<f32>],
) -> Result<Vec<f64>> {
    match (es.objective, function) {
        (EsObjective::ValueFunction, Some(function)) => {
            let mut tape = Tape::default();
            Ok(candidates
                .iter()
                .map(|phi| function.value(phi, &mut tape))
                .collect())
        }
        _ => {
            let part = Part::Sample {
                seed: stream_seed(seed, "search rows", step as u64),
                size: es.rows,
            };
            let sign = observer.direction.sign();
            let values = observer.query(candidates, part)?;
            Ok(values.into_iter().map(|value| sign * value).collect())
        }
    }
}

/// The usual length `n_L` of the loss gradient after another one: a running mean.
pub(super) fn usual_length(before: Option<f64>, length: f64) -> f64 {
    before.map_or(length, |mean| {
        NORM_DECAY * mean + (1.0 - NORM_DECAY) * length
    })
}

/// `u(sum_i c_i u(g_i))`: the directions of the metric, weighted and brought to one length.
///
/// Raw gradients of different origin are never summed: their scales have nothing to do with each other.
pub fn metric_direction(directions: &[(&[f32], f64)], dimensions: usize) -> Direction {
    let mut sum = vec![0.0; dimensions];
    for &(gradient, weight) in directions {
        if gradient.len() == dimensions {
            add_scaled(&mut sum, weight, &unit(gradient));
        }
    }
    // A single direction keeps its weight; several are renormalised, weighted among each other.
    let strength: f64 = directions
        .iter()
        .filter(|(gradient, _)| norm(gradient) > 0.0)
        .map(|&(_, weight)| weight)
        .fold(0.0, f64::max);
    Direction {
        unit: unit(&sum),
        strength,
    }
}

/// `G = g_L + lambda n_L d`, with the direction `d` of the metric brought to `lambda` times the usual length of the loss
/// gradient; `scale` is `lambda n_L`.
pub fn combine(loss: Option<&[f32]>, scale: f64, metric: &Direction) -> Vec<f32> {
    let mut combined = loss.map_or_else(|| vec![0.0; metric.unit.len()], <[f32]>::to_vec);
    add_scaled(&mut combined, scale * metric.strength, &metric.unit);
    combined
}

/// Pulls `phi` back to the ball that the trajectories visited: outside it the value function knows nothing.
pub(super) fn keep_within(phi: &mut [f32], radius: f64) {
    let length = norm(phi);
    if length > radius {
        phi.iter_mut()
            .for_each(|x| *x = (f64::from(*x) * radius / length) as f32);
    }
}

/// The best candidate on validation, the first of equals.
fn best_of(observer: &Observer<'_>, candidates: &[Candidate], fallback: &Candidate) -> Candidate {
    let mut best = candidates.first().unwrap_or(fallback);
    for candidate in candidates {
        if observer
            .direction
            .is_better(candidate.validation, best.validation)
        {
            best = candidate;
        }
    }
    best.clone()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directions_are_brought_to_one_length() {
        // u(gM) = (1, 0), u(gV) = (0, 1): their unit sum is (1, 1) / sqrt 2, times 2.
        let direction = metric_direction(&[(&[30.0, 0.0], 1.0), (&[0.0, 0.004], 1.0)], 2);
        let g = combine(Some(&[1.0, 0.0]), 2.0, &direction);
        let side = 2.0_f32.sqrt();
        assert!(
            (g[0] - 1.0 - side).abs() < 1e-6 && (g[1] - side).abs() < 1e-6,
            "{g:?}"
        );
    }

    #[test]
    fn without_directions_the_loss_gradient_stands_alone() {
        let nowhere = metric_direction(&[(&[], 1.0), (&[0.0, 0.0], 1.0)], 2);
        assert_eq!(combine(Some(&[1.0, 2.0]), 3.0, &nowhere), [1.0, 2.0]);
        let up = metric_direction(&[(&[0.0, 2.0], 1.0)], 2);
        assert_eq!(combine(None, 3.0, &up), [0.0, 3.0]);
    }

    #[test]
    fn a_distrusted_value_function_loses_weight() {
        let alone = metric_direction(&[(&[], 1.0), (&[0.0, 5.0], 0.25)], 2);
        assert_eq!(combine(None, 1.0, &alone), [0.0, 0.25]);
        // Beside the search it only turns the direction.
        let beside = metric_direction(&[(&[1.0, 0.0], 1.0), (&[0.0, 5.0], 0.0)], 2);
        assert_eq!(combine(None, 1.0, &beside), [1.0, 0.0]);
    }

    #[test]
    fn the_trust_region_is_a_ball() {
        let mut phi = [3.0, 4.0];
        keep_within(&mut phi, 2.5);
        assert_eq!(phi, [1.5, 2.0]);
        keep_within(&mut phi, 10.0);
        assert_eq!(phi, [1.5, 2.0]);
    }
}
