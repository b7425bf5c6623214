//! How the learned optimizer is meta-trained: a population of practice runs, in which the value function stands in for
//! the metric.
//!
//! Practice runs are runs of fine-tuning in small: they start at points of the trajectories, follow the same signals at
//! the same learning rates and stay in the same trust region. They are cut into short unrolls; after each, the objective
//! along it is followed back to the weights of the update rule, with the signals taken as constants (truncated
//! backpropagation through time as in Andrychowicz et al. 2016, section 2.1). Memories go on from unroll to unroll, so that
//! late steps are practised in the state that they will meet. No metric is queried.

use metricopt_sdk::Result;
use rayon::prelude::*;

use super::config::FinetuneConfig;
use super::finetune::{combine, keep_within, metric_direction, usual_length};
use super::gru::HIDDEN;
use super::learned_optimizer::{LearnedOptimizer, Signals};
use super::optimizer::{Adam, cosine};
use super::random::{Stream, stream};
use super::update_rule::{Felt, UpdateRule};
use super::vector::norm;

/// Most coordinates of an adapter that are followed back; each has a say in the same weights, so that a sample does.
const MAX_WATCHED: usize = 256;

/// Surrogate loss and value function at an adapter.
#[derive(Clone, Debug)]
pub struct Slope {
    /// The loss on a minibatch.
    pub loss: f64,
    /// Its gradient `[D]`.
    pub loss_gradient: Vec<f32>,
    /// Predicted signed, standardised metric.
    pub value: f64,
    /// Its gradient `[D]`.
    pub value_gradient: Vec<f32>,
}

/// Tells the slopes at the adapters of a population, on the minibatches of the given number.
pub type Terrain<'a> = dyn FnMut(&[&[f32]], u64) -> Result<Vec<Slope>> + 'a;

/// What practice has in common with the runs it is for.
#[derive(Clone, Copy)]
pub struct Practice<'a> {
    /// Steps, `lambda`, and the settings of the meta-training.
    pub config: &'a FinetuneConfig,
    /// Weight of the value gradient, 0 to 1.
    pub trust: f64,
    /// Peak learning rate, width applied.
    pub learning_rate: f64,
    /// Largest `|phi|`; infinite for no bound.
    pub radius: f64,
    /// Threads for the population.
    pub pool: &'a rayon::ThreadPool,
    /// Seed of starts and first weights.
    pub seed: u64,
}

/// An update rule, and how it came about.
#[derive(Clone, Debug, PartialEq)]
pub struct Learnt {
    /// The update rule.
    pub rule: UpdateRule,
    /// Mean change of the objective along the unrolls of each iteration; lower is better.
    pub changes: Vec<f64>,
}

/// Meta-trains an update rule. `start` draws an adapter to begin at, for a member of the population.
///
/// # Errors
///
/// Those of the terrain and of `progress`, which hears the number of finished iterations.
pub fn train(
    practice: Practice<'_>,
    start: &mut dyn FnMut(usize, &mut Stream) -> Vec<f32>,
    terrain: &mut Terrain<'_>,
    progress: &mut dyn FnMut(usize) -> Result<()>,
) -> Result<Learnt> {
    let config = &practice.config.learned;
    let mut rule = UpdateRule::untrained(&mut stream(practice.seed, "update rule", 0));
    let mut adam = Adam::new(rule.weights().len(), 0.9, 0.999);
    let mut population = Population::new(practice, start, terrain)?;
    let mut changes = Vec::with_capacity(config.iterations);
    for iteration in 0..config.iterations {
        let (change, gradient) = population.unroll(&rule, start, terrain)?;
        let rate = config.learning_rate * cosine(iteration, config.iterations);
        adam.step(rule.weights_mut(), &gradient, rate);
        changes.push(change);
        progress(iteration + 1)?;
    }
    Ok(Learnt { rule, changes })
}

/// What practice lowers: `J = (L / n_L + lambda c f / n_V) / (1 + lambda)`, whose gradient has the direction of the
/// combined gradient where the gradients have their usual lengths `n`. The loss keeps runs from going where only the value
/// function, which has seen nothing there, sees a gain.
#[derive(Clone, Copy, Debug)]
struct Objective {
    by_loss: f64,
    by_value: f64,
}

