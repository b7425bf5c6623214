//! The table: every method on the test split, with intervals.

use metricopt_sdk::{DynMetric, Kind, OwnedClassification, Result, Split};

use super::bootstrap::{self, OnImages, Resample};
use super::config::EngineConfig;
use super::detections::Detections;
use super::events::{Event, EventLog, Progress};
use super::meter::Finished;
use super::observe::Observer;
use super::random::stream_seed;
use super::threshold;

/// One row of the table.
#[derive(Clone, Debug, PartialEq)]
pub struct MethodResult {
    /// `pretrained`, `loss-only`, `threshold`, `class-weighted`, `es` or `metricopt`.
    pub name: &'static str,
    /// Natural metric value on the validation split.
    pub validation: f64,
    /// Natural metric value on the test split.
    pub test: f64,
    /// `test` minus that of the pre-trained network.
    pub difference: f64,
    /// 95 % interval of the difference; `None` where the predictions cannot be resampled.
    pub interval: Option<[f64; 2]>,
    /// Metric queries it took, those of the trajectories included where it uses them.
    pub queries: u64,
    /// Wall-clock seconds, those of the trajectories included where it uses them.
    pub seconds: f64,
}

/// Measures every method on the test split, which nothing selected on, with paired bootstrap intervals where the
/// predictions can be resampled.
///
/// # Errors
///
/// Those of the task, the metric and the log, or that the user asked to stop.
pub fn table(
    observer: &Observer<'_>,
    kind: Kind,
    config: &EngineConfig,
    seed: u64,
    finished: Vec<Finished>,
    progress: &Progress<'_>,
    log: &mut dyn EventLog,
) -> Result<Vec<MethodResult>> {
    progress("test", 0, 1);
    let mut values = Vec::with_capacity(finished.len());
    let mut intervals = None;
    if kind == Kind::Classification {
        let predictions: Result<Vec<OwnedClassification>> = finished
            .iter()
            .map(|method| {
                threshold::apply(
                    &observer.classification(&method.phi, Split::Test)?,
                    method.threshold,
                )
            })
            .collect();
        let predictions = predictions?;
        let metric = observer.metric_on("the test split");
        for scores in &predictions {
            values.push(scores.with_views(|views| metric.evaluate(views, &observer.call))?);
        }
        intervals = differences(observer, &predictions, config, seed)?;
    } else if kind == Kind::Detection {
        let mut boxes = Vec::with_capacity(finished.len());
        for method in &finished {
            let (value, found) = observer.test_detections(&method.phi)?;
            values.push(value);
            boxes.push(found);
        }
        let images = Detections::images(&boxes);
        let on_images = boxes.iter().map(|boxes| OnImages {
            boxes,
            images: &images,
        });
        intervals = differences(observer, &Vec::from_iter(on_images), config, seed)?;
    } else {
        for method in &finished {
            values.push(observer.test(&method.phi)?);
        }
    }
    progress("test", 1, 1);
    let reference = values.first().copied().unwrap_or_default();
    let mut methods = Vec::with_capacity(finished.len());
    for (index, (method, test)) in finished.into_iter().zip(values).enumerate() {
        log.record(&Event::Finished {
            method: method.name.to_owned(),
            validation: method.validation,
            test,
            queries: method.queries,
        })?;
        methods.push(MethodResult {
            name: method.name,
            validation: method.validation,
            test,
            difference: test - reference,
            interval: intervals.as_ref().map(|intervals| intervals[index]),
            queries: method.queries,
            seconds: method.seconds,
        });
    }
    Ok(methods)
}

/// Intervals of all models, the first of which is the pre-trained network.
fn differences<R: Resample>(
    observer: &Observer<'_>,
    models: &[R],
    config: &EngineConfig,
    seed: u64,
) -> Result<Option<Vec<[f64; 2]>>> {
    let Some((reference, others)) = models.split_first() else {
        return Ok(None);
    };
    let intervals = bootstrap::intervals(
        &observer.metric_on("a bootstrap sample of the test split"),
        reference,
        others,
        config.report.bootstrap,
        stream_seed(seed, "intervals", 0),
        observer.pool,
        &observer.call,
    )?;
    // The pre-trained network differs from itself by nothing.
    Ok(intervals.map(|mut intervals| {
        intervals.insert(0, [0.0, 0.0]);
        intervals
    }))
}
