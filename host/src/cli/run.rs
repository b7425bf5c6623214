//! `host run`: the whole method on one task and one metric.

use clap::Args;
use metricopt_sdk::{Call, DynMetric, DynTask, Error, MetricEntry, Result, TaskEntry};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use super::opened::{Opened, check_kinds, threads};
use super::plugins::{Chosen, PluginOptions};
use super::progress::Progress;
use super::{listen_for_interrupts, print, to_json};
use crate::config::Layers;
use crate::device::DeviceChoice;
use crate::engine::config::EngineConfig;
use crate::engine::tune::{Tuned, tune};
use crate::interrupt;
use crate::metric_spec::MetricSpec;
use crate::registry::{Plugin, Registry};
use crate::run::{MetricSummary, RunDirectory, Summary};
use metricopt_sdk::panics;

/// Fine-tune a pre-trained model for a metric and compare with the simple alternatives.
///
/// Prints one table: the pre-trained model, loss-only fine-tuning, threshold tuning, class-weighted loss, plain
/// evolution strategies and MetricOpt, each with its validation and test value, the difference to the pre-trained
/// model with a 95 % interval (paired bootstrap over test rows), metric queries and seconds. Everything it found is in
/// the run directory.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Run {
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
    /// Run directory; must be new or empty [default: a new numbered one in `runs`].
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Seed of everything random.
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Device: `auto`, `cpu`, `cuda` or `cuda:N`.
    #[arg(long, default_value = "auto")]
    device: DeviceChoice,
    /// Threads [default: all cores]. The result does not depend on it.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    threads: Option<u16>,
    /// Print the resolved configuration with the origin of every value, and stop.
    #[arg(long)]
    dry_run: bool,
    /// Print the summary, or with `--dry-run` the configuration, as JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    options: PluginOptions,
}

const EXAMPLES: &str = "\
Examples:
  host run --plugin tabular
  host run --plugin tabular --metric precision-at-recall:recall=0.8 --set finetune.lambda=10
  host run --plugin tabular --metric \"exec:command=python3 my_metric.py\"
  host run --plugin tabular --set task.dataset=csv --set task.path=my.csv --set task.label=outcome
  host run --plugin tabular --set finetune.es.pairs=0 --seed 3 --out runs/without-search
  host run --plugin tabular --plugin ./target/release/libprofit.so --metric profit:gain=5

`host describe TASK` and `host describe config` explain every key.";

/// What the arguments mean, checked.
struct Plan<'a> {
    plugin: &'a Plugin,
    task: &'a TaskEntry,
    metric_entry: MetricEntry,
    metric: Box<dyn DynMetric>,
    metric_label: Arc<str>,
    layers: Layers,
    engine: EngineConfig,
    threads: usize,
}

impl Run {
    pub(super) fn execute(&self) -> Result<()> {
        let Chosen { registry, names } = self.options.registry(&self.plugins)?;
        listen_for_interrupts()?;
        let plan = self.plan(&registry, &names)?;
        if self.dry_run {
            return print(&if self.json {
                to_json(&self.resolved_json(&plan))?
            } else {
                self.resolved(&plan)
            });
        }
        let progress = Progress::new();
        let name = format!("{}-{}", plan.task.name, plan.metric_entry.name);
        let mut directory = match &self.out {
            Some(path) => RunDirectory::create(path)?,
            None => RunDirectory::create_numbered(Path::new("runs"), &name)?,
        };
        interrupt::remember(directory.remains());
        let result = panics::guard(|| self.tune(&plan, &mut directory, &progress));
        progress.clear();
        match result {
            Ok(summary) => {
                print(&if self.json {
                    to_json(&summary)?
                } else {
                    summary.table()
                })?;
                eprintln!("\nresults are in {}", directory.path().display());
                Ok(())
            }
            Err(error) => {
                let path = directory.path().to_owned();
                let kept = directory.abandon();
                Err(if kept {
                    error.hint(format!("what was finished is in `{}`", path.display()))
                } else {
                    error
                })
            }
        }
    }

