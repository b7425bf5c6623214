//! `host score`: one metric on a file of predictions.

use clap::Args;
use metricopt_sdk::{Call, Result};
use serde_json::json;
use std::path::PathBuf;
use std::time::Instant;

use super::plugins::PluginOptions;
use super::{listen_for_interrupts, print};
use crate::interrupt;
use crate::metric_spec::MetricSpec;
use crate::predictions_file::PredictionsFile;

/// Evaluate one metric on a safetensors file of predictions.
///
/// The file holds the tensors of the metric's prediction kind by name; `host describe METRIC` lists them. For
/// classification: `scores` F32 [N] (probability of the positive class) or [N, C], and `labels` I64 [N].
#[derive(Debug, Args)]
pub(super) struct Score {
    /// The metric, with options if any: NAME or NAME:key=value,key=value.
    #[arg(long, value_name = "NAME[:key=value,...]")]
    metric: String,
    /// The safetensors file.
    #[arg(long, value_name = "FILE")]
    predictions: PathBuf,
    /// Print one JSON object: version, metric, value, n, seconds.
    #[arg(long)]
    json: bool,
    /// Plugin to take metrics from too, by name or by the path of its file; may be given several times.
    #[arg(long = "plugin", value_name = "NAME|PATH")]
    plugins: Vec<String>,
    #[command(flatten)]
    options: PluginOptions,
}

impl Score {
    pub(super) fn execute(&self) -> Result<()> {
        let registry = self.options.registry(&self.plugins)?.registry;
        listen_for_interrupts()?;
        let (entry, metric) = MetricSpec::parse(&self.metric)?.create(&registry)?;
        let predictions = PredictionsFile::read(&self.predictions)?;
        let call = Call {
            threads: std::thread::available_parallelism().map_or(1, usize::from),
            cancelled: &interrupt::requested,
        };
        let started = Instant::now();
        let value = predictions.evaluate(
            &registry.label_metric(&entry.name),
            &entry,
            metric.as_ref(),
            &call,
        )?;
        let seconds = started.elapsed().as_secs_f64();
        if !self.json {
            return print(&format!("{} {value}", entry.name));
        }
        let n = predictions.rows();
        print(
            &json!({ "version": 1, "metric": entry.name, "value": value, "n": n, "seconds": seconds })
                .to_string(),
        )
    }
}
