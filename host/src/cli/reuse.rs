//! `--trajectories` and `--value-function`: what a run takes from an earlier one.

use clap::Args;
use metricopt_sdk::{Description, Error, Result};
use serde_json::{Map, Value, json};
use std::path::{Path, PathBuf};

use super::plan::Plan;
use crate::engine::config::EngineConfig;
use crate::engine::past::{Past, Stored, StoredFunction};
use crate::run::{Identity, Reused, StoredRun, StoredValueFunction};

/// Sections of the configuration that a value function is made with; the first two make trajectories.
const FUNCTION: [&str; 4] = [
    "trajectories",
    "calibration",
    "value_function",
    "meta_training",
];

/// What was typed.
#[derive(Debug, Args)]
pub(super) struct ReuseOptions {
    /// Take the trajectories of an earlier run, of which this is the directory, instead of collecting them: the network is
    /// not evaluated before fine-tuning. For the same metric their observations take no query; another metric is evaluated
    /// on the predictions that the run kept, each evaluation a query.
    #[arg(long, value_name = "DIR", conflicts_with = "value_function")]
    trajectories: Option<PathBuf>,
    /// Begin with the value function of an earlier run for the same metric, its `value_function.safetensors`: no
    /// trajectories, no meta-training.
    #[arg(long, value_name = "FILE")]
    value_function: Option<PathBuf>,
}

/// What is taken from an earlier run, checked as far as it can be before the task is open.
#[derive(Default)]
pub(super) struct Reuse(Option<Earlier>);

struct Earlier {
    option: &'static str,
    path: PathBuf,
    identity: Identity,
    hash: String,
    what: What,
}

enum What {
    Trajectories(Box<Stored>),
    ValueFunction(Box<StoredFunction>),
}

impl ReuseOptions {
    /// Reads what was asked for, refuses what does not fit, and takes the configuration it was made with.
    pub(super) fn read(&self, plan: &mut Plan<'_>, seed: u64) -> Result<Reuse> {
        let here = identity(plan, seed, None);
        let read = match (&self.trajectories, &self.value_function) {
            (Some(path), _) => read_trajectories(path, plan, &here),
            (None, Some(path)) => read_value_function(path, plan, &here),
            (None, None) => return Ok(Reuse::default()),
        };
        read.map(|earlier| Reuse(Some(earlier)))
    }

    /// The options as they are typed, with a blank before each.
    pub(super) fn typed(&self) -> String {
        let options = [
            ("--trajectories", &self.trajectories),
            ("--value-function", &self.value_function),
        ];
        options
            .iter()
            .filter_map(|(option, path)| {
                let path = path.as_ref()?.to_string_lossy().into_owned();
                let quoted = shlex::try_quote(&path)
                    .map(|quoted| quoted.replace('\n', "\n# "))
                    .unwrap_or_default();
                Some(format!(" {option} {quoted}"))
            })
            .collect()
    }
}

fn read_trajectories(path: &Path, plan: &mut Plan<'_>, here: &Identity) -> Result<Earlier> {
    let option = "--trajectories";
    let run = StoredRun::read(path)?;
    let (identity, hash) = (run.identity.clone(), run.hash.clone());
    same_task(option, path, here.differences(&identity))?;
    let named = |error: Error| named(option, path, error);
    plan.adopt(&FUNCTION[..2], &identity.config, path)
        .map_err(named)?;
    let stored = run.stored(here).map_err(named)?;
    let engine = &plan.engine;
    stored
        .check(engine.observation.folds, engine.finetune.accept_folds)
        .map_err(named)?;
    Ok(Earlier {
        option,
        path: path.to_owned(),
        identity,
        hash,
        what: What::Trajectories(Box::new(stored)),
    })
}

fn read_value_function(path: &Path, plan: &mut Plan<'_>, here: &Identity) -> Result<Earlier> {
    let option = "--value-function";
    let file = StoredValueFunction::read(path)?;
    let (identity, hash) = (file.identity.clone(), file.hash.clone());
    same_task(option, path, here.differences(&identity))?;
    let named = |error: Error| named(option, path, error);
    plan.adopt(&FUNCTION, &identity.config, path)
        .map_err(named)?;
    let stored = file.stored(here).map_err(named)?;
    Ok(Earlier {
        option,
        path: path.to_owned(),
        identity,
        hash,
        what: What::ValueFunction(Box::new(stored)),
    })
}

impl Reuse {
    /// For the engine.
    pub(super) fn past(&self) -> Past<'_> {
        match self.0.as_ref().map(|earlier| &earlier.what) {
            None => Past::Nothing,
            Some(What::Trajectories(stored)) => Past::Trajectories(stored),
            Some(What::ValueFunction(stored)) => Past::ValueFunction(stored),
        }
    }

    /// Refuses a task that, once open, is another than that of the earlier run.
    pub(super) fn check(&self, description: Description) -> Result<()> {
        let Some(earlier) = &self.0 else {
            return Ok(());
        };
        let Some(was) = &earlier.identity.description else {
            return Ok(());
        };
        let is = crate::run::TaskDescription::from(description);
        same_task(earlier.option, &earlier.path, is.differences(was))
    }

    /// What a checkpoint has to know: contents, not names.
    pub(super) fn inputs(&self) -> Map<String, Value> {
        let input = |earlier: &Earlier| (earlier.option.to_owned(), json!(earlier.hash));
        self.0.iter().map(input).collect()
    }

    /// For the summary.
    pub(super) fn reused(&self) -> Option<Reused> {
        let earlier = self.0.as_ref()?;
        Some(Reused {
            what: match earlier.what {
                What::Trajectories(_) => "trajectories",
                What::ValueFunction(_) => "value-function",
            },
            from: earlier.path.display().to_string(),
            sha256: earlier.hash.clone(),
            metric: earlier.identity.metric.clone(),
        })
    }
}

/// What this run is about; `description` once the task is open.
pub(super) fn identity(plan: &Plan<'_>, seed: u64, description: Option<Description>) -> Identity {
    Identity {
        plugin: plan.plugin.name.clone(),
        task: plan.task.name.clone(),
        task_config: plan.layers.values()["task"].clone(),
        seed,
        metric: plan.metric_entry.name.clone(),
        metric_options: plan.metric.config(),
        direction: plan.metric_entry.direction,
        config: made_with(&plan.engine),
        description: description.map(Into::into),
    }
}

/// The configuration that trajectories and value function are made with.
fn made_with(engine: &EngineConfig) -> Value {
    let mut config = metricopt_sdk::config::to_json(engine);
    if let Value::Object(sections) = &mut config {
        sections.retain(|section, _| FUNCTION.contains(&section.as_str()));
    }
    config
}

fn same_task(option: &str, path: &Path, differences: Vec<String>) -> Result<()> {
    if differences.is_empty() {
        return Ok(());
    }
    let error = Error::configuration(format!(
        "the earlier run does not fit: {}",
        differences.join("; ")
    ));
    Err(named(option, path, error).hint(format!(
        "give task, configuration and seed of that run, or leave `{option}` out"
    )))
}

fn named(option: &str, path: &Path, error: Error) -> Error {
    error.context(format!("`{option} {}`", path.display()))
}
