//! Threshold tuning: the simplest alternative, and on clean data often as good as any.

use metricopt_sdk::{Call, Direction, DynMetric, Error, OwnedClassification, Result};
use rayon::prelude::*;

/// Improvements below this are rounding, not tuning: a metric that only ranks must keep its threshold.
const MIN_IMPROVEMENT: f64 = 1e-4;

/// A tuned decision threshold for binary probabilities.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Threshold {
    /// Probability at and above which a sample counts as positive; 0.5 leaves the scores alone.
    pub threshold: f64,
    /// Natural metric value on the scores it was chosen on.
    pub value: f64,
    /// Metric evaluations it took.
    pub queries: u64,
}

/// Moves the scores so that `threshold` becomes 0.5: their log-odds are shifted, so their order stays.
///
/// # Errors
///
/// If a score comes out as no number.
pub fn apply(scores: &OwnedClassification, threshold: f64) -> Result<OwnedClassification> {
    let mut moved = scores.clone();
    if threshold != 0.5 {
        let odds = (1.0 - threshold) / threshold;
        moved.map_scores(|score| {
            let p = f64::from(score);
            // sigmoid(logit(p) - logit(t)) without logarithms; exact at 0 and 1.
            let shifted = p * odds / (p * odds + (1.0 - p));
            // Rounding must not carry a score across the threshold.
            let rounded = shifted as f32;
            if p >= threshold && rounded < 0.5 {
                0.5
            } else {
                rounded
            }
        })?;
    }
    Ok(moved)
}

/// Tries `count` thresholds, spread evenly over the scores, and keeps the best; 0.5 if none is better.
///
/// # Errors
///
/// Those of the metric.
pub fn tune(
    metric: &dyn DynMetric,
    direction: Direction,
    scores: &OwnedClassification,
    count: usize,
    pool: &rayon::ThreadPool,
    call: &Call<'_>,
) -> Result<Threshold> {
    let mut sorted = scores.view().scores().to_vec();
    sorted.sort_unstable_by(f32::total_cmp);
    let mut thresholds: Vec<f64> = (1..=count)
        .filter_map(|index| sorted.get(index * sorted.len() / (count + 1)))
        .map(|&score| f64::from(score))
        .filter(|threshold| *threshold > 0.0 && *threshold < 1.0)
        .collect();
    thresholds.dedup();
    let value =
        |threshold: f64| apply(scores, threshold)?.with_views(|views| metric.evaluate(views, call));
    let mut best = Threshold {
        threshold: 0.5,
        value: value(0.5)?,
        queries: thresholds.len() as u64 + 1,
    };
    let values: Result<Vec<f64>, Error> =
        pool.install(|| thresholds.par_iter().map(|&t| value(t)).collect());
    let start = best.value;
    for (threshold, value) in thresholds.into_iter().zip(values?) {
        let improves =
            direction.is_better(value, best.value) && (value - start).abs() > MIN_IMPROVEMENT;
        if improves {
            best = Threshold {
                threshold,
                value,
                ..best
            };
        }
    }
    Ok(best)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metric_spec::MetricSpec;
    use crate::registry::Registry;
    use metricopt_sdk::Classification;

    fn tuned(metric: &str, scores: &[f32], labels: &[i64]) -> Threshold {
        let registry = Registry::built_in().unwrap();
        let (entry, metric) = MetricSpec::parse(metric)
            .unwrap()
            .create(&registry)
            .unwrap();
        let scores = Classification::binary(scores, labels).unwrap().to_owned();
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(2)
            .build()
            .unwrap();
        let call = Call {
            threads: 2,
            cancelled: &|| false,
        };
        tune(metric.as_ref(), entry.direction, &scores, 50, &pool, &call).unwrap()
    }

    #[test]
    fn finds_the_threshold_that_separates() {
        // All scores lie below 0.5: as they are, nothing is decided positive.
        let scores = [0.05, 0.1, 0.15, 0.2, 0.3, 0.35, 0.4, 0.45];
        let labels = [0, 0, 0, 0, 1, 1, 1, 1];
        let found = tuned("f1", &scores, &labels);
        assert_eq!(found.value, 1.0);
        assert!(
            found.threshold > 0.2 && found.threshold <= f64::from(0.3_f32),
            "{found:?}"
        );
        assert_eq!(tuned("mcr", &scores, &labels).value, 0.0);
    }

    #[test]
    fn a_ranking_metric_keeps_its_threshold() {
        let scores = [0.9, 0.2, 0.6, 0.4, 0.3];
        let found = tuned("aucpr", &scores, &[1, 0, 0, 1, 0]);
        assert_eq!(found.threshold, 0.5);
    }

    #[test]
    fn the_threshold_itself_becomes_one_half_and_the_order_stays() {
        let scores = [0.0, 1e-6, 0.123, 0.3, 0.7, 0.999, 1.0];
        let before = Classification::binary(&scores, &[0; 7]).unwrap().to_owned();
        for threshold in [1e-6_f32, 0.123, 0.3, 0.7, 0.999] {
            let after = apply(&before, f64::from(threshold)).unwrap();
            let view = after.view();
            assert!(view.scores().is_sorted());
            for (&score, class) in scores.iter().zip(view.decisions().unwrap()) {
                assert_eq!(class == 1, score >= threshold, "{score} at {threshold}");
            }
        }
    }
}
