//! What a run directory holds, read back and checked.

use metricopt_sdk::{Direction, Error, Result};
use serde::Deserialize;
use std::fs;
use std::io;
use std::path::Path;

use super::history::History;
use super::learned::{Learned, Walks};
use super::plane::Plane;
use super::sites::{SiteChange, read_adapter};
use super::tensors::damaged;
use crate::run::samples::{self, SamplesFile};

/// A finished run.
#[derive(Debug)]
pub struct Run {
    /// Name of its directory.
    pub name: String,
    /// Its results.
    pub summary: Summary,
    /// Its configuration as TOML.
    pub config: Option<String>,
    /// What happened, step by step.
    pub history: Option<History>,
    /// The trajectories.
    pub walks: Option<Walks>,
    /// The value function.
    pub learned: Option<Learned>,
    /// What the kept adapter changes.
    pub adapter: Option<Vec<SiteChange>>,
    /// The landscape.
    pub plane: Option<Plane>,
    /// Images with boxes, of tasks that find some.
    pub samples: Option<SamplesFile>,
}

/// `summary.json`.
#[derive(Clone, Debug, Deserialize)]
pub struct Summary {
    version: u32,
    /// The plugin of the task.
    pub plugin: String,
    /// The task.
    pub task: String,
    /// The metric.
    pub metric: Metric,
    /// Seed of everything random.
    pub seed: u64,
    /// The rows of the table, the pre-trained network first.
    pub methods: Vec<Method>,
    /// What there is to say beside the table, a line each.
    #[serde(default)]
    pub remarks: Vec<String>,
    /// Whether the tuned adapter was kept.
    pub accepted: bool,
    /// The result in one sentence.
    pub verdict: String,
    /// How well the value function predicts.
    pub value_function: Agreement,
    /// The calibrated width.
    pub width: f64,
}

/// The metric of a run.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Metric {
    /// Its name.
    pub name: String,
    /// Its configuration.
    pub options: serde_json::Value,
    /// Which way it improves.
    pub direction: Direction,
}

/// A row of the table.
#[derive(Clone, Debug, Deserialize)]
pub struct Method {
    /// Its name.
    pub name: String,
    /// Natural value on validation.
    pub validation: f64,
    /// Natural value on test.
    pub test: f64,
    /// `test` minus that of the pre-trained network.
    pub difference: f64,
    /// 95 % interval of the difference.
    pub interval: Option<[f64; 2]>,
    /// Metric queries.
    pub queries: u64,
    /// Wall-clock seconds.
    pub seconds: f64,
}

/// Agreement on held-out trajectories.
#[derive(Clone, Debug, Deserialize)]
pub struct Agreement {
    /// Spearman's rank correlation.
    pub rank_correlation: Option<f64>,
    /// Weight of the value gradient.
    pub weight: f64,
}

impl Metric {
    /// `higher is better`, or the reverse.
    pub fn aim(&self) -> &'static str {
        match self.direction {
            Direction::Minimise => "lower is better",
            Direction::Maximise => "higher is better",
        }
    }

    /// The best of some values.
    pub fn best(&self, values: impl IntoIterator<Item = f64>) -> Option<f64> {
        values.into_iter().reduce(|best, value| {
            if self.direction.is_better(value, best) {
                value
            } else {
                best
            }
        })
    }
}

impl Summary {
    /// Reads the `summary.json` of a run directory.
    ///
    /// # Errors
    ///
    /// If the run did not finish, or the file is damaged.
    pub fn read(directory: &Path) -> Result<Self> {
        let path = directory.join("summary.json");
        let text = text(&path)?.ok_or_else(|| {
            Error::data(format!("no `summary.json` in `{}`", directory.display())).hint(
                "a run writes it at its end: give the directory of a run that finished, or repeat the run",
            )
        })?;
        let broken = |what: String| {
            Error::data(format!("cannot use `{}`: {what}", path.display()))
                .hint("restore the file from a copy, or repeat the run with its `config.toml`")
        };
        let summary: Self = serde_json::from_str(&text).map_err(|e| broken(e.to_string()))?;
        if summary.version != 1 {
            let found = summary.version;
            return Err(broken(format!("it has version {found}, expected 1")));
        }
        Ok(summary)
    }

    /// The row of a method.
    pub fn method(&self, name: &str) -> Option<&Method> {
        self.methods.iter().find(|method| method.name == name)
    }
}

impl Run {
    /// Reads a run directory. Files beside `summary.json` may be missing, as in directories of older hosts.
    ///
    /// # Errors
    ///
    /// If the run did not finish, or a file is damaged.
    pub fn read(directory: &Path) -> Result<Self> {
        let path = directory.canonicalize().map_err(|error| {
            Error::data(format!("cannot open `{}`: {error}", directory.display()))
                .hint("give the directory of a run, as `host run` names it in its last lines")
        })?;
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let summary = Summary::read(directory)?;
        let walks = Walks::read(&directory.join("trajectories.safetensors"))?;
        Ok(Self {
            name: name.into_owned(),
            summary,
            config: text(&directory.join("config.toml"))?,
            history: match text(&directory.join("events.jsonl"))? {
                Some(lines) => Some(
                    History::parse(&lines)
                        .map_err(|error| damaged(&directory.join("events.jsonl"), error))?,
                ),
                None => None,
            },
            learned: Learned::read(
                &directory.join("value_function.safetensors"),
                walks.as_ref(),
            )?,
            walks,
            adapter: read_adapter(&directory.join("adapter.safetensors"))?,
            plane: Plane::read(&directory.join("report.safetensors"))?,
            samples: match text(&directory.join(samples::FILE))? {
                Some(text) => Some(
                    SamplesFile::parse(&text)
                        .map_err(|error| damaged(&directory.join(samples::FILE), error))?,
                ),
                None => None,
            },
        })
    }
}

/// A file of text; none if there is none.
fn text(path: &Path) -> Result<Option<String>> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(damaged(path, error)),
    }
}
