//! How fast the network and the metric are here: one step of each kind, timed.
//!
//! With the passes of [`cost`](super::cost) this says about how long a run takes. Adapters lie close to the pre-trained
//! network, each another one, so that nothing is answered from what a task keeps.

use metricopt_sdk::{Batch, Part, Result, Rows, Split};
use serde::Serialize;

use super::amounts::{Passes, Work};
use super::baselines::usual_search;
use super::config::EngineConfig;
use super::observe::Observer;
use super::predictions;
use super::random::{normals, stream, stream_seed};

/// Deviation of the adapters.
const SPREAD: f64 = 1e-3;

/// What took less than these seconds the first time is timed again: the first time pays for starting up.
const SHORT: f64 = 0.5;

/// Seconds for each unit that goes through the network, and the size of predictions.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Rates {
    /// Forward with the metric, one adapter on the whole validation split.
    pub forward_alone: f64,
    /// Forward with the metric, the population of a search step.
    pub forward_together: f64,
    /// Forward and back, one adapter.
    pub gradient_alone: f64,
    /// Forward and back, one step of all trajectories.
    pub gradient_together: f64,
    /// Bytes that the predictions of one more adapter take on all observation folds.
    pub prediction_bytes: usize,
}

impl Rates {
    /// Times one step of each kind; counts no query. `clock` gives seconds.
    ///
    /// # Errors
    ///
    /// Those of the task and the metric, or that there was a wish to stop.
    pub fn measure(
        observer: &Observer<'_>,
        config: &EngineConfig,
        seed: u64,
        clock: &dyn Fn() -> f64,
    ) -> Result<Self> {
        let units = observer.task.describe().units(Split::Validation);
        let search = usual_search(&config.finetune);
        let population = 2 * search.pairs;
        let adapters = Adapters {
            dimensions: observer.task.describe().dimensions(),
            seed,
        };
        let prediction_bytes = growth(observer, config.observation.folds, &adapters)?;
        let gradients = |count: usize, size: usize, round: u64| {
            let batches: Vec<Batch<'_>> = (0..count as u64)
                .map(|k| Batch {
                    split: Split::Train,
                    seed: stream_seed(seed, "probe batches", k),
                    step: round,
                    size,
                    fraction: 1.0,
                    class_weights: &[],
                })
                .collect();
            observer.gradients(&adapters.draw(count, round), &batches)
        };
        let time = |work: usize, once: &dyn Fn(u64) -> Result<()>| -> Result<f64> {
            let mut seconds = f64::INFINITY;
            for round in 1..=2 {
                observer.call.check()?;
                let started = clock();
                once(round)?;
                seconds = seconds.min(clock() - started);
                if seconds > SHORT {
                    break;
                }
            }
            Ok(seconds / work.max(1) as f64)
        };
        let show = |count: usize, part: Part, round: u64| {
            observer
                .show(&adapters.draw(count, round), part)
                .map(|_| ())
        };
        let batch = config.finetune.batch_size;
        let trajectories = &config.trajectories;
        let sample = |round| Part::Sample {
            seed: stream_seed(seed, "probe rows", round),
            size: search.rows,
        };
        Ok(Self {
            gradient_alone: time(batch, &|round| gradients(1, batch, round).map(|_| ()))?,
            gradient_together: time(trajectories.count * trajectories.batch_size, &|round| {
                gradients(trajectories.count, trajectories.batch_size, round).map(|_| ())
            })?,
            forward_alone: time(units, &|round| show(1, Part::All, round))?,
            forward_together: time(population * search.rows.min(units), &|round| {
                show(population, sample(round), round)
            })?,
            prediction_bytes,
        })
    }

    /// Seconds for so many passes.
    pub fn seconds(&self, passes: &Passes) -> f64 {
        let seconds = |work: Work, rate: f64| work.units as f64 * rate;
        seconds(passes.forward_alone, self.forward_alone)
            + seconds(passes.forward_together, self.forward_together)
            + seconds(passes.gradient_alone, self.gradient_alone)
            + seconds(passes.gradient_together, self.gradient_together)
    }
}

/// Where adapters come from.
struct Adapters {
    dimensions: usize,
    seed: u64,
}

impl Adapters {
    /// So many adapters, other ones in each round.
    fn draw(&self, count: usize, round: u64) -> Vec<Vec<f32>> {
        let mut rng = stream(self.seed, "probe", round);
        (0..count)
            .map(|_| normals(&mut rng, self.dimensions, SPREAD))
            .collect()
    }
}

/// By how many bytes kept predictions grow with an adapter: those of its tensors that are not the same for all adapters.
/// The first fold stands for all.
fn growth(observer: &Observer<'_>, folds: usize, adapters: &Adapters) -> Result<usize> {
    let rows = Rows {
        split: Split::Validation,
        part: Part::Fold {
            index: 0,
            count: folds,
        },
    };
    let mut found = Vec::new();
    observer.predict(&adapters.draw(2, 0), &rows, &mut |_, views| {
        found.extend(
            views
                .iter()
                .filter_map(|views| predictions::copy(views).ok()),
        );
        Ok(())
    })?;
    let [first, second] = found.as_slice() else {
        return Ok(0);
    };
    let own = first.iter().zip(second).filter(|(a, b)| a != b);
    Ok(folds * own.map(|(_, tensor)| tensor.numbers.bytes()).sum::<usize>())
}
