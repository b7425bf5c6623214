//! `comparison.json`, read back and checked.

use metricopt_sdk::{Error, Result};
use serde::Deserialize;
use serde_json::Value;
use std::path::Path;

use super::super::data::Metric;

/// Name of the file in the directory of a comparison.
pub const FILE: &str = "comparison.json";

/// A finished comparison. Methods are texts: a page shows those of any host.
#[derive(Debug, Deserialize)]
pub struct Comparison {
    version: u32,
    /// Name of its directory.
    #[serde(skip)]
    pub name: String,
    /// What was compared.
    pub setup: Setup,
    /// What the differences are to.
    pub reference: String,
    /// What the columns mean, a line each.
    pub statistics: String,
    /// The result in one sentence.
    pub verdict: String,
    /// One row a method.
    pub methods: Vec<Row>,
    /// Methods that do not apply.
    pub left_out: Vec<Note>,
    /// Every seed.
    pub seeds: Vec<Seed>,
}

/// What was compared.
#[derive(Debug, Deserialize)]
pub struct Setup {
    /// Version of the host.
    pub host: String,
    /// The plugin of the task.
    pub plugin: String,
    /// The task.
    pub task: String,
    /// The metric.
    pub metric: Metric,
    /// Where it was computed.
    pub device: String,
    /// The whole configuration.
    pub config: Value,
}

/// A method over all seeds.
#[derive(Debug, Deserialize)]
pub struct Row {
    /// Its name.
    pub method: String,
    /// On validation.
    pub validation: Spread,
    /// On test.
    pub test: Spread,
    /// Against the reference; none for that one itself.
    pub versus_reference: Option<Versus>,
    /// Mean number of queries.
    pub queries: f64,
    /// Mean seconds.
    pub seconds: f64,
}

/// Mean and sample standard deviation over seeds.
#[derive(Clone, Copy, Debug, Deserialize)]
pub struct Spread {
    /// The mean.
    pub mean: f64,
    /// The standard deviation.
    pub sd: f64,
}

/// A difference on test, paired by seed.
#[derive(Clone, Copy, Debug, Deserialize)]
pub struct Versus {
    /// Its mean.
    pub difference: f64,
    /// 95 % interval of the mean.
    pub interval: [f64; 2],
    /// Of the paired t test.
    pub p: f64,
    /// Corrected by Holm's method.
    pub p_holm: f64,
}

/// Something that a comparison goes without.
#[derive(Debug, Deserialize)]
pub struct Note {
    /// The method.
    pub method: String,
    /// Why.
    pub reason: String,
}

/// All methods at one seed.
#[derive(Debug, Deserialize)]
pub struct Seed {
    /// The seed.
    pub seed: u64,
    /// What each method reached.
    pub entries: Vec<Entry>,
    /// Points of grids that failed.
    pub failed_points: Vec<Note>,
}

/// A method at a seed.
#[derive(Debug, Deserialize)]
pub struct Entry {
    /// The method.
    pub method: String,
    /// Natural value on validation.
    pub validation: f64,
    /// Natural value on test.
    pub test: f64,
    /// 95 % interval of the difference to the reference at this seed, over units of the test split.
    pub difference_interval: Option<[f64; 2]>,
    /// What validation chose.
    pub chosen: Option<String>,
    /// The validation metric along the steps; files of older hosts have none.
    #[serde(default)]
    pub history: Vec<Observed>,
}

/// The validation metric after so many steps.
#[derive(Clone, Copy, Debug, Deserialize)]
pub struct Observed {
    /// Steps done.
    pub step: f64,
    /// Natural value.
    pub validation: f64,
}

impl Seed {
    /// What a method reached.
    pub fn entry(&self, method: &str) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.method == method)
    }
}

impl Comparison {
    /// The methods, in the order of the table.
    pub fn names(&self) -> Vec<&str> {
        let rows = self.methods.iter();
        rows.map(|row| row.method.as_str()).collect()
    }

    /// Reads the directory of a comparison.
    ///
    /// # Errors
    ///
    /// If it did not finish, or the file is damaged.
    pub fn read(directory: &Path) -> Result<Self> {
        let path = directory.join(FILE);
        let unusable = |what: String| {
            Error::data(format!("cannot use `{}`: {what}", path.display())).hint(
                "the same `host compare` with `--out` makes it again: finished seeds are not computed twice",
            )
        };
        let bytes = std::fs::read(&path).map_err(|error| unusable(error.to_string()))?;
        let found: Self =
            serde_json::from_slice(&bytes).map_err(|error| unusable(error.to_string()))?;
        if found.version != 1 {
            return Err(unusable(format!(
                "it has version {}, expected 1",
                found.version
            )));
        }
        let place = directory
            .canonicalize()
            .unwrap_or_else(|_| directory.to_owned());
        let name = place.file_name().unwrap_or_default().to_string_lossy();
        Ok(Self {
            name: name.into_owned(),
            ..found
        })
    }
}
