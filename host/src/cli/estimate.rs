//! What a dry run says beside the configuration: queries, passes through the network, time and memory.

use metricopt_sdk::{Call, Description, DynTask, Error, ErrorKind, Result};
use serde::Serialize;
use std::fmt::Write;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::opened::Opened;
use super::plan::Plan;
use super::progress::Progress;
use super::quantities::{bytes, duration, rounded};
use crate::device::DeviceChoice;
use crate::engine::amounts::{Count, Passes};
use crate::engine::contender::Contender;
use crate::engine::cost::{self, Costing, Phase};
use crate::engine::past::Past;
use crate::engine::probe::Rates;
use crate::interrupt;
use crate::run::align;

/// A task that takes longer to open has to pre-train a network, or to fetch data; a dry run does not wait for that.
const OPENING: Duration = Duration::from_secs(20);
/// A network whose steps take longer is not timed.
const MEASURING: Duration = Duration::from_secs(60);

/// What is to be estimated.
pub(super) struct Wanted<'a> {
    pub(super) plan: &'a Plan<'a>,
    pub(super) past: Past<'a>,
    pub(super) device: DeviceChoice,
    pub(super) seed: u64,
    /// Threads of one run, or of one seed.
    pub(super) threads: usize,
    /// The methods and the seeds of a comparison: how many, and how many side by side.
    pub(super) comparison: Option<Seeds<'a>>,
}

/// The seeds of a comparison.
#[derive(Clone, Copy)]
pub(super) struct Seeds<'a> {
    pub(super) methods: &'a [Contender],
    pub(super) count: u64,
    pub(super) side_by_side: u64,
}

/// What a run, or one seed of a comparison, costs.
#[derive(Debug, Serialize)]
pub(super) struct Estimate {
    /// Queries in all.
    queries: Count,
    /// Queries by method, as the table will say.
    methods: Vec<MethodCount>,
    phases: Vec<PhaseCount>,
    /// Passes in all, at most; none where the task was not opened, which knows its sizes.
    passes: Option<Passes>,
    /// Seeds that each cost as much; none for a run.
    #[serde(skip_serializing_if = "Option::is_none")]
    seeds: Option<u64>,
    /// What was measured; none where that would have taken too long.
    measured: Option<Measured>,
}

/// A phase; its passes are none where the task was not opened.
#[derive(Debug, Serialize)]
struct PhaseCount {
    name: &'static str,
    method: Option<&'static str>,
    queries: Count,
    passes: Option<Passes>,
}

#[derive(Debug, Serialize)]
struct MethodCount {
    method: &'static str,
    queries: Count,
}

/// Time and memory, from a few steps with the opened task.
#[derive(Debug, Serialize)]
struct Measured {
    threads: usize,
    rates: Rates,
    /// Seconds of network and metric in all.
    seconds: f64,
    memory: Memory,
}

/// Bytes.
#[derive(Debug, Serialize)]
struct Memory {
    /// The most that this process took so far, with the data, the network, and one step of each kind; none where the system
    /// does not say.
    peak: Option<u64>,
    /// All points of the trajectories.
    trajectories: u64,
    /// Predictions along them that are kept, at most.
    predictions: u64,
}

