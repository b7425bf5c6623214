//! The acceptance test: keep the pre-trained network unless validation says clearly otherwise.

use metricopt_sdk::{Direction, Result};

use super::observation::Observation;
use super::observe::Observer;
use super::statistics::paired_t;

/// How the test came out.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Decision {
    /// Whether the tuned adapter is kept.
    pub accepted: bool,
    /// Paired t statistic over the folds; positive where the tuned adapter is better.
    pub t: f64,
    /// What it had to exceed.
    pub threshold: f64,
}

/// Compares fold by fold.
pub fn decide(
    pretrained: &Observation,
    tuned: &Observation,
    direction: Direction,
    threshold: f64,
) -> Decision {
    let gains: Vec<f64> = pretrained
        .folds
        .iter()
        .zip(&tuned.folds)
        .map(|(before, after)| direction.sign() * (before - after))
        .collect();
    let t = paired_t(&gains);
    Decision {
        accepted: t > threshold,
        t,
        threshold,
    }
}

/// Observes the tuned adapter on the folds of `pretrained` (one query), unless that was `tested` before, and decides.
///
/// # Errors
///
/// Those of the task and the metric.
pub fn accept(
    observer: &Observer<'_>,
    pretrained: &Observation,
    tuned: &[f32],
    tested: Option<&Observation>,
    threshold: f64,
) -> Result<Decision> {
    let observed = match tested {
        Some(tested) => vec![tested.clone()],
        None => observer.observe(&[tuned], pretrained.folds.len())?,
    };
    let tuned = observed.first().unwrap_or(pretrained);
    Ok(decide(pretrained, tuned, observer.direction, threshold))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn observation(folds: &[f64]) -> Observation {
        Observation {
            folds: folds.to_vec(),
        }
    }

    #[test]
    fn a_clear_gain_is_accepted_and_noise_is_not() {
        let before = observation(&[0.30, 0.32, 0.31, 0.33]);
        let better = observation(&[0.28, 0.31, 0.29, 0.32]);
        let noise = observation(&[0.27, 0.35, 0.30, 0.33]);
        // gains 0.02, 0.01, 0.02, 0.01: mean 0.015, deviation 0.00577, t = 5.196
        let decision = decide(&before, &better, Direction::Minimise, 1.83);
        assert!(
            decision.accepted && (decision.t - 27.0_f64.sqrt()).abs() < 1e-6,
            "{decision:?}"
        );
        assert!(!decide(&before, &noise, Direction::Minimise, 1.83).accepted);
        assert!(!decide(&before, &better, Direction::Maximise, 1.83).accepted);
    }

    #[test]
    fn no_difference_is_no_gain() {
        let same = observation(&[0.3, 0.3]);
        let decision = decide(&same, &same, Direction::Maximise, 0.0);
        assert!(!decision.accepted && decision.t == 0.0);
    }
}
