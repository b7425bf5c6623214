//! Paired bootstrap over test rows: how sure a difference between two models is.

use metricopt_sdk::{Call, DynMetric, ErrorKind, OwnedClassification, Result};
use rand::RngExt;
use rayon::prelude::*;

use super::random::stream;
use super::statistics::quantile;

/// Redraws allowed when the metric has no value on a sample, for instance because it holds one class only.
const MAX_REDRAWS: u64 = 20;

/// Percentile interval (Efron and Tibshirani 1993, chapter 13) at 95 % of `metric(model) - metric(reference)` for each
/// model, in the metric's natural sense. All models and the reference see the same bootstrap samples.
///
/// Samples on which the metric has no value are drawn again; `None` if there are too many of them.
///
/// # Errors
///
/// Other errors of the metric, or that the user asked to stop.
pub fn intervals(
    metric: &dyn DynMetric,
    reference: &OwnedClassification,
    models: &[&OwnedClassification],
    samples: usize,
    seed: u64,
    pool: &rayon::ThreadPool,
    call: &Call<'_>,
) -> Result<Option<Vec<[f64; 2]>>> {
    let n = reference.view().len();
    let one = |sample: u64| -> Result<Option<Vec<f64>>> {
        call.check()?;
        for redraw in 0..MAX_REDRAWS {
            let mut rng = stream(seed, "bootstrap", sample * MAX_REDRAWS + redraw);
            let rows: Vec<u32> = (0..n).map(|_| rng.random_range(0..n as u32)).collect();
            let value = |model: &OwnedClassification| {
                model
                    .view()
                    .select(&rows)
                    .with_views(|views| metric.evaluate(views))
            };
            let differences: Result<Vec<f64>> = value(reference).and_then(|base| {
                models
                    .iter()
                    .map(|model| Ok(value(model)? - base))
                    .collect()
            });
            match differences {
                Ok(differences) => return Ok(Some(differences)),
                Err(error) if error.kind() == ErrorKind::Undefined => {}
                Err(error) => return Err(error),
            }
        }
        Ok(None)
    };
    if n == 0 || samples == 0 {
        return Ok(None);
    }
    let drawn: Result<Option<Vec<Vec<f64>>>> =
        pool.install(|| (0..samples as u64).into_par_iter().map(one).collect());
    let Some(drawn) = drawn? else {
        return Ok(None);
    };
    Ok(Some(
        (0..models.len())
            .map(|model| {
                let mut differences: Vec<f64> = drawn.iter().map(|sample| sample[model]).collect();
                differences.sort_unstable_by(f64::total_cmp);
                [quantile(&differences, 0.025), quantile(&differences, 0.975)]
            })
            .collect(),
    ))
}
