//! A task opened for a command, and what the engine needs beside it.

use metricopt_sdk::tch::Device;
use metricopt_sdk::{Call, Context, DynMetric, Error, Kind, MetricEntry, Result, TaskEntry};
use serde_json::Value;
use std::cell::{Cell, RefCell};
use std::path::PathBuf;
use std::sync::Arc;

use super::progress::Progress;
use crate::device::DeviceChoice;
use crate::engine::memory::Memory;
use crate::engine::observe::Observer;
use crate::engine::past::Past;
use crate::foreign::GuardedTask;
use crate::registry::{Plugin, Registry};

/// An opened task with its device and threads.
pub(super) struct Opened<'a> {
    pub(super) task: GuardedTask,
    device: Device,
    call: Call<'a>,
    pool: rayon::ThreadPool,
}

impl<'a> Opened<'a> {
    /// Opens a task with a checked configuration.
    pub(super) fn new(
        plugin: &Plugin,
        entry: &TaskEntry,
        config: &Value,
        device: DeviceChoice,
        seed: u64,
        call: Call<'a>,
        progress: &Progress,
    ) -> Result<Self> {
        // One thread a tensor operation: the bits of a matrix product depend on how it is shared out. The engine and
        // the tasks use their threads for whole candidates and blocks of rows instead.
        metricopt_sdk::tch::set_num_threads(1);
        let device = device.resolve(&|line| progress.say(line))?;
        let cache = cache_folder();
        let context = Context {
            device,
            seed,
            cache: cache.as_deref(),
            progress: &|phase, done, total| progress.update(phase, done, total),
            call,
        };
        let label = plugin.label("task", &entry.name);
        let task = GuardedTask::open(label, entry.kind, || entry.open(config, &context))?;
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(call.threads)
            .build()
            .map_err(|error| Error::failed(format!("cannot start threads: {error}")))?;
        Ok(Self {
            task,
            device,
            call,
            pool,
        })
    }

    /// The device that the task is on.
    pub(super) fn device(&self) -> Device {
        self.device
    }

    /// The engine's view of the task and a metric.
    pub(super) fn observer<'o>(
        &'o self,
        metric_label: impl Into<Arc<str>>,
        entry: &MetricEntry,
        metric: &'o dyn DynMetric,
        memory: &'o dyn Memory,
    ) -> Observer<'o> {
        Observer {
            task: &self.task,
            metric,
            metric_label: metric_label.into(),
            direction: entry.direction,
            device: self.device,
            call: self.call,
            pool: &self.pool,
            queries: Cell::new(0),
            most_queries: None,
            evaluations: Cell::new(0),
            loss_gradients: Cell::new(0),
            keeper: RefCell::default(),
            past: Past::Nothing,
            memory,
        }
    }
}

/// Refuses a metric that does not take what the task yields.
pub(super) fn check_kinds(
    registry: &Registry,
    metric: &MetricEntry,
    task: &TaskEntry,
) -> Result<()> {
    if metric.kind == task.kind || metric.kind == Kind::Named {
        return Ok(());
    }
    let fitting: Vec<String> = registry
        .metrics()
        .filter(|(_, metric)| metric.kind == task.kind)
        .map(|(_, metric)| format!("`{}`", metric.name))
        .collect();
    Err(Error::configuration(format!(
        "metric `{}` takes {} predictions, task `{}` yields {}",
        metric.name, metric.kind, task.name, task.kind
    ))
    .hint(format!("metrics that fit: {}", fitting.join(", "))))
}

/// The number of threads asked for, or all cores.
pub(super) fn threads(asked: Option<u16>) -> usize {
    match asked {
        Some(threads) => usize::from(threads),
        None => std::thread::available_parallelism().map_or(1, usize::from),
    }
}

/// Where results that can be computed again are kept; an empty `METRICOPT_CACHE` keeps nothing.
fn cache_folder() -> Option<PathBuf> {
    if let Some(folder) = std::env::var_os("METRICOPT_CACHE") {
        return (!folder.is_empty()).then(|| folder.into());
    }
    let home = || std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cache"));
    let base = std::env::var_os("XDG_CACHE_HOME")
        .filter(|folder| !folder.is_empty())
        .map(PathBuf::from);
    base.or_else(home).map(|base| base.join("metricopt"))
}
