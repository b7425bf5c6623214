//! The table: every method on the test split, with intervals.

use metricopt_sdk::{Kind, Result};

use super::config::EngineConfig;
use super::events::{Event, EventLog, Progress};
use super::meter::Finished;
use super::observe::Observer;
use super::on_test::OnTest;
use super::random::stream_seed;

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
    let mut on_test = OnTest::new(observer, kind);
    for method in &finished {
        on_test.add(&method.phi, method.threshold)?;
    }
    let values = on_test.values().to_vec();
    let stream = stream_seed(seed, "intervals", 0);
    // The pre-trained network comes first: differences are to it.
    let intervals = on_test.intervals(0, config.report.bootstrap, stream)?;
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
