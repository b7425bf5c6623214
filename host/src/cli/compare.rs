//! `host compare`: methods side by side over several seeds.

use clap::Args;
use metricopt_sdk::tch::Device;
use metricopt_sdk::{Call, DynTask, Error, ErrorKind, Result, panics};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use super::device_options::DeviceOptions;
use super::estimate::{Seeds, Wanted};
use super::opened::{Opened, threads};
use super::plan::{Plan, PlanOptions};
use super::plugins::{Chosen, PluginOptions};
use super::progress::{Progress, say_line};
use super::{listen_for_interrupts, print, to_json};
use crate::device::DeviceChoice;
use crate::engine::contender::Contender;
use crate::engine::contest::{Contest, SeedResult};
use crate::engine::past::Past;
use crate::interrupt;
use crate::report;
use crate::run::{Comparison, ComparisonDirectory, MetricSummary};

/// Compare methods side by side, paired by seed.
///
/// Every seed has its own pre-trained network, splits and folds, and all methods share them. Prints one table: test value
/// over the seeds, the paired difference to loss-only fine-tuning with its 95 % interval, a paired t test with Holm's
/// correction, metric queries and seconds; and a sentence that says what is clear. Loss-only is no straw man: its optimizer
/// and learning rate are chosen on validation. Finished seeds are kept: the same command with the same `--out` goes on
/// where it was stopped.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Compare {
    #[command(flatten)]
    what: PlanOptions,
    /// Number of seeds, from 0.
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u64).range(2..=1000))]
    seeds: u64,
    /// Methods to compare, separated by commas; pretrained and loss-only are always among them [default: all].
    #[arg(long, value_name = "NAME,...", value_delimiter = ',')]
    methods: Vec<String>,
    /// Directory of the comparison; new, empty, or the one to go on with [default: a new numbered one in `runs`].
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    #[command(flatten)]
    place: DeviceOptions,
    /// Threads, shared out among seeds side by side [default: all cores]. The result does not depend on it. On a GPU the seeds run
    /// one after the other.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    threads: Option<u16>,
    /// Print the resolved configuration with the origin of every value, and stop. What one seed would cost goes to standard
    /// error, as with `host run --dry-run`: metric queries by method and by phase, passes through the network, and about how
    /// much time and memory.
    #[arg(long)]
    dry_run: bool,
    /// Print the comparison as JSON instead of the table, or with `--dry-run` the configuration and the cost.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    options: PluginOptions,
}

const EXAMPLES: &str = "\
Methods:
  pretrained          the network as it is
  threshold           decision threshold tuned on validation
  loss-only           surrogate loss; optimizer and learning rate chosen on validation from a grid up to SGD 0.3
  best-trajectory     best point of the trajectories, without any tuning
  class-weighted      class-weighted surrogate loss
  loss-on-validation  surrogate loss of the validation labels, on the same grid
  es                  plain evolution strategies on the metric
  guided-es           loss and Guided-ES, without value function
  value-function      loss and value function, without search
  metricopt-sgd       loss, value function and Guided-ES, with SGD
  metricopt-adam      the same with Adam
  metricopt-learned   the same with Adam and a learned correction, meta-trained on the trajectories

Examples:
  host compare --plugin tabular --seeds 8
  host compare --plugin tabular --seeds 8 --dry-run            what it would cost
  host compare --plugin tabular --metric aucpr --methods threshold,es,metricopt-sgd
  host compare --plugin tabular --seeds 20 --out runs/many    again after Ctrl-C: goes on";

/// The seeds of one comparison, on several threads.
struct Work<'a> {
    plan: &'a Plan<'a>,
    methods: &'a [Contender],
    device: DeviceChoice,
    setup: &'a Value,
    directory: &'a ComparisonDirectory,
    threads_per_seed: usize,
    /// Whether some seed has failed, so that the others stop.
    failed: AtomicBool,
}

