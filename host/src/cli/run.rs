//! `host run`: the whole method on one task and one metric.

use clap::Args;
use metricopt_sdk::{ErrorKind, Result, panics};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

use super::device_options::DeviceOptions;
use super::job::{Done, Job};
use super::opened::threads;
use super::plan::{Plan, PlanOptions};
use super::plugins::{Chosen, PluginOptions};
use super::progress::Progress;
use super::reuse::ReuseOptions;
use super::{listen_for_interrupts, print, to_json};
use crate::engine::budget;
use crate::interrupt;
use crate::report;
use crate::run::RunDirectory;
use crate::run::checkpoint::{self, Checkpoint};

/// Fine-tune a pre-trained model for a metric and compare with the simple alternatives.
///
/// Prints one table: the pre-trained model, loss-only fine-tuning, threshold tuning, class-weighted loss, plain
/// evolution strategies and MetricOpt, each with its validation and test value, the difference to the pre-trained
/// model with a 95 % interval (paired bootstrap over test rows, queries or images), metric queries and seconds. Everything it found is in
/// the run directory.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Run {
    #[command(flatten)]
    what: PlanOptions,
    #[command(flatten)]
    reuse: ReuseOptions,
    /// Most queries of the metric that the whole run may ask; the same as `--set observation.max_queries=N`. MetricOpt
    /// comes first and stops early where they run out; alternatives that do not fit in what is left are left out.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    max_queries: Option<u64>,
    /// Run directory; must be new or empty [default: a new numbered one in `runs`].
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Seed of everything random.
    #[arg(long, default_value_t = 0)]
    seed: u64,
    #[command(flatten)]
    place: DeviceOptions,
    /// Threads [default: all cores]. The result does not depend on it.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    threads: Option<u16>,
    /// Go on with a run that was interrupted, in the directory of `--out`, to the same result; begin it where there is none.
    #[arg(long, requires = "out")]
    resume: bool,
    /// Print the resolved configuration with the origin of every value, and stop. What the run would cost goes to standard
    /// error: metric queries and passes through the network by phase, and about how much time and memory, from a few timed
    /// steps. The task is opened for that; where that takes longer than 20 seconds, as when a large network
    /// has to be pre-trained, only the queries are known. A network that was pre-trained is kept for the run.
    #[arg(long)]
    dry_run: bool,
    /// Print the summary, or with `--dry-run` the configuration and the cost, as JSON.
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
  host run --plugin tabular --out runs/mine --resume
  host run --plugin tabular --metric mcr --trajectories runs/mine
  host run --plugin tabular --value-function runs/mine/value_function.safetensors --max-queries 500
  host run --plugin tabular --plugin ./target/release/libprofit.so --metric profit:gain=5

`host describe TASK` and `host describe config` explain every key.";

impl Run {
    pub(super) fn execute(&self) -> Result<()> {
        let Chosen { registry, names } = self.what.plugins(&self.options)?;
        listen_for_interrupts()?;
        let mut plan = self.what.plan(&registry, &names)?;
        if let Some(most) = self.max_queries {
            plan.set(&format!("observation.max_queries={most}"))?;
        }
        let reuse = self.reuse.read(&mut plan, self.seed)?;
        budget::check(&plan.engine, reuse.past())?;
        let job = Job {
            plan: &plan,
            reuse: &reuse,
            seed: self.seed,
            device: self.place.choice(),
            threads: threads(self.threads),
        };
        if self.dry_run {
            return self.rehearse(&job);
        }
        let progress = Progress::new();
        let Some((mut directory, checkpoint)) = self.begin(&job)? else {
            return Ok(());
        };
        interrupt::remember(directory.remains());
        let result = panics::guard(|| {
            directory.write("config.toml", self.resolved(&plan).as_bytes())?;
            job.execute(&mut directory, &checkpoint, &progress)
        });
        progress.clear();
        match result {
            Ok(Done { summary, .. }) => {
                print(&if self.json {
                    to_json(&summary)?
                } else {
                    summary.table()
                })?;
                let path = directory.path();
                eprintln!("\nresults are in {}", path.display());
                match report::of_run(path)
                    .and_then(|html| directory.write(report::FILE, html.as_bytes()))
                {
                    Ok(()) => eprintln!("the report is {}", path.join(report::FILE).display()),
                    // The results are all there; the page can be made again.
                    Err(error) => super::warn(&error.context("there is no report of this run")),
                }
                // Last of all: killed before, the run can be resumed for what is missing.
                directory.complete()
            }
            Err(error) => {
                let path = directory.path().to_owned();
                let stopped = error.kind() == ErrorKind::Cancelled;
                let kept = directory.abandon(stopped);
                Err(match (kept, stopped) {
                    (true, true) => error.hint(format!(
                        "what was finished is in `{0}`; the same command with `--out {0} --resume` goes on",
                        path.display()
                    )),
                    (true, false) => {
                        error.hint(format!("what was finished is in `{}`", path.display()))
                    }
                    (false, _) => error,
                })
            }
        }
    }

    /// The run directory, new or to go on in, with what network and metric answered so far; none if there is nothing left
    /// to do.
    fn begin(&self, job: &Job<'_>) -> Result<Option<(RunDirectory, Checkpoint)>> {
        let run = job.answers();
        let directory = match &self.out {
            Some(path) if self.resume => {
                if RunDirectory::is_complete(path) {
                    eprintln!("{} is complete: there is nothing to resume", path.display());
                    return Ok(None);
                }
                if path.join(checkpoint::FILE_NAME).exists() {
                    // Nothing of the directory is touched before it is known to be this run's.
                    let checkpoint = Checkpoint::open(path, &run)?;
                    return Ok(Some((RunDirectory::resume(path)?, checkpoint)));
                }
                RunDirectory::resume(path)?
            }
            Some(path) => RunDirectory::create(path)?,
            None => {
                let name = format!("{}-{}", job.plan.task.name, job.plan.metric_entry.name);
                RunDirectory::create_numbered(Path::new("runs"), &name)?
            }
        };
        let checkpoint = Checkpoint::create(directory.path(), &run)?;
        Ok(Some((directory, checkpoint)))
    }

    /// Says what would be done, and what it would cost.
    fn rehearse(&self, job: &Job<'_>) -> Result<()> {
        let wanted = job.wanted();
        if self.json {
            let mut resolved = self.resolved_json(job.plan);
            resolved["estimate"] = json!(wanted.estimate()?);
            return print(&to_json(&resolved)?);
        }
        // First what is certain; opening the task may take a while, or fail.
        print(&self.resolved(job.plan))?;
        eprintln!("\n{}", wanted.estimate()?.text());
        Ok(())
    }

    /// The resolved configuration, and how to use it again.
    fn resolved(&self, plan: &Plan<'_>) -> String {
        let more = format!("--seed {}{}", self.seed, self.reuse.typed());
        self.what.resolved("run", plan, &more)
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
}