impl Objective {
    fn new(slopes: &[Slope], lambda: f64, trust: f64) -> Self {
        let usual = |gradient: fn(&Slope) -> &[f32]| {
            let sum: f64 = slopes.iter().map(|slope| norm(gradient(slope))).sum();
            sum / slopes.len().max(1) as f64
        };
        let share = |weight: f64, length: f64| {
            if length > 0.0 {
                weight / (length * (1.0 + lambda))
            } else {
                0.0
            }
        };
        Self {
            by_loss: share(1.0, usual(|slope| &slope.loss_gradient)),
            by_value: share(lambda * trust, usual(|slope| &slope.value_gradient)),
        }
    }

    fn at(&self, slope: &Slope) -> f64 {
        self.by_loss * slope.loss + self.by_value * slope.value
    }

    fn slope(&self, slope: &Slope, coordinate: usize) -> f32 {
        let loss = f64::from(slope.loss_gradient[coordinate]);
        let value = f64::from(slope.value_gradient[coordinate]);
        (self.by_loss * loss + self.by_value * value) as f32
    }
}

/// Practice runs side by side.
struct Population<'a> {
    practice: Practice<'a>,
    objective: Objective,
    rng: Stream,
    runs: Vec<Run>,
    /// Number of the next minibatches.
    batch: u64,
}

/// One practice run.
struct Run {
    phi: Vec<f32>,
    optimizer: LearnedOptimizer,
    loss_norm: Option<f64>,
    step: usize,
    /// Coordinates that are followed back in this unroll, ascending.
    watched: Vec<usize>,
    /// For each step of this unroll what the watched cells felt.
    felt: Vec<Felt>,
    /// For each step of this unroll its learning rate, and the slope of the objective after it at the watched coordinates.
    rates: Vec<f64>,
    slopes: Vec<f32>,
}

impl Run {
    fn new(phi: Vec<f32>, step: usize) -> Self {
        Self {
            optimizer: LearnedOptimizer::new(phi.len()),
            phi,
            loss_norm: None,
            step,
            watched: Vec::new(),
            felt: Vec::new(),
            rates: Vec::new(),
            slopes: Vec::new(),
        }
    }

    /// Begins an unroll.
    fn begin(&mut self, rng: &mut Stream) {
        self.felt.clear();
        self.rates.clear();
        self.slopes.clear();
        let dimensions = self.phi.len();
        self.watched = if dimensions <= MAX_WATCHED {
            (0..dimensions).collect()
        } else {
            let mut some = rand::seq::index::sample(rng, dimensions, MAX_WATCHED).into_vec();
            some.sort_unstable();
            some
        };
    }

    /// One step, as fine-tuning takes it.
    fn step(&mut self, rule: &UpdateRule, slope: &Slope, practice: &Practice<'_>) {
        let config = practice.config;
        let scale = usual_length(self.loss_norm, norm(&slope.loss_gradient));
        self.loss_norm = Some(scale);
        let direction =
            metric_direction(&[(&slope.value_gradient, practice.trust)], self.phi.len());
        let combined = combine(
            Some(&slope.loss_gradient),
            config.lambda * scale,
            &direction,
        );
        let rate = practice.learning_rate * cosine(self.step.min(config.steps), config.steps);
        let signals = Signals {
            loss: &slope.loss_gradient,
            loss_norm: scale,
            metric: &direction,
            combined: &combined,
            progress: self.step as f64 / config.steps as f64,
        };
        let Self {
            optimizer,
            phi,
            watched,
            felt,
            ..
        } = self;
        optimizer.step(rule, phi, &signals, rate, watched, felt);
        keep_within(phi, practice.radius);
        self.rates.push(rate);
        self.step += 1;
    }

    /// Gradient of the objective, summed over the points of the unroll, with respect to the weights. An update moves all
    /// points after it.
    fn follow_back(&self, rule: &UpdateRule) -> Vec<f32> {
        let mut gradient = vec![0.0; rule.weights().len()];
        let n = self.watched.len();
        for i in 0..n {
            let mut d_memory = [0.0; HIDDEN];
            let mut later = 0.0;
            for (t, &rate) in self.rates.iter().enumerate().rev() {
                later += self.slopes[t * n + i];
                let d_update = -(rate as f32) * later;
                d_memory = rule.backward(&self.felt[t * n + i], &d_memory, d_update, &mut gradient);
            }
        }
        gradient
    }
}