impl Compare {
    pub(super) fn execute(&self) -> Result<()> {
        let methods = if self.methods.is_empty() {
            Contender::ALL.to_vec()
        } else {
            Contender::parse_list(self.methods.iter().map(|name| name.trim()))?
        };
        let Chosen { registry, names } = self.what.plugins(&self.options)?;
        listen_for_interrupts()?;
        let plan = self.what.plan(&registry, &names)?;
        if plan.engine.observation.max_queries.is_some() {
            return Err(Error::configuration(
                "`observation.max_queries` is set, which a comparison does not keep to",
            )
            .hint("leave it out; it bounds `host run`"));
        }
        if self.dry_run {
            return self.rehearse(&plan, &methods);
        }
        let device = self.place.choice().resolve(&say_line)?;
        let setup = setup(&plan, device, &methods);
        let name = format!("compare-{}-{}", plan.task.name, plan.metric_entry.name);
        let directory = match &self.out {
            Some(path) => ComparisonDirectory::open(path)?,
            None => ComparisonDirectory::create_numbered(Path::new("runs"), &name)?,
        };
        let finished = directory.finished(&setup)?;
        interrupt::remember(directory.remains());
        let result = self.compare(&plan, &methods, device, &setup, &directory, finished);
        let path = directory.path().display().to_string();
        match result {
            Ok(comparison) => {
                print(&if self.json {
                    to_json(&comparison)?
                } else {
                    comparison.table()
                })?;
                eprintln!("\nresults are in {path}");
                let file = report::comparison::FILE;
                match report::of_comparison(directory.path())
                    .and_then(|html| directory.write(file, &html))
                {
                    Ok(()) => eprintln!("the page is {path}/{file}"),
                    // The results are all there; the page can be made again.
                    Err(error) => {
                        super::warn(&error.context("there is no page of this comparison"))
                    }
                }
                Ok(())
            }
            Err(error) => Err(match directory.remains().tidy(false) {
                Some(_) => error.hint(format!(
                    "finished seeds are kept: the same command with `--out {path}` goes on"
                )),
                None => error,
            }),
        }
    }

    /// The resolved configuration, and how to use it again.
    fn resolved(&self, plan: &Plan<'_>, methods: &[Contender]) -> String {
        let names: Vec<&str> = methods.iter().map(|method| method.name()).collect();
        let more = format!("--seeds {} --methods {}", self.seeds, names.join(","));
        self.what.resolved("compare", plan, &more)
    }

    /// Says what would be done, and what it would cost.
    fn rehearse(&self, plan: &Plan<'_>, methods: &[Contender]) -> Result<()> {
        let device = self.place.choice().resolve(&say_line)?;
        let threads = threads(self.threads);
        let side_by_side = side_by_side(device, threads, self.seeds as usize);
        let wanted = Wanted {
            plan,
            past: Past::Nothing,
            device: self.place.choice(),
            seed: 0,
            threads: (threads / side_by_side).max(1),
            comparison: Some(Seeds {
                methods,
                count: self.seeds,
                side_by_side: side_by_side as u64,
            }),
        };
        if self.json {
            return print(&to_json(&json!({
                "version": 1,
                "plugin": plan.plugin.name,
                "task": plan.task.name,
                "metric": { "name": plan.metric_entry.name, "options": plan.metric.config() },
                "seeds": self.seeds,
                "methods": methods,
                "config": plan.layers.to_json(),
                "estimate": wanted.estimate()?,
            }))?);
        }
        // First what is certain; opening the task may take a while, or fail.
        print(&self.resolved(plan, methods))?;
        eprintln!("\n{}", wanted.estimate()?.text());
        Ok(())
    }

    fn compare(
        &self,
        plan: &Plan<'_>,
        methods: &[Contender],
        device: Device,
        setup: &Value,
        directory: &ComparisonDirectory,
        mut finished: BTreeMap<u64, SeedResult>,
    ) -> Result<Comparison> {
        directory.write("config.toml", &self.resolved(plan, methods))?;
        finished.retain(|&seed, _| seed < self.seeds);
        let missing: Vec<u64> = (0..self.seeds)
            .filter(|seed| !finished.contains_key(seed))
            .collect();
        if !finished.is_empty() {
            say_line(&format!(
                "{} of {} seeds are already there",
                finished.len(),
                self.seeds
            ));
        }
        let threads = threads(self.threads);
        let side_by_side = side_by_side(device, threads, missing.len());
        let work = Work {
            plan,
            methods,
            device: self.place.choice(),
            setup,
            directory,
            threads_per_seed: (threads / side_by_side).max(1),
            failed: AtomicBool::new(false),
        };
        for result in work.run(&missing, side_by_side)? {
            finished.insert(result.seed, result);
        }
        let comparison = Comparison::new(
            setup.clone(),
            &plan.metric_entry.name,
            plan.metric_entry.direction,
            &plan.task.name,
            finished.into_values().collect(),
        );
        directory.write("comparison.csv", &comparison.csv())?;
        directory.write("comparison.json", &to_json(&comparison)?)?;
        Ok(comparison)
    }
}

