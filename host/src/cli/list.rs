//! `host list`: what there is.

use clap::Args;
use metricopt_sdk::{Direction, MetricEntry, Result};
use serde_json::json;

use super::plugins::PluginOptions;
use super::{print, to_json, warn};
use crate::exec_metric;

/// List plugins, tasks and metrics with their version and where they came from: those compiled in and those in the
/// plugin path.
#[derive(Debug, Args)]
pub(super) struct List {
    /// Print JSON.
    #[arg(long)]
    json: bool,
    /// Plugin to list too, by name or by the path of its file; may be given several times.
    #[arg(long = "plugin", value_name = "NAME|PATH")]
    plugins: Vec<String>,
    #[command(flatten)]
    options: PluginOptions,
}

impl List {
    pub(super) fn execute(&self) -> Result<()> {
        let (registry, refused) = self.options.everything(&self.plugins)?;
        for error in &refused {
            warn(error);
        }
        if self.json {
            let plugins: Vec<_> = registry
                .plugins()
                .map(|plugin| {
                    json!({
                        "name": plugin.name,
                        "version": plugin.version,
                        "origin": plugin.origin.to_string(),
                        "tasks": plugin.tasks.iter().map(|task| json!({
                            "name": task.name, "kind": task.kind, "metric": task.metric,
                        })).collect::<Vec<_>>(),
                        "metrics": plugin.metrics.iter().map(|metric| json!({
                            "name": metric.name, "kind": metric.kind, "direction": direction(metric),
                        })).collect::<Vec<_>>(),
                    })
                })
                .collect();
            return print(&to_json(&json!({ "version": 1, "plugins": plugins }))?);
        }
        let mut text = String::new();
        for plugin in registry.plugins() {
            text.push_str(&format!(
                "{} {} ({})\n",
                plugin.name, plugin.version, plugin.origin
            ));
            for task in &plugin.tasks {
                let summary = summary(&task.schema);
                text.push_str(&format!(
                    "  task    {:<20}  {:<8}  {summary}\n",
                    task.name, ""
                ));
            }
            for metric in &plugin.metrics {
                let summary = summary(&metric.schema);
                let direction = direction(metric).map_or("either".to_owned(), |it| it.to_string());
                text.push_str(&format!(
                    "  metric  {:<20}  {direction:<8}  {summary}\n",
                    metric.name
                ));
            }
        }
        text.push_str("\n`host describe NAME` tells more about each");
        print(&text)
    }
}

/// Which way it improves, unless only a program will say.
fn direction(metric: &MetricEntry) -> Option<Direction> {
    (!exec_metric::is_any_program(metric)).then_some(metric.direction)
}

/// The first sentence of the documentation.
fn summary(schema: &serde_json::Value) -> String {
    let docs = schema["description"].as_str().unwrap_or_default();
    let paragraph = docs.split("\n\n").next().unwrap_or_default();
    paragraph.split_whitespace().collect::<Vec<_>>().join(" ")
}
