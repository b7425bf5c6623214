//! One run of the whole method on a checked plan, into a run directory: what `run` and `bench` share.

use metricopt_sdk::{Call, DynTask, Result};
use serde_json::{Map, Value, json};
use std::time::Instant;

use super::estimate::Wanted;
use super::opened::Opened;
use super::plan::Plan;
use super::progress::Progress;
use super::reuse::{Reuse, identity};
use super::to_json;
use crate::device::DeviceChoice;
use crate::engine::config::EngineConfig;
use crate::engine::meter::{Cost, Phase};
use crate::engine::samples::samples;
use crate::engine::tune::{Tuned, tune};
use crate::interrupt;
use crate::run::checkpoint::Checkpoint;
use crate::run::samples::{FILE as SAMPLES, samples_file};
use crate::run::{MetricSummary, RunDirectory, Summary};

/// What to run, and on what.
pub(super) struct Job<'a> {
    pub(super) plan: &'a Plan<'a>,
    pub(super) reuse: &'a Reuse,
    pub(super) seed: u64,
    pub(super) device: DeviceChoice,
    pub(super) threads: usize,
}

/// A job that was done.
pub(super) struct Done {
    pub(super) summary: Summary,
    /// What it consisted of, in order, the opening of the task first.
    pub(super) phases: Vec<Phase>,
}

impl Job<'_> {
    /// What is to be estimated before it is done.
    pub(super) fn wanted(&self) -> Wanted<'_> {
        Wanted {
            plan: self.plan,
            past: self.reuse.past(),
            device: self.device,
            seed: self.seed,
            threads: self.threads,
            comparison: None,
        }
    }

    /// Everything that the answers of network and metric depend on, for the checkpoint.
    pub(super) fn answers(&self) -> Map<String, Value> {
        let plan = self.plan;
        let mut run = plan.layers.flat();
        let more = json!({
            "host": env!("CARGO_PKG_VERSION"),
            "plugin": plan.plugin.name,
            "plugin version": plan.plugin.version,
            "task name": plan.task.name,
            "metric": plan.metric_entry.name,
            "metric options": plan.metric.config(),
            "seed": self.seed,
            "device": self.device.to_string(),
        });
        run.extend(more.as_object().cloned().unwrap_or_default());
        run.extend(self.reuse.inputs());
        if let Some(digest) = &plan.optimizer_digest {
            run.insert("learned optimizer".to_owned(), json!(digest));
        }
        run
    }

    /// Opens the task, runs the method, and leaves everything but the report in the directory.
    pub(super) fn execute(
        &self,
        directory: &mut RunDirectory,
        checkpoint: &Checkpoint,
        progress: &Progress,
    ) -> Result<Done> {
        let plan = self.plan;
        let started = Instant::now();
        let clock = || started.elapsed().as_secs_f64();
        let call = Call {
            threads: self.threads,
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
        let opening = Phase {
            name: "opening",
            cost: Cost {
                seconds: clock(),
                ..Cost::default()
            },
        };
        for (name, fact) in opened.task.describe().facts {
            progress.say(&format!("{name:<18} {fact}"));
        }
        let description = opened.task.describe();
        self.reuse.check(description.clone())?;
        let planned = self.wanted().count(Some(&description)).line();
        progress.say(&format!("{:<18} {planned}", "plan"));
        directory.identify(identity(plan, self.seed, Some(description)));
        let on_device = plan.metric_on(opened.device());
        let mut observer = plan.observer(&opened, on_device.as_deref(), checkpoint);
        observer.most_queries = plan.engine.observation.max_queries;
        observer.past = self.reuse.past();
        let update = |phase: &str, done: u64, total: u64| progress.update(phase, done, total);
        let tuned = tune(
            &observer,
            plan.task.kind,
            &plan.engine,
            self.seed,
            &clock,
            &update,
            directory,
        )?;
        warn(&tuned, &plan.engine, progress);
        if let Some(samples) = samples(&observer, plan.task.kind, &tuned.adapter, self.seed)? {
            directory.write(SAMPLES, &samples_file(&samples)?)?;
        }
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
            self.reuse.reused(),
            plan.engine.observation.max_queries,
        );
        directory.write(
            "summary.json",
            format!("{}\n", to_json(&summary)?).as_bytes(),
        )?;
        directory.flush()?;
        let mut phases = vec![opening];
        phases.extend(tuned.phases);
        Ok(Done { summary, phases })
    }
}

/// Says how far the value function can be trusted.
fn warn(tuned: &Tuned, config: &EngineConfig, progress: &Progress) {
    if let Some(reason) = &tuned.not_kept {
        progress.say(&format!(
            "predictions        not kept, {reason}; only the same metric can use these trajectories again"
        ));
    }
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
