//! `host export`: the tuned network as a file of weights, for use without this program.

use clap::{Args, Parser};
use metricopt_sdk::tch::Device;
use metricopt_sdk::{Call, DynTask, Error, NamedTensor, Result};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

use super::opened::{Opened, threads};
use super::plan::{Plan, PlanOptions};
use super::plugins::{Chosen, PluginOptions};
use super::progress::{Progress, say_line};
use super::{listen_for_interrupts, print, to_json};
use crate::device::DeviceChoice;
use crate::interrupt;
use crate::report::{self, data::Summary};
use crate::run::{RunDirectory, read_adapter, weights_file, write_whole};

/// Name of the file in the run directory.
const FILE: &str = "folded.safetensors";

/// Largest difference between the metric of the run and of now, on a GPU, whose sums differ from time to time.
const TOLERANCE_ON_GPU: f64 = 1e-3;

/// Write the tuned network as a file of weights.
///
/// With `--fold` the scale and shift of every FiLM site go into the weights next to it: the same outputs within 1e-5, no cost
/// at run time, and the parameter names of the pre-trained weights, so that PyTorch loads the tuned model as it loaded that
/// one. The task has to offer it. Opens the task again as the run did, from `config.toml` in its directory, and measures the
/// metric on the test split: if that is not the value of the run, data or network have changed, and nothing is written.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Export {
    /// Run directory.
    #[arg(value_name = "DIR")]
    directory: PathBuf,
    /// Fold the adapter into the weights.
    #[arg(long)]
    fold: bool,
    /// File to write [default: `folded.safetensors` in the run directory].
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Plugin to use instead of those of the run, by name or by the path of its file; may be given several times.
    #[arg(long = "plugin", value_name = "NAME|PATH")]
    plugins: Vec<String>,
    /// Device, the kind that the run had: `auto`, `cpu`, `cuda` or `cuda:N`.
    #[arg(long, default_value = "auto")]
    device: DeviceChoice,
    /// Print file, tensors and metric as JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    options: PluginOptions,
}

const EXAMPLES: &str = "\
Examples:
  host export runs/tabular-f1-1 --fold
  host export runs/tabular-f1-1 --fold --out tuned.safetensors --json

