//! `host check-metric`: whether a metric obeys the laws that every metric obeys, and can be optimised.

use clap::Args;
use metricopt_sdk::testkit::{self, Options, Profile, Report, Sample};
use metricopt_sdk::{Call, DynMetric, Error, Kind, MetricEntry, Result, TaskEntry};
use serde_json::{Value, json};
use std::path::PathBuf;

use super::opened::{Opened, check_kinds, threads};
use super::plugins::{Chosen, PluginOptions};
use super::progress::Progress;
use super::{listen_for_interrupts, print, to_json};
use crate::builtin::TASK_FOR_A_LOOK;
use crate::config::Layers;
use crate::device::DeviceChoice;
use crate::engine::config::EngineConfig;
use crate::engine::profile::{Profiles, profiles};
use crate::interrupt;
use crate::metric_spec::MetricSpec;
use crate::predictions_file::PredictionsFile;
use crate::registry::{Plugin, Registry};

/// Check that a metric obeys the laws every metric obeys, and whether it can be optimised.
///
/// The laws are checked on made-up predictions: the same input gives the same value; the order of samples does not
/// count, with equal scores too; odd inputs give a value or an error; values lie in the declared range and improve in
/// the declared direction; and what the metric declares of itself is true.
///
/// Then the metric is followed along random lines through a pre-trained network, on the validation folds of a task, as
/// far as the engine would search: flat, noisy or smooth.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct CheckMetric {
    /// The metric, with options if any.
    #[arg(value_name = "NAME[:key=value,...]")]
    metric: String,
    /// Plugin to use, by name or by the path of its file; may be given several times. The first one with a task supplies it; without any it is the first
    /// task that yields what the metric takes.
    #[arg(long = "plugin", value_name = "NAME|PATH")]
    plugins: Vec<String>,
    /// Task to follow the metric on, where the plugin has several.
    #[arg(long, value_name = "TASK", requires = "plugins")]
    task: Option<String>,
    /// Set one configuration key, as for `host run`; may be given several times.
    #[arg(long, value_name = "KEY=VALUE", conflicts_with = "no_profile")]
    set: Vec<String>,
    /// A safetensors file of predictions of your own, to check the metric on as well.
    #[arg(long, value_name = "FILE")]
    predictions: Option<PathBuf>,
    /// Check the laws only.
    #[arg(long)]
    no_profile: bool,
    /// Seed of everything random.
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Device: `auto`, `cpu`, `cuda` or `cuda:N`.
    #[arg(long, default_value = "auto")]
    device: DeviceChoice,
    /// Threads [default: all cores]. The result does not depend on it.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    threads: Option<u16>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    options: PluginOptions,
}

const EXAMPLES: &str = "\
Examples:
  host check-metric f1
  host check-metric precision-at-recall:recall=0.8 --plugin tabular
  host check-metric mcr --set task.dataset=csv --set task.path=my.csv
  host check-metric profit --plugin ./target/release/libprofit.so
  host check-metric ece --no-profile --predictions FILE.safetensors

Exit codes: 0 every law held, 1 one is broken, 2 usage.";

/// The task to follow the metric on.
struct Plan<'a> {
    plugin: &'a Plugin,
    task: &'a TaskEntry,
    layers: Layers,
    engine: EngineConfig,
}

impl CheckMetric {
    pub(super) fn execute(&self) -> Result<()> {
        let Chosen { registry, names } = self.options.registry(&self.plugins)?;
        listen_for_interrupts()?;
        let (entry, metric) = MetricSpec::parse(&self.metric)?.create(&registry)?;
        let label = registry.label_metric(&entry.name);
        let plan = self.plan(&registry, &names, &entry)?;
        let call = Call {
            threads: threads(self.threads),
            cancelled: &interrupt::requested,
        };
        let given = self.given(&label, &entry, metric.as_ref(), &call)?;
        let options = Options {
            seed: self.seed,
            samples: given.iter().map(|(sample, _)| sample.clone()).collect(),
            profile: plan.is_none() && !self.no_profile,
        };
        let report = testkit::check_entry(&entry, metric.as_ref(), &options);
        if !self.json {
            print(&text(&report, &given))?;
        }
        let profiles = plan
            .as_ref()
            .map(|plan| self.profiles(plan, &label, &entry, metric.as_ref(), call))
            .transpose();
        if self.json {
            let task = plan.as_ref().map(|plan| plan.task.name.as_str());
            let profile = profile_json(task, &profiles, &report);
            let json = self.to_json(&entry, metric.as_ref(), &report, &given, profile);
            print(&to_json(&json)?)?;
        } else if let (Ok(Some(profiles)), Some(plan)) = (&profiles, &plan) {
            print(&profile_text(plan.task, profiles))?;
        }
        verdict(&report, profiles.err())
    }

