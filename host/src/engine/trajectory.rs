//! Trajectories: diversified loss-only runs with sparse observations of the metric.

use rand::RngExt;

use super::config::TrajectoryConfig;
use super::observation::Observation;
use super::random::stream;
use super::vector::norm;

/// How one trajectory differs from the others.
#[derive(Clone, Debug, PartialEq)]
pub struct TrajectorySettings {
    /// Learning rate of SGD, width applied.
    pub learning_rate: f64,
    /// Deviation of the random start, width applied; 0 at the pre-trained network.
    pub start_sd: f64,
    /// Weight of each class in the loss; empty for none.
    pub class_weights: Vec<f32>,
}

/// `K` trajectories of `T` steps.
#[derive(Clone, Debug, PartialEq)]
pub struct Trajectories {
    /// Length `D` of an adapter.
    pub dimensions: usize,
    /// Steps `T`; there are `T + 1` points.
    pub steps: usize,
    /// Adapters, row-major `[K, T + 1, D]`.
    pub points: Vec<f32>,
    /// Steps at which the metric was observed, ascending.
    pub observed: Vec<usize>,
    /// Observations, `[K]` of `[observed]`.
    pub observations: Vec<Vec<Observation>>,
    /// How each one ran.
    pub settings: Vec<TrajectorySettings>,
}

impl Trajectories {
    /// Number of trajectories `K`.
    pub fn count(&self) -> usize {
        self.settings.len()
    }

    /// The adapter of trajectory `k` at step `t`.
    pub fn point(&self, k: usize, t: usize) -> &[f32] {
        let at = (k * (self.steps + 1) + t) * self.dimensions;
        &self.points[at..at + self.dimensions]
    }

    /// The observed adapter with the best mean over folds: trajectory and step, the first of equals.
    pub fn best(&self, sign: f64) -> Option<(usize, usize)> {
        let mut best: Option<(f64, (usize, usize))> = None;
        for (k, observations) in self.observations.iter().enumerate() {
            for (&t, observation) in self.observed.iter().zip(observations) {
                let signed = sign * observation.mean();
                if best.is_none_or(|(incumbent, _)| signed < incumbent) {
                    best = Some((signed, (k, t)));
                }
            }
        }
        best.map(|(_, at)| at)
    }

    /// Largest `|phi|` visited.
    pub fn radius(&self) -> f64 {
        self.points
            .chunks_exact(self.dimensions.max(1))
            .map(norm)
            .fold(0.0, f64::max)
    }
}

/// Draws how each trajectory differs: learning rate, class weights, random start.
///
/// Plain-loss runs from one start carry little signal for metrics of decisions; that is why they are made different.
pub fn diversify(
    config: &TrajectoryConfig,
    width: f64,
    classes: Option<usize>,
    seed: u64,
) -> Vec<TrajectorySettings> {
    (0..config.count)
        .map(|k| {
            let mut rng = stream(seed, "trajectory settings", k as u64);
            let mut log_uniform =
                |[low, high]: [f64; 2]| (rng.random_range(low.ln()..=high.ln())).exp();
            let learning_rate = width * log_uniform(config.learning_rates);
            let class_weights = match classes {
                _ if config.class_weights == [1.0, 1.0] => Vec::new(),
                None => Vec::new(),
                // Only the ratio counts, so a binary task draws the weight of its positive class alone.
                Some(2) => vec![1.0, log_uniform(config.class_weights) as f32],
                Some(classes) => (0..classes)
                    .map(|_| log_uniform(config.class_weights) as f32)
                    .collect(),
            };
            let start_sd = if k % 2 == 1 && config.start_sd > 0.0 {
                width * rng.random_range(0.0..=config.start_sd)
            } else {
                0.0
            };
            TrajectorySettings {
                learning_rate,
                start_sd,
                class_weights,
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_best_point_follows_the_sign() {
        let observation = |value| Observation { folds: vec![value] };
        let trajectories = Trajectories {
            dimensions: 1,
            steps: 1,
            points: vec![0.0; 4],
            observed: vec![0, 1],
            observations: vec![
                vec![observation(0.1), observation(0.2)],
                vec![observation(0.3), observation(0.4)],
            ],
            settings: diversify(&TrajectoryConfig::default(), 1.0, None, 1)[..2].to_vec(),
        };
        assert_eq!(trajectories.best(-1.0), Some((1, 1)));
        assert_eq!(trajectories.best(1.0), Some((0, 0)));
    }

    #[test]
    fn settings_stay_in_their_ranges_and_differ() {
        let config = TrajectoryConfig::default();
        let settings = diversify(&config, 0.5, Some(2), 1);
        assert_eq!(settings.len(), 24);
        for (k, one) in settings.iter().enumerate() {
            assert!((0.0015..=0.05).contains(&one.learning_rate));
            assert!(one.class_weights[0] == 1.0 && (0.25..=4.0).contains(&one.class_weights[1]));
            assert!(if k % 2 == 0 {
                one.start_sd == 0.0
            } else {
                one.start_sd <= 0.05
            });
        }
        assert_ne!(settings[0], settings[2]);
        assert_eq!(settings, diversify(&config, 0.5, Some(2), 1));
        assert!(diversify(&config, 1.0, None, 1)[0].class_weights.is_empty());
    }
}