Load it in PyTorch:
  from safetensors.torch import load_file
  model.load_state_dict(load_file(\"tuned.safetensors\"))";

/// The command that a run was started with, as its `config.toml` says it in the first line.
#[derive(Debug, Parser)]
#[command(no_binary_name = true)]
struct Recorded {
    #[command(flatten)]
    what: PlanOptions,
    #[arg(long)]
    seed: u64,
}

impl Export {
    pub(super) fn execute(&self) -> Result<()> {
        let directory = &self.directory;
        if !self.fold {
            return Err(Error::configuration("nothing to export was named")
                .hint("`--fold` writes the weights with the adapter folded in")
                .hint(format!(
                    "the adapter itself needs no export: it is `{}`",
                    directory.join("adapter.safetensors").display()
                )));
        }
        let summary = finished(directory)?;
        let recorded = recorded(directory, &self.plugins)?;
        let Chosen { registry, names } = recorded.what.plugins(&self.options)?;
        listen_for_interrupts()?;
        let plan = recorded.what.plan(&registry, &names)?;
        let (tensors, test) = self.fold(&plan, recorded.seed, &summary)?;
        let provenance = json!({
            "version": 1,
            "host": env!("CARGO_PKG_VERSION"),
            "plugin": plan.plugin.name,
            "task": plan.task.name,
            "metric": { "name": plan.metric_entry.name, "options": plan.metric.config() },
            "seed": recorded.seed,
            "accepted": summary.accepted,
        });
        let out = self.out.clone().unwrap_or_else(|| directory.join(FILE));
        let file = weights_file(&tensors, &provenance)?;
        write_whole(&out, &file).map_err(|error| {
            Error::data(format!("cannot write `{}`: {error}", out.display()))
                .hint("choose a file in a folder that you may write to with `--out FILE`")
        })?;
        if !summary.accepted {
            say_line(
                "the run kept the pre-trained network: these are its weights as they were before",
            );
        }
        print(&if self.json {
            let mut found = provenance;
            found["file"] = json!(out);
            found["test"] = json!(test);
            found["tensors"] = tensors.iter().map(about).collect();
            to_json(&found)?
        } else {
            words(&out, &tensors, &plan.metric_entry.name, test)
        })
    }

    /// The folded weights, and the metric on the test split, which is that of the run.
    fn fold(
        &self,
        plan: &Plan<'_>,
        seed: u64,
        summary: &Summary,
    ) -> Result<(Vec<NamedTensor>, f64)> {
        let progress = Progress::new();
        let call = Call {
            threads: threads(None),
            cancelled: &interrupt::requested,
        };
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
        progress.clear();
        let sites = opened.task.describe().sites;
        let phi = read_adapter(&self.directory.join("adapter.safetensors"), &sites)?;
        let observer = plan.observer(&opened, None, &());
        let tensors = opened
            .task
            .fold(&observer.tensor(&[&phi])?.f_squeeze_dim(0)?)?;
        let test = observer.test(&phi)?;
        let Some(expected) = summary.method("metricopt").map(|method| method.test) else {
            return Ok((tensors, test));
        };
        let tolerance = match observer.device {
            Device::Cpu => 1e-9,
            _ => TOLERANCE_ON_GPU,
        } * expected.abs().max(1.0);
        if (test - expected).abs() > tolerance {
            return Err(Error::data(format!(
                "test {} is {test} with this adapter, and was {expected} in the run: the task is not what it was",
                plan.metric_entry.name
            ))
            .hint("restore the data files and the plugin of the run, and export where it ran, with the same `--device`"));
        }
        Ok((tensors, test))
    }
}

/// The summary of a run that came to its end.
fn finished(directory: &Path) -> Result<Summary> {
    if directory.join(report::comparison::DATA_FILE).exists() {
        return Err(Error::data(format!(
            "`{}` holds a comparison, which keeps no adapter",
            directory.display()
        ))
        .hint("repeat the best method by `host run`, and export that"));
    }
    let summary = Summary::read(directory)?;
    if RunDirectory::is_complete(directory) {
        return Ok(summary);
    }
    Err(Error::data(format!(
        "the run in `{}` did not come to its end",
        directory.display()
    ))
    .hint("the command of the run with `--resume` goes on"))
}

/// The command in the first lines of `config.toml`, a comment; other plugins than its own if any are given.
fn recorded(directory: &Path, plugins: &[String]) -> Result<Recorded> {
    let path = directory.join("config.toml");
    let unusable = |what: String| {
        Error::data(format!("cannot use `{}`: {what}", path.display()))
            .hint("restore the file from a copy: it says what the run was")
    };
    let text = std::fs::read_to_string(&path).map_err(|error| unusable(error.to_string()))?;
    let comment: Vec<&str> = text
        .lines()
        .map_while(|line| line.strip_prefix("# "))
        .collect();
    let words = comment
        .join("\n")
        .strip_prefix("host run ")
        .and_then(shlex::split)
        .ok_or_else(|| unusable("it does not begin with the command of a run".to_owned()))?;
    let mut arguments = Vec::new();
    let mut words = words.into_iter();
    while let Some(word) = words.next() {
        match word.as_str() {
            "--plugin" if !plugins.is_empty() => drop(words.next()),
            "THIS_FILE" => arguments.push(path.clone().into_os_string()),
            _ => arguments.push(word.into()),
        }
    }
    for plugin in plugins {
        arguments.extend(["--plugin".into(), plugin.into()]);
    }
    Recorded::try_parse_from(arguments).map_err(|error| {
        let reason = error.to_string();
        let reason = reason.lines().next().unwrap_or_default();
        unusable(reason.trim_start_matches("error: ").to_owned())
    })
}

/// A tensor for machines.
fn about(tensor: &NamedTensor) -> Value {
    json!({ "name": tensor.name, "shape": tensor.tensor.size() })
}

fn words(out: &Path, tensors: &[NamedTensor], metric: &str, test: f64) -> String {
    let values: usize = tensors.iter().map(|tensor| tensor.tensor.numel()).sum();
    let mut text = format!(
        "{}: {} tensors, {values} values; test {metric} {test:.4}, as in the run\n",
        out.display(),
        tensors.len()
    );
    let width = tensors.iter().map(|tensor| tensor.name.len()).max();
    for NamedTensor { name, tensor } in tensors {
        text.push_str(&format!(
            "  {name:<0$}  {1:?}\n",
            width.unwrap_or(0),
            tensor.size()
        ));
    }
    text.push_str(&format!(
        "\nIn PyTorch, with the module of the pre-trained weights:\n  \
         from safetensors.torch import load_file\n  model.load_state_dict(load_file({:?}))",
        out.display().to_string()
    ));
    text
}