impl Wanted<'_> {
    /// Opens the task, counts, and times a few steps. Warns of what cannot be known: the configuration alone is worth
    /// showing.
    ///
    /// # Errors
    ///
    /// That the user asked to stop.
    pub(super) fn estimate(&self) -> Result<Estimate> {
        let plan = self.plan;
        let patience = Mutex::new(Instant::now() + OPENING);
        let deadline = || *patience.lock().unwrap_or_else(PoisonError::into_inner);
        let cancelled = || interrupt::requested() || Instant::now() > deadline();
        let call = Call {
            threads: self.threads,
            cancelled: &cancelled,
        };
        let progress = Progress::new();
        let opened = Opened::new(
            plan.plugin,
            plan.task,
            plan.layers.task(plan.task)?,
            self.device,
            self.seed,
            call,
            &progress,
        );
        progress.clear();
        let opened = match opened {
            Ok(opened) => opened,
            Err(error) if interrupt::requested() => return Err(error),
            Err(error) => {
                let error = too_long(error, "opening the task takes", OPENING);
                super::warn(&error.context("only the queries are known"));
                return Ok(self.count(None));
            }
        };
        let description = opened.task.describe();
        let mut estimate = self.count(Some(&description));
        let on_device = plan.metric_on(opened.device());
        let observer = plan.observer(&opened, on_device.as_deref(), &());
        *patience.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now() + MEASURING;
        let started = Instant::now();
        let clock = || started.elapsed().as_secs_f64();
        match Rates::measure(&observer, &plan.engine, self.seed, &clock) {
            Ok(rates) => estimate.measured = Some(self.measured(rates, &estimate, &description)),
            Err(error) if interrupt::requested() => return Err(error),
            Err(error) => super::warn(
                &too_long(error, "a few steps take", MEASURING)
                    .context("time and memory are not known"),
            ),
        }
        Ok(estimate)
    }

    /// What follows from the configuration and from what the opened task says.
    pub(super) fn count(&self, description: Option<&Description>) -> Estimate {
        let engine = &self.plan.engine;
        let costing = Costing {
            config: engine,
            kind: self.plan.task.kind,
            description,
            past: self.past,
        };
        let (phases, methods) = match self.comparison {
            None => {
                let phases = costing.of_run();
                let methods = by_method(&phases);
                (phases, methods)
            }
            Some(Seeds { methods, .. }) => {
                let alone = |&method: &Contender| MethodCount {
                    method: method.name(),
                    queries: costing.alone(method),
                };
                (
                    costing.of_contest(methods),
                    methods.iter().map(alone).collect(),
                )
            }
        };
        Estimate {
            queries: cost::queries(&phases, engine.observation.max_queries),
            methods,
            passes: description.map(|_| cost::passes(&phases)),
            phases: phases
                .into_iter()
                .map(|phase| PhaseCount {
                    name: phase.name,
                    method: phase.method,
                    queries: phase.queries,
                    passes: description.map(|_| phase.passes),
                })
                .collect(),
            seeds: self.comparison.map(|seeds| seeds.count),
            measured: None,
        }
    }

    fn measured(&self, rates: Rates, estimate: &Estimate, description: &Description) -> Measured {
        let engine = &self.plan.engine;
        let trajectories = &engine.trajectories;
        let collects = estimate.phases.iter().find(|phase| {
            phase.name == "trajectories" && phase.passes.is_some_and(|passes| passes.gradient() > 0)
        });
        let points = trajectories.count as u64 * (trajectories.steps as u64 + 1);
        let observed = collects.map_or(0, |phase| phase.queries.most);
        // A comparison keeps none.
        let limit = match self.comparison {
            None => (engine.observation.keep_predictions_mib as u64) << 20,
            Some(_) => 0,
        };
        // Seeds side by side share the threads, and each waits for the slowest.
        let rounds = self
            .comparison
            .map_or(1, |seeds| seeds.count.div_ceil(seeds.side_by_side.max(1)));
        Measured {
            threads: self.threads,
            rates,
            seconds: estimate.passes.map_or(0.0, |passes| rates.seconds(&passes)) * rounds as f64,
            memory: Memory {
                peak: peak_memory(),
                trajectories: collects.map_or(0, |_| {
                    points.saturating_mul(4 * description.dimensions() as u64)
                }),
                predictions: limit.min(observed.saturating_mul(rates.prediction_bytes as u64)),
            },
        }
    }
}

/// Queries of each row of the table of a run.
fn by_method(phases: &[Phase]) -> Vec<MethodCount> {
    let mut methods: Vec<MethodCount> = Vec::new();
    for phase in phases {
        let Some(method) = phase.method else { continue };
        match methods.iter_mut().find(|row| row.method == method) {
            Some(row) => row.queries = row.queries + phase.queries,
            None => methods.push(MethodCount {
                method,
                queries: phase.queries,
            }),
        }
    }
    methods
}

