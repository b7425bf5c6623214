//! Any program as a metric: `exec:command=python3 my_metric.py`.
//!
//! `protocol` is what goes over the pipes, and `docs/exec-metric.md` says it for people; `child` is one running program,
//! `pool` all those of a metric, `program` what is run and what its faults are called.

#[cfg(unix)]
mod child;
#[cfg(unix)]
mod group;
#[cfg(unix)]
mod pool;
#[cfg(unix)]
mod program;
#[cfg(unix)]
mod protocol;
#[cfg(unix)]
mod stderr;

#[cfg(unix)]
pub use group::kill_all;

use metricopt_sdk::{
    Call, Classification, Detection, DynMetric, Error, Kind, MetricEntry, Predictions, Result,
    Retrieval, Views, config,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::time::Duration;

use crate::interrupt;
use crate::registry::{Origin, Plugin};

/// The name users type.
pub const NAME: &str = "exec";

/// Any program as a metric, in any language: it reads predictions from standard input and prints values.
///
/// ```
/// host run --plugin tabular --metric "exec:command=python3 my_metric.py"
/// ```
///
/// The program first prints one line of JSON, the hello. `direction` is required, `name`, `kind` and `range` are not:
///
/// ```
/// {"metricopt": 1, "name": "my-metric", "direction": "minimise", "kind": "classification", "range": [0, null]}
/// ```
///
/// Then, until standard input ends, it reads a frame (8 bytes of length, little-endian, and that many bytes, which are a
/// safetensors file with the predictions) and prints one line of JSON, the answer:
///
/// ```
/// {"value": 0.25}
/// {"error": "no positives", "kind": "undefined"}
/// ```
///
/// Standard output belongs to these lines and is to be flushed after each. Standard error is shown, line by line. The
/// same predictions must have the same value, in whichever of several copies of the program.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Options {
    /// The program and its arguments: one text, with quotes as in a shell but without a shell, or a list of texts. Put a
    /// text with commas in quotes: `exec:command="python3 my_metric.py --weights 1,2"`.
    pub command: Option<CommandLine>,
    /// Seconds that the program may take for its hello, and for each answer.
    pub timeout: f64,
    /// How many copies of the program may run, at least 1; not set, as many as there are threads. They are started when
    /// they are needed.
    pub workers: Option<usize>,
    /// How often a program that died is started again for the same query before that is an error.
    pub restarts: usize,
}

/// A program with its arguments.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(
    untagged,
    expecting = "expected a text, as in `python3 my_metric.py`, or a list of texts, as in `[\"python3\", \"my_metric.py\"]`"
)]
pub enum CommandLine {
    /// As typed into a shell.
    Text(String),
    /// Word by word.
    Words(Vec<String>),
}

impl Default for Options {
    fn default() -> Self {
        Self {
            command: None,
            timeout: 60.0,
            workers: None,
            restarts: 2,
        }
    }
}

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

/// The plugin of this metric.
pub fn plugin() -> Plugin {
    let mut entry = MetricEntry::new(NAME, Kind::Named, |json| Ok(start(json)?.1));
    entry.schema = config::schema::<Options>();
    entry.defaults = config::defaults::<Options>();
    Plugin {
        name: NAME.to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        origin: Origin::BuiltIn,
        tasks: Vec::new(),
        metrics: vec![entry],
    }
}

/// Whether this is the entry that stands for all programs, of which only the program knows name, direction, kind and
/// range.
pub fn is_any_program(entry: &MetricEntry) -> bool {
    entry.name == NAME
}

/// Starts the program and hears what it is.
///
/// # Errors
///
/// If an option does not fit, the program does not start, or its hello is wrong.
#[cfg(unix)]
pub fn start(json: &Value) -> Result<(MetricEntry, Box<dyn DynMetric>)> {
    let options: Options = config::parse(json)?;
    if options.workers == Some(0) {
        return Err(Error::configuration("`workers` is 0, expected at least 1"));
    }
    let program = program::Program::new(options.words()?, options.patience()?)?;
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
        pool: pool::Pool::new(program, (child, hello), &name, workers, restarts),
        entry: entry.clone(),
        options,
    };
    Ok((entry, Box::new(metric)))
}

/// There are no process groups and no pipes to wait for.
#[cfg(not(unix))]
pub fn start(_: &Value) -> Result<(MetricEntry, Box<dyn DynMetric>)> {
    Err(Error::unsupported(
        "programs as metrics need Linux, macOS or another Unix",
    ))
}

/// There are none.
#[cfg(not(unix))]
pub fn kill_all() {}

/// A metric whose program runs.
#[cfg(unix)]
struct Running {
    entry: MetricEntry,
    options: Options,
    pool: pool::Pool,
}

#[cfg(unix)]
impl DynMetric for Running {
    fn evaluate(&self, views: &Views<'_>, call: &Call<'_>) -> Result<f64> {
        check(self.entry.kind, views)?;
        let value = self.pool.ask(&protocol::Frame::new(views)?, call)?;
        self.entry
            .within(value)
            .map_err(|error| error.hint("the program gives its range in its hello"))
    }

    fn config(&self) -> Value {
        config::to_json(&self.options)
    }
}

/// Holds the predictions to what the program expects, so that it need not.
#[cfg(unix)]
fn check(kind: Kind, views: &Views<'_>) -> Result<()> {
    match kind {
        Kind::Classification => Classification::from_views(views).map(drop),
        Kind::Retrieval => Retrieval::from_views(views).map(drop),
        Kind::Detection => Detection::from_views(views).map(drop),
        _ => Ok(()),
    }
}
