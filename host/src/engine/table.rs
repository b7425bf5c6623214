//! The table: every method on the test split, with intervals.

use metricopt_sdk::{DynMetric, Kind, Result, Split};

use super::bootstrap::{self, Boxes, Queries, Units, images_of};
use super::config::EngineConfig;
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

/// What was found on the test split.
struct Measured {
    /// Natural metric value of each method.
    values: Vec<f64>,
    /// What samples of its predictions are drawn from; none of predictions that cannot be drawn again.
    units: Vec<Box<dyn Units>>,
}

/// Evaluates the methods on the test split.
fn measure(observer: &Observer<'_>, kind: Kind, finished: &[Finished]) -> Result<Measured> {
    let metric = observer.metric_on("the test split");
    let mut values = Vec::with_capacity(finished.len());
    let mut units: Vec<Box<dyn Units>> = Vec::with_capacity(finished.len());
    match kind {
        Kind::Classification => {
            for method in finished {
                let scores = observer.classification(&method.phi, Split::Test)?;
                let scores = threshold::apply(&scores, method.threshold)?;
                values.push(scores.with_views(|views| metric.evaluate(views, &observer.call))?);
                units.push(Box::new(scores));
            }
        }
        Kind::Retrieval => {
            for method in finished {
                observer.on_test(&method.phi, &mut |views| {
                    values.push(metric.evaluate(views, &observer.call)?);
                    units.push(Box::new(Queries::new(views, &metric, &observer.call)?));
                    Ok(())
                })?;
            }
        }
        Kind::Detection => {
            let mut boxes = Vec::with_capacity(finished.len());
            for method in finished {
                observer.on_test(&method.phi, &mut |views| {
                    values.push(metric.evaluate(views, &observer.call)?);
                    boxes.push(Boxes::new(views)?);
                    Ok(())
                })?;
            }
            let images = images_of(&boxes);
            for boxes in boxes {
                units.push(Box::new(boxes.on(&images)));
            }
        }
        _ => {
            for method in finished {
                values.push(observer.test(&method.phi)?);
            }
        }
    }
    Ok(Measured { values, units })
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
    let Measured { values, units } = measure(observer, kind, &finished)?;
    let models: Vec<&dyn Units> = units.iter().skip(1).map(Box::as_ref).collect();
    let mut intervals = None;
    if let Some(reference) = units.first() {
        intervals = bootstrap::intervals(
            &observer.metric_on("a bootstrap sample of the test split"),
            reference.as_ref(),
            &models,
            config.report.bootstrap,
            stream_seed(seed, "intervals", 0),
            observer.pool,
            &observer.call,
        )?;
    }
    // The pre-trained network differs from itself by nothing.
    if let Some(intervals) = &mut intervals {
        intervals.insert(0, [0.0, 0.0]);
    }
    progress("test", 1, 1);
    let reference = values.first().copied().unwrap_or_default();
    let mut methods = Vec::with_capacity(finished.len());
    for (index, (method, test)) in finished.into_iter().zip(values).enumerate() {
        log.record(&Event::Finished {
            method: method.name.to_owned(),
            validation: method.validation,
            test,
            queries: method.cost.queries,
        })?;
        methods.push(MethodResult {
            name: method.name,
            validation: method.validation,
            test,
            difference: test - reference,
            interval: intervals.as_ref().map(|intervals| intervals[index]),
            queries: method.cost.queries,
            seconds: method.cost.seconds,
        });
    }
    Ok(methods)
}
