//! How far a value function can be trusted: its rank correlation on trajectories it has not seen.

use metricopt_sdk::Result;

use super::config::EngineConfig;
use super::mlp::Tape;
use super::statistics::{correlation, rank_correlation};
use super::trajectory::{Interpolation, Trajectories};
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
pub struct Trained {
    /// The value function, trained on all trajectories.
    pub function: ValueFunction,
    /// What it was trained on.
    pub set: TrainingSet,
    /// Agreement on held-out trajectories of one trained without them; `None` if none were held out.
    pub agreement: Option<Agreement>,
    /// Weight of its direction: 1 from the least correlation asked for, falling in proportion to 0.
    pub weight: f64,
}

/// Trains on all trajectories but the last few, measures on those, and trains again on all.
///
/// `None` if the trajectories hold nothing to learn.
///
/// # Errors
///
/// Those of `progress`, which hears finished and total iterations.
pub fn train_and_measure(
    config: &EngineConfig,
    trajectories: &Trajectories,
    interpolation: &Interpolation,
    sign: f64,
    seed: u64,
    progress: &dyn Fn(u64, u64) -> Result<()>,
) -> Result<Option<Trained>> {
    let (value, meta) = (&config.value_function, &config.meta_training);
    let count = trajectories.count();
    let kept = count.saturating_sub(value.holdout);
    let everything: Vec<usize> = (0..count).collect();
    let iterations = meta.iterations as u64;
    let rounds = if value.holdout > 0 { 2 } else { 1 };
    let fit = |chosen: &[usize], round: u64| {
        train(value, meta, trajectories, interpolation, chosen, seed, |iteration| {
            progress(round * iterations + iteration as u64, rounds * iterations)
        })
    };
    let agreement = if value.holdout > 0 {
        let Some((function, _)) = fit(&everything[..kept], 0)? else {
            return Ok(None);
        };
        Some(measure(&function, trajectories, &everything[kept..], sign))
    } else {
        None
    };
    let Some((function, set)) = fit(&everything, rounds - 1)? else {
        return Ok(None);
    };
    let weight = agreement.map_or(1.0, |agreement| weight(agreement.rank, value.min_correlation));
    Ok(Some(Trained {
        function,
        set,
        agreement,
        weight,
    }))
}

fn weight(rank: f64, least: f64) -> f64 {
    if least <= 0.0 { 1.0 } else { (rank / least).clamp(0.0, 1.0) }
}

/// Agreement over the observed points of the given trajectories.
fn measure(function: &ValueFunction, trajectories: &Trajectories, chosen: &[usize], sign: f64) -> Agreement {
    let mut tape = Tape::default();
    let (mut predicted, mut observed) = (Vec::new(), Vec::new());
    for &k in chosen {
        for (&t, observation) in trajectories.observed.iter().zip(&trajectories.observations[k]) {
            predicted.push(function.value(trajectories.point(k, t), &mut tape));
            observed.push(sign * observation.mean());
        }
    }
    Agreement {
        rank: rank_correlation(&predicted, &observed),
        linear: correlation(&predicted, &observed),
    }
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
