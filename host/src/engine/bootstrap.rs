//! Paired bootstrap over test rows, or images: how sure a difference between two models is.

use metricopt_sdk::{Call, DynMetric, ErrorKind, OwnedClassification, Result, Views};
use rand::RngExt;
use rayon::prelude::*;

use super::detections::Detections;
use super::random::stream;
use super::statistics::quantile;

/// Redraws allowed when the metric has no value on a sample, for instance because it holds one class only.
const MAX_REDRAWS: u64 = 20;

/// Predictions of which a sample can be drawn.
pub trait Resample: Sync {
    /// Number of units to draw from.
    fn units(&self) -> usize;

    /// The metric's value on the units of these places, as often as they stand there.
    ///
    /// # Errors
    ///
    /// Those of the metric.
    fn measure(&self, units: &[u32], metric: &dyn Fn(&Views<'_>) -> Result<f64>) -> Result<f64>;
}

impl Resample for OwnedClassification {
    fn units(&self) -> usize {
        self.view().len()
    }

    fn measure(&self, units: &[u32], metric: &dyn Fn(&Views<'_>) -> Result<f64>) -> Result<f64> {
        self.view().select(units).with_views(metric)
    }
}

/// The boxes of one model on images that are the same for all models.
pub struct OnImages<'a> {
    /// The boxes.
    pub boxes: &'a Detections,
    /// The images to draw from.
    pub images: &'a [i64],
}

impl Resample for OnImages<'_> {
    fn units(&self) -> usize {
        self.images.len()
    }

    fn measure(&self, units: &[u32], metric: &dyn Fn(&Views<'_>) -> Result<f64>) -> Result<f64> {
        let images = units.iter().map(|&unit| self.images[unit as usize]);
        self.boxes.with_images(images, metric)
    }
}

/// Percentile interval (Efron and Tibshirani 1993, chapter 13) at 95 % of `metric(model) - metric(reference)` for each
/// model, in the metric's natural sense. All models and the reference see the same bootstrap samples.
///
/// Samples on which the metric has no value are drawn again; `None` if there are too many of them.
///
/// # Errors
///
/// Other errors of the metric, or that the user asked to stop.
pub fn intervals<R: Resample>(
    metric: &dyn DynMetric,
    reference: &R,
    models: &[R],
    samples: usize,
    seed: u64,
    pool: &rayon::ThreadPool,
    call: &Call<'_>,
) -> Result<Option<Vec<[f64; 2]>>> {
    let n = reference.units();
    let one = |sample: u64| -> Result<Option<Vec<f64>>> {
        call.check()?;
        for redraw in 0..MAX_REDRAWS {
            let mut rng = stream(seed, "bootstrap", sample * MAX_REDRAWS + redraw);
            let rows: Vec<u32> = (0..n).map(|_| rng.random_range(0..n as u32)).collect();
            let value = |model: &R| model.measure(&rows, &|views| metric.evaluate(views, call));
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metric_spec::MetricSpec;
    use crate::registry::Registry;
    use metricopt_sdk::{Classification, Detection};

    const CALL: Call<'static> = Call {
        threads: 2,
        cancelled: &|| false,
    };

    fn run(
        metric: &str,
        reference: &[f32],
        model: &[f32],
        labels: &[i64],
        threads: usize,
    ) -> Option<Vec<[f64; 2]>> {
        let registry = Registry::built_in().unwrap();
        let (_, metric) = MetricSpec::parse(metric)
            .unwrap()
            .create(&registry)
            .unwrap();
        let owned = |scores| Classification::binary(scores, labels).unwrap().to_owned();
        let (reference, model) = (owned(reference), owned(model));
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .build()
            .unwrap();
        intervals(
            metric.as_ref(),
            &reference,
            &[reference.clone(), model],
            2000,
            1,
            &pool,
            &CALL,
        )
        .unwrap()
    }

    /// The model errs on 10 of 100 rows where the reference errs on 30, always the same ones: the difference of one row
    /// is 0 or -1 with mean -0.2 and deviation 0.4, so the interval is about -0.2 +- 1.96 * 0.04.
    #[test]
    fn the_interval_is_that_of_the_paired_differences() {
        let labels = [1; 100];
        let wrong = |count: usize| -> Vec<f32> {
            (0..100)
                .map(|row| if row < count { 0.1 } else { 0.9 })
                .collect()
        };
        let found = run("mcr", &wrong(30), &wrong(10), &labels, 2).unwrap();
        assert_eq!(found[0], [0.0, 0.0]);
        let [low, high] = found[1];
        assert!(
            (low + 0.2784).abs() < 0.015 && (high + 0.1216).abs() < 0.015,
            "{low} {high}"
        );
        assert_eq!(
            run("mcr", &wrong(30), &wrong(10), &labels, 1).unwrap(),
            found
        );
    }

    #[test]
    fn samples_without_a_value_are_drawn_again() {
        // A third of the samples of five rows with one positive hold none: average precision has no value there.
        let found = run(
            "aucpr",
            &[0.1, 0.2, 0.3, 0.4, 0.35],
            &[0.1, 0.2, 0.3, 0.4, 0.5],
            &[0, 0, 0, 0, 1],
            2,
        );
        let [low, high] = found.unwrap()[1];
        assert!(low >= 0.0 && high <= 1.0, "{low} {high}");
        // Without any positive there is no interval at all.
        assert_eq!(run("aucpr", &[0.1, 0.2], &[0.1, 0.2], &[0, 0], 2), None);
    }

    /// On three images of four the model finds the object and the reference does not; average precision of one class is the
    /// share of objects found, as nothing is found in vain. The difference of one image is 1 with probability 3/4, so that the
    /// mean of a hundred images has a deviation of 0.0433.
    #[test]
    fn images_are_drawn_with_all_their_boxes() {
        let registry = Registry::built_in().unwrap();
        let metric = "voc-map:interpolation=all-point";
        let (_, metric) = MetricSpec::parse(metric)
            .unwrap()
            .create(&registry)
            .unwrap();
        let ids: Vec<i64> = (0..100).map(|image| 7 * image).collect();
        let truth = vec![[1.0, 1.0, 20.0, 20.0]; 100];
        let detections = |found: &[i64]| {
            Detections::of(Detection {
                boxes: &truth[..found.len()],
                scores: &vec![0.5; found.len()],
                labels: &vec![0; found.len()],
                image_ids: found,
                gt_boxes: &truth,
                gt_labels: &[0; 100],
                gt_image_ids: &ids,
                gt_difficult: &[0; 100],
            })
        };
        let of_four = |least: i64| -> Vec<i64> {
            let kept = (0..100).filter(|image| image % 4 >= least);
            kept.map(|image| 7 * image).collect()
        };
        let models = [detections(&[]), detections(&of_four(1))];
        let images = Detections::images(&models);
        assert_eq!(images, ids);
        let models = models.each_ref().map(|boxes| OnImages {
            boxes,
            images: &images,
        });
        let pool = rayon::ThreadPoolBuilder::new().num_threads(2).build();
        let found = intervals(
            metric.as_ref(),
            &models[0],
            &models[1..],
            2000,
            1,
            &pool.unwrap(),
            &CALL,
        );
        let [low, high] = found.unwrap().unwrap()[0];
        assert!(
            (low - 0.665).abs() < 0.015 && (high - 0.835).abs() < 0.015,
            "{low} {high}"
        );
    }
}