    /// Finds the task before any work starts; none if no profile was asked for or no task fits.
    fn plan<'a>(
        &self,
        registry: &'a Registry,
        names: &[String],
        metric: &MetricEntry,
    ) -> Result<Option<Plan<'a>>> {
        let mut with_task = self.task.is_some();
        for name in names {
            with_task |= !registry.find_plugin(name)?.tasks.is_empty();
        }
        if self.no_profile {
            return Ok(None);
        }
        let task = if with_task {
            let (plugin, task) = registry.choose_task(names, self.task.as_deref())?;
            check_kinds(registry, metric, task)?;
            Some((plugin, task))
        } else {
            let fits = |task: &TaskEntry| metric.kind == task.kind && metric.kind != Kind::Named;
            let fitting = registry.tasks().filter(|(_, task)| fits(task));
            fitting.min_by_key(|(_, task)| task.name != TASK_FOR_A_LOOK)
        };
        let Some((plugin, task)) = task else {
            if self.set.is_empty() {
                return Ok(None);
            }
            return Err(Error::configuration(format!(
                "`--set` needs a task, and none yields {} predictions",
                metric.kind
            ))
            .hint("name a plugin with `--plugin`"));
        };
        let mut layers = Layers::new(task)?;
        for assignment in &self.set {
            layers.set(assignment)?;
        }
        layers.task(task)?;
        Ok(Some(Plan {
            plugin,
            task,
            engine: layers.engine()?,
            layers,
        }))
    }

    /// The predictions that were given, with the value of the metric on them.
    fn given(
        &self,
        label: &str,
        entry: &MetricEntry,
        metric: &dyn DynMetric,
        call: &Call<'_>,
    ) -> Result<Option<(Sample, f64)>> {
        let Some(path) = &self.predictions else {
            return Ok(None);
        };
        let file = PredictionsFile::read(path)?;
        let value = file.evaluate(label, entry, metric, call)?;
        let name = format!("`{}`", path.display());
        let sample = file.with_views(|views| Ok(Sample::copy(name, views)))?;
        Ok(Some((sample, value)))
    }

    fn profiles(
        &self,
        plan: &Plan<'_>,
        label: &str,
        entry: &MetricEntry,
        metric: &dyn DynMetric,
        call: Call<'_>,
    ) -> Result<Profiles> {
        let progress = Progress::new();
        let config = plan.layers.task(plan.task)?;
        let result = metricopt_sdk::panics::guard(|| {
            let opened = Opened::new(
                plan.plugin,
                plan.task,
                config,
                self.device,
                self.seed,
                call,
                &progress,
            )?;
            let update = |phase: &str, done: u64, total: u64| progress.update(phase, done, total);
            profiles(
                &opened.observer(label, entry, metric, &()),
                &plan.engine,
                self.seed,
                &update,
            )
        });
        progress.clear();
        result
    }

    fn to_json(
        &self,
        entry: &MetricEntry,
        metric: &dyn DynMetric,
        report: &Report,
        given: &Option<(Sample, f64)>,
        profile: Value,
    ) -> Value {
        json!({
            "version": 1,
            "metric": {
                "name": entry.name,
                "options": metric.config(),
                "direction": entry.direction,
            },
            "seed": self.seed,
            "held": report.broken().next().is_none(),
            "findings": report.findings,
            "notes": report.notes,
            "predictions": given.as_ref().map(|(_, value)| json!({
                "file": self.predictions,
                "value": value,
            })),
            "profile": profile,
        })
    }
}

/// The profile, or why there is none; `null` if none was asked for.
fn profile_json(task: Option<&str>, profiles: &Result<Option<Profiles>>, report: &Report) -> Value {
    match profiles {
        Ok(Some(profiles)) => json!({
            "task": task,
            "width": profiles.width,
            "folds": profiles.folds,
            "lines": profiles.lines,
        }),
        Ok(None) if report.profiles.is_empty() => Value::Null,
        Ok(None) => json!({ "task": task, "lines": report.profiles }),
        Err(error) => json!({ "task": task, "error": error.to_string() }),
    }
}

/// The laws as people read them.
fn text(report: &Report, given: &Option<(Sample, f64)>) -> String {
    let mut text = report.to_string();
    if let Some((sample, value)) = given {
        text.push_str(&format!(
            "\n{} on {}: {value}\n",
            report.metric,
            sample.name()
        ));
    }
    text.trim_end().to_owned()
}

fn profile_text(task: &TaskEntry, profiles: &Profiles) -> String {
    let each: Vec<Profile> = profiles
        .lines
        .iter()
        .map(|line| line.profile.clone())
        .collect();
    let lines: Vec<String> = each.iter().map(|line| format!("  {line}")).collect();
    format!(
        "\nalong random lines through the pre-trained network of task `{}` ({} validation folds, width {:.3}):\n{}\n{}",
        task.name,
        profiles.folds,
        profiles.width,
        lines.join("\n"),
        testkit::summarise(&each)
    )
}

/// An error if a law is broken, or else the one that there was.
fn verdict(report: &Report, failure: Option<Error>) -> Result<()> {
    let broken: Vec<String> = report
        .broken()
        .map(|finding| format!("`{}`", finding.law))
        .collect();
    if broken.is_empty() {
        return failure.map_or(Ok(()), Err);
    }
    let laws = if broken.len() == 1 { "law" } else { "laws" };
    let broken = broken.join(", ");
    let error = Error::failed(format!(
        "metric `{}` breaks the {laws} {broken}",
        report.metric
    ));
    Err(match failure {
        Some(failure) => error.hint(format!(
            "it could not be followed on the task either: {failure}"
        )),
        None => error,
    })
}