impl<'a> Population<'a> {
    fn new(
        practice: Practice<'a>,
        start: &mut dyn FnMut(usize, &mut Stream) -> Vec<f32>,
        terrain: &mut Terrain<'_>,
    ) -> Result<Self> {
        let config = practice.config;
        let mut rng = stream(practice.seed, "practice runs", 0);
        let count = config.learned.population;
        // Each begins at another stage, so that every unroll practises all of them.
        let runs: Vec<Run> = (0..count)
            .map(|member| Run::new(start(member, &mut rng), member * config.steps / count))
            .collect();
        let mut population = Self {
            practice,
            objective: Objective::new(&[], config.lambda, practice.trust),
            rng,
            runs,
            batch: 0,
        };
        let slopes = population.slopes(terrain)?;
        population.objective = Objective::new(&slopes, config.lambda, practice.trust);
        Ok(population)
    }

    fn slopes(&mut self, terrain: &mut Terrain<'_>) -> Result<Vec<Slope>> {
        let phis: Vec<&[f32]> = self.runs.iter().map(|run| run.phi.as_slice()).collect();
        let slopes = terrain(&phis, self.batch)?;
        self.batch += 1;
        Ok(slopes)
    }

    /// One unroll of all runs: the mean change of the objective along it, and its gradient with respect to the weights.
    fn unroll(
        &mut self,
        rule: &UpdateRule,
        start: &mut dyn FnMut(usize, &mut Stream) -> Vec<f32>,
        terrain: &mut Terrain<'_>,
    ) -> Result<(f64, Vec<f32>)> {
        let practice = self.practice;
        let config = practice.config;
        for (member, run) in self.runs.iter_mut().enumerate() {
            if run.step >= config.steps {
                *run = Run::new(start(member, &mut self.rng), 0);
            }
            run.begin(&mut self.rng);
        }
        let objective = self.objective;
        let mut slopes = self.slopes(terrain)?;
        let before: f64 = slopes.iter().map(|slope| objective.at(slope)).sum();
        let mut along = 0.0;
        for _ in 0..config.learned.unroll {
            let runs = &mut self.runs;
            practice.pool.install(|| {
                runs.par_iter_mut()
                    .zip(&slopes)
                    .for_each(|(run, slope)| run.step(rule, slope, &practice));
            });
            slopes = self.slopes(terrain)?;
            for (run, slope) in self.runs.iter_mut().zip(&slopes) {
                along += objective.at(slope);
                let here = run.watched.iter().map(|&i| objective.slope(slope, i));
                run.slopes.extend(here);
            }
        }
        let runs = &self.runs;
        let gradients: Vec<Vec<f32>> = practice
            .pool
            .install(|| runs.par_iter().map(|run| run.follow_back(rule)).collect());
        let mut sum = vec![0.0; rule.weights().len()];
        for gradient in &gradients {
            super::vector::add_scaled(&mut sum, 1.0, gradient);
        }
        let population = self.runs.len() as f64;
        let change = along / (population * config.learned.unroll as f64) - before / population;
        Ok((change, sum))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::config::LearnedConfig;
    use crate::engine::random::normals;

    const DIMENSIONS: usize = 12;

    fn pool(threads: usize) -> rayon::ThreadPool {
        rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .build()
            .unwrap()
    }

    fn config(learned: LearnedConfig) -> FinetuneConfig {
        FinetuneConfig {
            steps: 40,
            learned,
            ..FinetuneConfig::default()
        }
    }

    fn practice<'a>(
        config: &'a FinetuneConfig,
        pool: &'a rayon::ThreadPool,
        seed: u64,
    ) -> Practice<'a> {
        Practice {
            config,
            trust: 1.0,
            learning_rate: 0.01,
            radius: f64::INFINITY,
            pool,
            seed,
        }
    }

    fn near_zero(_: usize, rng: &mut Stream) -> Vec<f32> {
        normals(rng, DIMENSIONS, 0.3)
    }

    /// Two bowls: the loss is least at 1 in every coordinate and comes with noise, the value function at -1.
    fn bowls(phis: &[&[f32]], number: u64) -> Result<Vec<Slope>> {
        let mut rng = stream(9, "noise", number);
        let bowl = |phi: &[f32], centre: f32| {
            let gradient: Vec<f32> = phi.iter().map(|x| x - centre).collect();
            (norm(&gradient).powi(2) / 2.0, gradient)
        };
        let slopes = phis.iter().map(|phi| {
            let ((loss, mut loss_gradient), (value, value_gradient)) =
                (bowl(phi, 1.0), bowl(phi, -1.0));
            let noise = normals(&mut rng, DIMENSIONS, 0.3);
            loss_gradient
                .iter_mut()
                .zip(noise)
                .for_each(|(g, e)| *g += e);
            Slope {
                loss,
                loss_gradient,
                value,
                value_gradient,
            }
        });
        Ok(slopes.collect())
    }

    fn learn(threads: usize) -> Learnt {
        let (config, pool) = (config(LearnedConfig::default()), pool(threads));
        let practice = practice(&config, &pool, 1);
        train(practice, &mut near_zero, &mut bowls, &mut |_| Ok(())).unwrap()
    }

    /// Mean change of the objective along unrolls from starts that training has not seen.
    fn held_out(rule: &UpdateRule) -> f64 {
        let (config, pool) = (config(LearnedConfig::default()), pool(1));
        let practice = practice(&config, &pool, 77);
        let mut population = Population::new(practice, &mut near_zero, &mut bowls).unwrap();
        let changes = (0..12).map(|_| {
            let unrolled = population.unroll(rule, &mut near_zero, &mut bowls);
            unrolled.unwrap().0
        });
        changes.sum::<f64>() / 12.0
    }

    #[test]
    fn what_was_learnt_descends_faster_on_held_out_runs() {
        let untrained = held_out(&UpdateRule::untrained(&mut stream(1, "update rule", 0)));
        let trained = held_out(&learn(2).rule);
        // Doing nothing changes nothing; Adam descends; what was learnt descends clearly faster.
        assert!(untrained < 0.0, "{untrained}");
        assert!(trained < 1.3 * untrained, "{trained} against {untrained}");
    }

    #[test]
    fn threads_change_no_bit() {
        assert_eq!(learn(1), learn(3));
    }

    #[test]
    fn a_run_that_is_stopped_ends() {
        let (config, pool) = (config(LearnedConfig::default()), pool(1));
        let mut heard = 0;
        let stopped = train(
            practice(&config, &pool, 1),
            &mut near_zero,
            &mut bowls,
            &mut |iteration| {
                heard = iteration;
                if iteration < 3 {
                    Ok(())
                } else {
                    Err(metricopt_sdk::Error::cancelled())
                }
            },
        );
        assert!(stopped.is_err() && heard == 3);
    }

    /// On a plane, where the signals are constant indeed, the gradient is that of the objective itself.
    #[test]
    fn the_gradient_agrees_with_finite_differences() {
        let plane = |phis: &[&[f32]], _: u64| {
            let slope = |phi: &&[f32]| {
                let along = |gradient: &[f32]| super::super::vector::dot(phi, gradient);
                let loss_gradient: Vec<f32> = (0..DIMENSIONS).map(|i| i as f32 - 4.0).collect();
                let value_gradient: Vec<f32> = (0..DIMENSIONS).map(|i| (i % 3) as f32).collect();
                Slope {
                    loss: along(&loss_gradient),
                    loss_gradient,
                    value: along(&value_gradient),
                    value_gradient,
                }
            };
            Ok(phis.iter().map(slope).collect())
        };
        let learned = LearnedConfig {
            population: 2,
            unroll: 4,
            ..LearnedConfig::default()
        };
        let (config, pool) = (config(learned), pool(1));
        let practice = Practice {
            learning_rate: 1.0,
            ..practice(&config, &pool, 5)
        };
        let weights = normals(&mut stream(6, "test", 0), UpdateRule::SHAPE[0], 0.3);
        let unroll = |weights: Vec<f32>| {
            let rule = UpdateRule::from_weights(weights).unwrap();
            let (mut start, mut terrain) = (near_zero, plane);
            let mut population = Population::new(practice, &mut start, &mut terrain).unwrap();
            population.unroll(&rule, &mut start, &mut terrain).unwrap()
        };
        let (_, gradient) = unroll(weights.clone());
        let epsilon = 1e-2;
        for (i, &analytic) in gradient.iter().enumerate() {
            let shifted = |by: f32| {
                let mut weights = weights.clone();
                weights[i] += by;
                unroll(weights).0
            };
            // The change is a mean over 2 runs of 4 steps, the gradient a sum.
            let numeric = 8.0 * (shifted(epsilon) - shifted(-epsilon)) / f64::from(2.0 * epsilon);
            let error = (numeric - f64::from(analytic)).abs();
            assert!(
                error < 5e-3 * (1.0 + numeric.abs()),
                "{i}: {numeric} {analytic}"
            );
        }
    }
}
