//! Any program as a metric: `exec:command=python3 my_metric.py`.
//!
//! `frame` and `protocol` are what goes over the pipes, and `docs/exec-metric.md` says it for people; `child` is one
//! running program, `pool` all those of a metric, `program` what is run and what its faults are called. `elsewhere`
//! stands in on systems without process groups.

#[cfg(unix)]
mod child;
#[cfg(unix)]
mod frame;
#[cfg(unix)]
mod group;
#[cfg(unix)]
mod pool;
#[cfg(unix)]
mod program;
#[cfg(unix)]
mod protocol;
#[cfg(unix)]
mod running;
#[cfg(unix)]
mod stderr;

#[cfg(unix)]
pub use group::kill_all;
#[cfg(unix)]
pub use running::start;

#[cfg(not(unix))]
mod elsewhere;
#[cfg(not(unix))]
pub use elsewhere::{kill_all, start};

use metricopt_sdk::{Kind, MetricEntry, config};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The name users type.
pub const NAME: &str = "exec";

/// Any program as a metric, in any language: it reads predictions from standard input and prints values.
///
/// ```text
/// host run --plugin tabular --metric "exec:command=python3 my_metric.py"
/// ```
///
/// The program first prints one line of JSON, the hello. `direction` is required, `name`, `kind` and `range` are not:
///
/// ```text
/// {"metricopt": 1, "name": "cost", "direction": "minimise", "kind": "classification", "range": [0, null]}
/// ```
///
/// Then, until standard input ends, it reads a frame (8 bytes of length, little-endian, and that many bytes, which are a
/// safetensors file with the predictions) and prints one line of JSON, the answer:
///
/// ```text
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

/// The entry that stands for all programs.
pub fn entry() -> MetricEntry {
    let mut entry = MetricEntry::new(NAME, Kind::Named, |json| Ok(start(json)?.1));
    entry.schema = config::schema::<Options>();
    entry.defaults = config::defaults::<Options>();
    entry
}

/// Whether this is the entry that stands for all programs, of which only the program knows name, direction, kind and
/// range.
pub fn is_any_program(entry: &MetricEntry) -> bool {
    entry.name == NAME
}
