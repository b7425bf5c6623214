//! `host bench`: how long a run takes, by phases, and how much memory.

use clap::Args;
use metricopt_sdk::{Error, Result, panics};
use std::time::Instant;

use super::device_options::DeviceOptions;
use super::job::{Done, Job};
use super::opened::threads;
use super::plan::PlanOptions;
use super::plugins::{Chosen, PluginOptions};
use super::progress::Progress;
use super::reuse::Reuse;
use super::{listen_for_interrupts, print, to_json};
use crate::engine::budget;
use crate::engine::meter::{Cost, Phase};
use crate::peak_memory::peak_memory;
use crate::report;
use crate::run::RunDirectory;
use crate::run::checkpoint::Checkpoint;
use crate::run::measurement::{self, Measurement};

/// Measure a run: seconds of every phase, queries and network steps a second, peak memory.
///
/// Does what `host run` does with the same options, report and all, in a temporary directory that is removed again. Seconds and
/// counts are those that the engine keeps of itself. `opening` is what the task does before the first query; pre-trained
/// networks are taken from the cache and put there as by `host run`: with an empty METRICOPT_CACHE they are always trained.
/// Queries are evaluations of the metric that results depend on, so `test` and `landscape` ask none. A network step is the
/// loss gradient at one adapter on one minibatch. Peak memory is the most that the process held at a time, libraries
/// included (`VmHWM` of Linux).
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Bench {
    #[command(flatten)]
    what: PlanOptions,
    /// Seed of everything random.
    #[arg(long, default_value_t = 0)]
    seed: u64,
    #[command(flatten)]
    place: DeviceOptions,
    /// Threads [default: all cores].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    threads: Option<u16>,
    /// Print JSON instead of the table.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    options: PluginOptions,
}

const EXAMPLES: &str = "\
Examples:
  host bench --plugin tabular --threads 1
  host bench --plugin tabular --metric aucpr --set finetune.es.pairs=0 --json
  METRICOPT_CACHE= host bench --plugin classification     pre-training included";

impl Bench {
    pub(super) fn execute(&self) -> Result<()> {
        let Chosen { registry, names } = self.what.plugins(&self.options)?;
        listen_for_interrupts()?;
        let plan = self.what.plan(&registry, &names)?;
        let reuse = Reuse::default();
        budget::check(&plan.engine, reuse.past())?;
        let job = Job {
            plan: &plan,
            reuse: &reuse,
            seed: self.seed,
            device: self.place.choice(),
            threads: threads(self.threads),
        };
        let place = tempfile::Builder::new()
            .prefix("metricopt-bench-")
            .tempdir()
            .map_err(|error| {
                Error::failed(format!("cannot make a temporary directory: {error}"))
                    .hint("`TMPDIR` says where")
            })?;
        let progress = Progress::new();
        let result = panics::guard(|| {
            let mut directory = RunDirectory::create(place.path())?;
            let checkpoint = Checkpoint::create(place.path(), &job.answers())?;
            let resolved = self
                .what
                .resolved("run", &plan, &format!("--seed {}", self.seed));
            directory.write("config.toml", resolved.as_bytes())?;
            let Done { mut phases, .. } = job.execute(&mut directory, &checkpoint, &progress)?;
            let begun = Instant::now();
            let html = report::of_run(place.path())?;
            directory.write(report::FILE, html.as_bytes())?;
            phases.push(Phase {
                name: "report",
                cost: Cost {
                    seconds: begun.elapsed().as_secs_f64(),
                    ..Cost::default()
                },
            });
            Ok(phases)
        });
        progress.clear();
        let job = measurement::Job {
            plugin: plan.plugin.name.clone(),
            task: plan.task.name.clone(),
            metric: plan.metric_entry.name.clone(),
            seed: job.seed,
            threads: job.threads,
            device: job.device.to_string(),
        };
        let measurement = Measurement::new(job, &result?, peak_memory());
        print(&if self.json {
            to_json(&measurement)?
        } else {
            measurement.table()
        })
    }
}
