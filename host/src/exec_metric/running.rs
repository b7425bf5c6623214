//! A metric whose program runs.

use metricopt_sdk::{
    Call, Classification, Detection, DynMetric, Error, Kind, MetricEntry, Predictions, Result,
    Retrieval, Views, config,
};
use serde_json::Value;
use std::time::Duration;

use super::frame::Frame;
use super::pool::Pool;
use super::program::Program;
use super::{CommandLine, NAME, Options};
use crate::interrupt;

impl Options {
    fn words(&self) -> Result<Vec<String>> {
        match &self.command {
            None => Ok(Vec::new()),
            Some(CommandLine::Words(words)) => Ok(words.clone()),
            Some(CommandLine::Text(text)) => shlex::split(text).ok_or_else(|| {
                Error::configuration(format!("`command`: a quote is not closed in `{text}`"))
                    .hint("give the words as a list: `exec:command=[\"python3\", \"it's.py\"]`")
            }),
        }
    }

    fn patience(&self) -> Result<Duration> {
        const YEAR: f64 = 365.0 * 86400.0;
        Some(self.timeout)
            .filter(|&seconds| seconds > 0.0 && seconds <= YEAR)
            .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
            .ok_or_else(|| {
                Error::configuration(format!(
                    "`timeout` is {} s, expected more than 0 and at most a year",
                    self.timeout
                ))
            })
    }
}

/// Starts the program and hears what it is.
///
/// # Errors
///
/// If an option does not fit, the program does not start, or its hello is wrong.
pub fn start(json: &Value) -> Result<(MetricEntry, Box<dyn DynMetric>)> {
    let options: Options = config::parse(json)?;
    if options.workers == Some(0) {
        return Err(Error::configuration("`workers` is 0, expected at least 1"));
    }
    let program = Program::new(options.words()?, options.patience()?)?;
    let (child, hello) = program
        .start(&interrupt::requested)
        .map_err(|failure| failure.error)?;
    let name = hello.name.clone().unwrap_or_else(|| NAME.to_owned());
    let mut entry = MetricEntry::new(&name, hello.kind, |json| Ok(start(json)?.1));
    entry.direction = hello.direction;
    entry.range = hello.range;
    entry.schema = config::schema::<Options>();
    entry.defaults = config::defaults::<Options>();
    let (workers, restarts) = (options.workers, options.restarts);
    let metric = Running {
        pool: Pool::new(program, (child, hello), &name, workers, restarts),
        entry: entry.clone(),
        options,
    };
    Ok((entry, Box::new(metric)))
}

/// A metric whose program runs.
struct Running {
    entry: MetricEntry,
    options: Options,
    pool: Pool,
}

impl DynMetric for Running {
    fn evaluate(&self, views: &Views<'_>, call: &Call<'_>) -> Result<f64> {
        check(self.entry.kind, views)?;
        let value = self.pool.ask(&Frame::new(views)?, call)?;
        self.entry
            .within(value)
            .map_err(|error| error.hint("the program gives its range in its hello"))
    }

    fn config(&self) -> Value {
        config::to_json(&self.options)
    }
}

/// Holds the predictions to what the program expects, so that it need not.
fn check(kind: Kind, views: &Views<'_>) -> Result<()> {
    match kind {
        Kind::Classification => Classification::from_views(views).map(drop),
        Kind::Retrieval => Retrieval::from_views(views).map(drop),
        Kind::Detection => Detection::from_views(views).map(drop),
        _ => Ok(()),
    }
}
