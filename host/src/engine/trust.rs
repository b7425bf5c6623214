//! How far a value function can be trusted: its rank correlation on trajectories it has not seen.

use metricopt_sdk::{Call, Result};
use rayon::prelude::*;

use super::config::EngineConfig;
use super::events::Progress;
use super::interpolation::Interpolation;
use super::mlp::Tape;
use super::statistics::{correlation, rank_correlation};
use super::trajectory::Trajectories;
use super::value_function::{TrainingSet, ValueFunction, train};

/// Agreement of predictions and observations on held-out trajectories.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Agreement {
    /// Spearman's rank correlation.
    pub rank: f64,
    /// Pearson's correlation.
    pub linear: f64,
}

/// A value function with the grounds to trust it.
#[derive(Clone, Debug)]
pub struct Trained {
    /// The value function, trained on all trajectories.
    pub function: ValueFunction,
    /// What it was trained on.
    pub set: TrainingSet,
    /// Agreement on held-out trajectories; `None` if it was not measured.
    pub agreement: Option<Agreement>,
    /// Weight of its direction: 1 from the least correlation asked for, falling in proportion to 0.
    pub weight: f64,
}

/// Trains on all trajectories, and measures by cross-validation: every trajectory is predicted by a value function
/// that was trained without it.
///
/// `None` if the trajectories hold nothing to learn. The folds are trained side by side; `progress` hears finished and
/// total iterations.
///
/// # Errors
///
/// That the user asked to stop.
pub fn train_and_measure(
    call: &Call<'_>,
    pool: &rayon::ThreadPool,
    config: &EngineConfig,
    trajectories: &Trajectories,
    interpolation: &Interpolation,
    seed: u64,
    progress: &Progress<'_>,
) -> Result<Option<Trained>> {
    let (value, meta) = (&config.value_function, &config.meta_training);
    let folds = if value.folds > 1 {
        value.folds.min(trajectories.count())
    } else {
        0
    };
    let total = ((folds + 1) * meta.iterations) as u64;
    progress("value function", 0, total);
    let fit = |chosen: &[usize], heard: &mut dyn FnMut(usize)| {
        train(
            value,
            meta,
            trajectories,
            interpolation,
            chosen,
            seed,
            |iteration| {
                heard(iteration);
                call.check()
            },
        )
    };
    let fold_of = |k: usize| k * folds / trajectories.count();
    let mut held_out = Vec::new();
    let all_folds: Vec<usize> = (0..folds).collect();
    // As many folds at a time as there are threads, so that progress is heard in between.
    for side_by_side in all_folds.chunks(call.threads.max(1)) {
        let one = |&fold: &usize| {
            let (test, training): (Vec<usize>, Vec<usize>) =
                (0..trajectories.count()).partition(|&k| fold_of(k) == fold);
            let fitted = fit(&training, &mut |_| ())?;
            Ok(fitted.map_or_else(Vec::new, |(function, _)| {
                predict(&function, trajectories, interpolation, &test)
            }))
        };
        let predicted: Result<Vec<Vec<(f64, f64)>>> =
            pool.install(|| side_by_side.par_iter().map(one).collect());
        held_out.extend(predicted?.into_iter().flatten());
        let finished = side_by_side.last().map_or(0, |fold| fold + 1);
        progress("value function", (finished * meta.iterations) as u64, total);
    }
    let (predicted, observed): (Vec<f64>, Vec<f64>) = held_out.into_iter().unzip();
    let agreement = (!predicted.is_empty()).then(|| Agreement {
        rank: rank_correlation(&predicted, &observed),
        linear: correlation(&predicted, &observed),
    });

    let everything: Vec<usize> = (0..trajectories.count()).collect();
    let base = (folds * meta.iterations) as u64;
    let fitted = fit(&everything, &mut |iteration| {
        progress("value function", base + iteration as u64, total)
    })?;
    Ok(fitted.map(|(function, set)| Trained {
        function,
        set,
        agreement,
        weight: agreement.map_or(1.0, |agreement| {
            weight(agreement.rank, value.min_correlation)
        }),
    }))
}

fn weight(rank: f64, least: f64) -> f64 {
    if least <= 0.0 {
        1.0
    } else {
        (rank / least).clamp(0.0, 1.0)
    }
}

/// Predicted and interpolated metric at the observed steps of the given trajectories, standardised.
fn predict(
    function: &ValueFunction,
    trajectories: &Trajectories,
    interpolation: &Interpolation,
    chosen: &[usize],
) -> Vec<(f64, f64)> {
    let mut tape = Tape::default();
    let mut pairs = Vec::with_capacity(chosen.len() * trajectories.observed.len());
    for &k in chosen {
        for t in 0..=trajectories.steps {
            pairs.push((
                function.value(trajectories.point(k, t), &mut tape),
                interpolation.at(k, t).0,
            ));
        }
    }
    pairs
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_weight_falls_in_proportion() {
        assert_eq!(weight(0.93, 0.8), 1.0);
        assert_eq!(weight(0.4, 0.8), 0.5);
        assert_eq!(weight(-0.5, 0.8), 0.0);
        assert_eq!(weight(-0.5, 0.0), 1.0);
    }
}