impl Work<'_> {
    /// Computes the seeds, several at a time, and keeps each.
    fn run(&self, seeds: &[u64], side_by_side: usize) -> Result<Vec<SeedResult>> {
        let next = AtomicUsize::new(0);
        let done = Mutex::new((Vec::new(), None));
        let lock = || done.lock().unwrap_or_else(PoisonError::into_inner);
        let work = || {
            while let Some(&seed) = seeds.get(next.fetch_add(1, Ordering::Relaxed)) {
                if self.stopped() {
                    break;
                }
                let started = Instant::now();
                let result = panics::guard(|| {
                    let result = self.seed(seed, seed == seeds[0])?;
                    self.directory.keep(self.setup, &result)?;
                    Ok(result)
                });
                let (results, error): &mut (Vec<SeedResult>, Option<Error>) = &mut lock();
                match result {
                    Ok(result) => {
                        results.push(result);
                        say_line(&format!(
                            "seed {seed}: {:.1} s ({} of {})",
                            started.elapsed().as_secs_f64(),
                            results.len(),
                            seeds.len()
                        ));
                    }
                    Err(found) => {
                        self.failed.store(true, Ordering::Relaxed);
                        // The others stop because of the first one; that is the one to tell.
                        error.get_or_insert_with(|| match found.kind() {
                            ErrorKind::Cancelled => found,
                            _ => found.hint(format!("this was seed {seed}")),
                        });
                    }
                }
            }
        };
        std::thread::scope(|scope| {
            for _ in 0..side_by_side {
                scope.spawn(work);
            }
        });
        let stopped = self.stopped();
        let (results, error) = done.into_inner().unwrap_or_else(PoisonError::into_inner);
        match error {
            Some(error) => Err(error),
            None if stopped && results.len() < seeds.len() => Err(Error::cancelled()),
            None => Ok(results),
        }
    }

    fn stopped(&self) -> bool {
        interrupt::requested() || self.failed.load(Ordering::Relaxed)
    }

    /// All methods at one seed; `talks` tells about the data.
    fn seed(&self, seed: u64, talks: bool) -> Result<SeedResult> {
        let plan = self.plan;
        let cancelled = || self.stopped();
        let call = Call {
            threads: self.threads_per_seed,
            cancelled: &cancelled,
        };
        let progress = Progress::lines_of(&format!("seed {seed}"));
        let config = plan.layers.task(plan.task)?;
        let opened = Opened::new(
            plan.plugin,
            plan.task,
            config,
            self.device,
            seed,
            call,
            &progress,
        )?;
        if talks {
            for (name, fact) in opened.task.describe().facts {
                say_line(&format!("{name:<18} {fact}"));
            }
        }
        let on_device = plan.metric_on(opened.device());
        let observer = plan.observer(&opened, on_device.as_deref(), &());
        let started = Instant::now();
        Contest {
            observer: &observer,
            kind: plan.task.kind,
            config: &plan.engine,
            seed,
            clock: &|| started.elapsed().as_secs_f64(),
            progress: &|phase, done, total| progress.update(phase, done, total),
        }
        .run(self.methods)
    }
}

/// How many seeds are computed at a time: those on one GPU would only share it, and its memory may hold but one.
fn side_by_side(device: Device, threads: usize, seeds: usize) -> usize {
    match device {
        Device::Cuda(_) => 1,
        _ => threads.clamp(1, seeds.max(1)),
    }
}

/// Everything but the seed that decides a result: seeds of different setups are never mixed.
fn setup(plan: &Plan<'_>, device: Device, methods: &[Contender]) -> Value {
    let mut setup = json!({
        "host": env!("CARGO_PKG_VERSION"),
        "plugin": plan.plugin.name,
        "task": plan.task.name,
        "metric": MetricSummary {
            name: plan.metric_entry.name.clone(),
            options: plan.metric.config(),
            direction: plan.metric_entry.direction,
        },
        "device": match device {
            Device::Cuda(index) => format!("cuda:{index}"),
            _ => "cpu".to_owned(),
        },
        "methods": methods,
        "config": plan.layers.values(),
    });
    if let Some(digest) = &plan.optimizer_digest {
        setup["learned optimizer"] = json!(digest);
    }
    setup
}