    /// Finds and checks everything before any work starts.
    fn plan<'a>(&self, registry: &'a Registry, names: &[String]) -> Result<Plan<'a>> {
        let (plugin, task) = registry.choose_task(names, self.task.as_deref())?;
        let spec = MetricSpec::parse(self.metric.as_deref().unwrap_or(&task.metric))?;
        let (metric_entry, metric) = spec.create(registry)?;
        check_kinds(registry, &metric_entry, task)?;
        let mut layers = Layers::new(task);
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
        Ok(Plan {
            plugin,
            task,
            metric_label: registry.label_metric(&metric_entry.name).into(),
            metric_entry,
            metric,
            engine: layers.engine()?,
            layers,
            threads: threads(self.threads),
        })
    }

    /// The resolved configuration, and how to use it again.
    fn resolved(&self, plan: &Plan<'_>) -> String {
        let metric = self.metric.as_deref().unwrap_or(&plan.metric_entry.name);
        // A program with its arguments has blanks, and may have lines, which must not end the comment. Only a zero byte
        // cannot be quoted, and none can be typed.
        let metric = shlex::try_quote(metric)
            .unwrap_or(metric.into())
            .replace('\n', "\n# ");
        let plugins: Vec<String> = self
            .plugins
            .iter()
            .map(|name| format!("--plugin {name}"))
            .collect();
        format!(
            "# host run {} --task {} --metric {metric} --seed {} --config THIS_FILE\n{}\n",
            plugins.join(" "),
            plan.task.name,
            self.seed,
            plan.layers.resolved()
        )
    }

    /// The same for machines.
    fn resolved_json(&self, plan: &Plan<'_>) -> Value {
        json!({
            "version": 1,
            "plugin": plan.plugin.name,
            "task": plan.task.name,
            "metric": { "name": plan.metric_entry.name, "options": plan.metric.config() },
            "seed": self.seed,
            "config": plan.layers.to_json(),
        })
    }

    fn tune(
        &self,
        plan: &Plan<'_>,
        directory: &mut RunDirectory,
        progress: &Progress,
    ) -> Result<Summary> {
        directory.write("config.toml", self.resolved(plan).as_bytes())?;
        let call = Call {
            threads: plan.threads,
            cancelled: &interrupt::requested,
        };
        let config = plan.layers.task(plan.task)?;
        let opened = Opened::new(
            plan.plugin,
            plan.task,
            config,
            self.device,
            self.seed,
            call,
            progress,
        )?;
        for (name, fact) in opened.task.describe().facts {
            progress.say(&format!("{name:<18} {fact}"));
        }
        let observer = opened.observer(
            plan.metric_label.clone(),
            &plan.metric_entry,
            plan.metric.as_ref(),
        );
        let update = |phase: &str, done: u64, total: u64| progress.update(phase, done, total);
        let started = Instant::now();
        let tuned = tune(
            &observer,
            plan.task.kind,
            &plan.engine,
            self.seed,
            &|| started.elapsed().as_secs_f64(),
            &update,
            directory,
        )?;
        warn(&tuned, &plan.engine, progress);
        let metric = MetricSummary {
            name: plan.metric_entry.name.clone(),
            options: plan.metric.config(),
            direction: plan.metric_entry.direction,
        };
        let summary = Summary::new(
            &plan.plugin.name,
            &plan.task.name,
            metric,
            self.seed,
            &tuned,
        );
        directory.write(
            "summary.json",
            format!("{}\n", to_json(&summary)?).as_bytes(),
        )?;
        directory.flush()?;
        Ok(summary)
    }
}

/// Says how far the value function can be trusted.
fn warn(tuned: &Tuned, config: &EngineConfig, progress: &Progress) {
    match tuned.agreement {
        Some(agreement) => {
            progress.say(&format!(
                "{:<18} rank correlation {:.2} on held-out trajectories, width {:.3}",
                "value function", agreement.rank, tuned.width
            ));
            if agreement.rank < config.value_function.min_correlation {
                progress.say(&format!(
                    "warning: the value function orders unseen adapters badly; its direction counts {:.0} %",
                    100.0 * tuned.value_weight
                ));
            }
        }
        None if tuned.value_weight == 0.0 => {
            progress.say("warning: the metric did not vary along the trajectories; there was no value function to follow");
        }
        None => {}
    }
}
