//! What to tune and how: the options and checks that `run` and `compare` share.

use clap::Args;
use metricopt_sdk::tch::Device;
use metricopt_sdk::{DynMetric, Error, MetricEntry, Result, TaskEntry};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::opened::{Opened, check_kinds};
use super::plugins::{Chosen, PluginOptions};
use crate::builtin;
use crate::config::Layers;
use crate::engine::config::EngineConfig;
use crate::engine::memory::Memory;
use crate::engine::observe::Observer;
use crate::metric_spec::MetricSpec;
use crate::registry::{Plugin, Registry};
use crate::run::OptimizerFile;

/// What was typed.
#[derive(Debug, Args)]
pub(super) struct PlanOptions {
    /// Plugin to use, by name or by the path of its file; may be given several times. The first one with a task supplies
    /// it, metrics come from all.
    #[arg(long = "plugin", value_name = "NAME|PATH", required = true)]
    plugins: Vec<String>,
    /// Task to tune, where the plugin has several.
    #[arg(long, value_name = "TASK")]
    task: Option<String>,
    /// Metric to tune for, with options if any; the task's own unless given.
    #[arg(long, value_name = "NAME[:key=value,...]")]
    metric: Option<String>,
    /// Configuration file in TOML; may be given several times, later files win.
    #[arg(long, value_name = "FILE")]
    config: Vec<PathBuf>,
    /// Set one configuration key; may be given several times and wins over files.
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
}

/// What the options mean, checked.
pub(super) struct Plan<'a> {
    pub(super) plugin: &'a Plugin,
    pub(super) task: &'a TaskEntry,
    pub(super) metric_entry: MetricEntry,
    pub(super) metric: Box<dyn DynMetric>,
    metric_is_built_in: bool,
    pub(super) metric_label: Arc<str>,
    pub(super) layers: Layers,
    pub(super) engine: EngineConfig,
    /// SHA-256 of the file of the learned optimizer, if one is given.
    pub(super) optimizer_digest: Option<String>,
}

impl Plan<'_> {
    /// Puts one `key=value` on top.
    pub(super) fn set(&mut self, assignment: &str) -> Result<()> {
        self.layers.set(assignment)?;
        self.engine = self.layers.engine()?;
        Ok(())
    }

    /// The metric in a form of its own for a device, if there is one.
    pub(super) fn metric_on(&self, device: Device) -> Option<Box<dyn DynMetric + '_>> {
        let name = &self.metric_entry.name;
        let form = || builtin::on_device(name, self.metric.as_ref(), device);
        self.metric_is_built_in.then(form).flatten()
    }

    /// The engine's view of the opened task and the metric, or its form for the device.
    pub(super) fn observer<'o>(
        &'o self,
        opened: &'o Opened<'_>,
        on_device: Option<&'o dyn DynMetric>,
        memory: &'o dyn Memory,
    ) -> Observer<'o> {
        let metric = on_device.unwrap_or(self.metric.as_ref());
        opened.observer(
            self.metric_label.clone(),
            &self.metric_entry,
            metric,
            memory,
        )
    }

    /// Takes sections of the engine's configuration as they were in an earlier run.
    pub(super) fn adopt(&mut self, sections: &[&str], earlier: &Value, path: &Path) -> Result<()> {
        self.layers.adopt(sections, earlier, path)?;
        self.engine = self.layers.engine()?;
        Ok(())
    }
}

impl PlanOptions {
    /// The plugins that were asked for and everything that is compiled in.
    pub(super) fn plugins(&self, options: &PluginOptions) -> Result<Chosen> {
        options.registry(&self.plugins)
    }

    /// Finds and checks everything before any work starts.
    pub(super) fn plan<'a>(&self, registry: &'a Registry, names: &[String]) -> Result<Plan<'a>> {
        let (plugin, task) = registry.choose_task(names, self.task.as_deref())?;
        let spec = MetricSpec::parse(self.metric.as_deref().unwrap_or(&task.metric))?;
        let (metric_entry, metric) = spec.create(registry)?;
        check_kinds(registry, &metric_entry, task)?;
        let mut layers = Layers::new(task)?;
        for path in &self.config {
            let text = std::fs::read_to_string(path).map_err(|error| {
                Error::configuration(format!("cannot read `{}`: {error}", path.display()))
            })?;
            layers.merge_toml(&text, path)?;
        }
        for assignment in &self.set {
            layers.set(assignment)?;
        }
        layers.task(task)?;
        let mut engine = layers.engine()?;
        let learned = &mut engine.finetune.learned;
        let optimizer = learned
            .from
            .as_deref()
            .map(OptimizerFile::read)
            .transpose()?;
        let (given, optimizer_digest) = optimizer.map(|file| (file.rule, file.digest)).unzip();
        learned.given = given;
        Ok(Plan {
            plugin,
            task,
            metric_label: registry.label_metric(&metric_entry.name).into(),
            metric_is_built_in: registry.is_built_in(&metric_entry.name),
            metric_entry,
            metric,
            engine,
            optimizer_digest,
            layers,
        })
    }

    /// The resolved configuration, and how to use it again; `more` are the other options of the command.
    pub(super) fn resolved(&self, command: &str, plan: &Plan<'_>, more: &str) -> String {
        let metric = self.metric.as_deref().unwrap_or(&plan.metric_entry.name);
        let metric = quoted(metric);
        let plugins: Vec<String> = self
            .plugins
            .iter()
            .map(|name| format!("--plugin {}", quoted(name)))
            .collect();
        format!(
            "# host {command} {} --task {} --metric {metric} {more} --config THIS_FILE\n{}\n",
            plugins.join(" "),
            plan.task.name,
            plan.layers.resolved()
        )
    }
}

/// A word as a shell takes it, in a comment. A program with its arguments has blanks, and may have lines, which must not end
/// the comment. Only a zero byte cannot be quoted, and none can be typed.
fn quoted(word: &str) -> String {
    shlex::try_quote(word)
        .unwrap_or(word.into())
        .replace('\n', "\n# ")
}
