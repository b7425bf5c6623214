//! What users can set.

use metricopt_sdk::prelude::*;
use std::path::PathBuf;

/// Readings of machines, the few that are about to fail among them, and a multilayer perceptron that tells which.
///
/// By default the readings are made up, the same for the same seed. The network is pre-trained in seconds, once: it is
/// kept by the content of data and configuration.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// CSV file with a header; the last column is the label, 0 or 1, the others are numbers. Without one, readings are
    /// made up.
    pub path: Option<PathBuf>,
    /// Number of readings to make up, 100 to 1000000.
    pub readings: usize,
    /// Widths of the two hidden layers, 1 to 1024 each; each layer has a FiLM site in front of its ReLU.
    pub hidden: [usize; 2],
    /// Passes over the training split, 1 to 1000.
    pub epochs: usize,
    /// Learning rate of Adam, above 0, at most 1.
    pub learning_rate: f64,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            path: None,
            readings: 20_000,
            hidden: [32, 32],
            epochs: 20,
            learning_rate: 0.003,
        }
    }
}

impl Config {
    /// All that is out of range, in one error.
    pub(crate) fn check(&self) -> Result<()> {
        let mut problems = Vec::new();
        let mut check = |key: &str, fits: bool, expected: &str| {
            if !fits {
                problems.push(format!("`{key}` is out of range, expected {expected}"));
            }
        };
        check(
            "readings",
            (100..=1_000_000).contains(&self.readings),
            "100 to 1000000",
        );
        check(
            "hidden",
            self.hidden.iter().all(|width| (1..=1024).contains(width)),
            "widths of 1 to 1024",
        );
        check("epochs", (1..=1000).contains(&self.epochs), "1 to 1000");
        check(
            "learning_rate",
            self.learning_rate > 0.0 && self.learning_rate <= 1.0,
            "above 0, at most 1",
        );
        if problems.is_empty() {
            return Ok(());
        }
        Err(Error::configuration(problems.join("; ")))
    }
}