impl Estimate {
    /// One line, for the start of a run.
    pub(super) fn line(&self) -> String {
        let mut line = format!("{} metric queries", self.queries);
        if let Some(passes) = &self.passes {
            // Writing to a `String` cannot fail.
            let _ = write!(
                line,
                "; through the network at most {} units forward, {} forward and back",
                rounded(passes.forward()),
                rounded(passes.gradient()),
            );
        }
        line
    }

    /// Tables and sentences for people.
    pub(super) fn text(&self) -> String {
        let of_seeds = |words: &'static str| if self.seeds.is_some() { words } else { "" };
        let mut text = match &self.passes {
            Some(passes) => self.with_passes(of_seeds(" of each seed"), passes),
            None => {
                let phases = self.phases.iter().map(|phase| (phase.name, phase.queries));
                let all = phases.filter(|(_, queries)| queries.most > 0);
                counted(
                    &format!("phase{}", of_seeds(" of each seed")),
                    all.chain([("in all", self.queries)]),
                )
            }
        };
        text.push('\n');
        text.push_str(&counted(
            &format!("method{}", of_seeds(" alone")),
            self.methods.iter().map(|row| (row.method, row.queries)),
        ));
        if self.passes.is_some() {
            text.push_str("\nPasses are the most that can come.");
        }
        if let Some(measured) = &self.measured {
            measured.tell(self.seeds, &mut text);
        }
        text.truncate(text.trim_end().len());
        text
    }

    fn with_passes(&self, each: &str, all: &Passes) -> String {
        let line = |name: &str, queries: Count, passes: &Passes| {
            [
                name.to_owned(),
                queries.to_string(),
                rounded(passes.forward()),
                rounded(passes.gradient()),
            ]
        };
        let mut rows = vec![[
            format!("phase{each}"),
            "metric queries".to_owned(),
            "units forward".to_owned(),
            "forward and back".to_owned(),
        ]];
        rows.extend(
            self.phases
                .iter()
                .map(|phase| line(phase.name, phase.queries, &phase.passes.unwrap_or_default())),
        );
        rows.push(line("in all", self.queries, all));
        align(&rows)
    }
}

/// Names with their queries.
fn counted(title: &str, rows: impl Iterator<Item = (&'static str, Count)>) -> String {
    let mut lines = vec![[title.to_owned(), "metric queries".to_owned()]];
    lines.extend(rows.map(|(name, queries)| [name.to_owned(), queries.to_string()]));
    align(&lines)
}

impl Measured {
    fn tell(&self, seeds: Option<u64>, text: &mut String) {
        let threads = match self.threads {
            1 => "1 thread".to_owned(),
            threads => format!("{threads} threads"),
        };
        let all = match seeds {
            Some(seeds) => format!(" for all {seeds} seeds, {threads} each"),
            None => format!(" on {threads}"),
        };
        // Writing to a `String` cannot fail.
        let _ = writeln!(
            text,
            " By one step of each kind, network and metric take about {}{all}; training the value function \
             and drawing the intervals come on top.",
            duration(self.seconds),
        );
        let Memory {
            peak,
            trajectories,
            predictions,
        } = self.memory;
        let mut known = format!("{} for the points of the trajectories", bytes(trajectories));
        if predictions > 0 {
            let kept = bytes(predictions);
            let _ = write!(known, " and at most {kept} for predictions that are kept");
        }
        let steps = "data, network and one step of each kind";
        let _ = match peak {
            Some(peak) => {
                let peak = bytes(peak);
                write!(
                    text,
                    "Memory: {peak} at its peak with {steps}; on top {known}."
                )
            }
            None => write!(text, "Memory on top of {steps}: {known}."),
        };
    }
}

/// The wish to stop may have been the dry run's own.
fn too_long(error: Error, what: &str, limit: Duration) -> Error {
    if error.kind() != ErrorKind::Cancelled || interrupt::requested() {
        return error;
    }
    Error::failed(format!("{what} longer than {} s", limit.as_secs()))
        .hint("a network that a run has pre-trained is in the cache the next time")
}

/// The most memory that this process has taken, in bytes, where Linux says so.
fn peak_memory() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes << 10)
}
