//! The command line: what was typed, and which command it means. Only this folder writes to standard output.

#![expect(clippy::print_stderr, reason = "this is where people are spoken to")]

mod bench;
mod check_metric;
mod compare;
mod completions;
mod data;
mod describe;
mod device_options;
mod estimate;
mod export;
mod job;
mod list;
mod log;
mod man;
mod new;
mod opened;
mod output;
mod plan;
mod plugin;
mod plugins;
mod progress;
mod quantities;
mod report;
mod reuse;
mod run;
mod score;

use clap::{Parser, Subcommand};
use metricopt_sdk::{Error, ErrorKind, Result};
use std::io::IsTerminal;
use std::process::ExitCode;

use crate::interrupt;
use output::{harmless, print};

/// Fine-tune a pre-trained model for the metric you report.
///
/// The metric needs no gradient: F1, average precision, recall@k, whatever a function can compute from predictions.
/// The method is MetricOpt (Huang et al., CVPR 2021, arXiv 2104.10631).
#[derive(Debug, Parser)]
#[command(name = "host", bin_name = "host", version, arg_required_else_help = true, after_help = EXAMPLES)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
    /// How much to log: `error`, `warn`, `info`, `debug` or `trace` [default: METRICOPT_LOG, or `warn`].
    #[arg(
        long,
        global = true,
        value_name = "LEVEL",
        hide_possible_values = true,
        display_order = 900
    )]
    log: Option<log::LogLevel>,
}

const EXAMPLES: &str = "\
Examples:
  host run --plugin tabular                       tune the built-in example for F1
  host run --plugin tabular --metric aucpr        for another metric
  host report runs/tabular-f1-1                   its page with all figures, made again
  host export runs/tabular-f1-1 --fold            the tuned weights, for PyTorch
  host compare --plugin tabular --seeds 5         methods side by side, paired by seed
  host describe tabular                           what a task can be told
  host list                                       all plugins, tasks and metrics
  host check-metric f1                            whether a metric keeps its promises
  host data fetch cifar10                         a data set, checked and unpacked
  host new metric my-metric                       a crate with a metric of your own

Results go to standard output, everything else to standard error.
Exit codes: 0 done, 1 failed, 2 usage.";

#[derive(Debug, Subcommand)]
enum Command {
    List(list::List),
    Describe(describe::Describe),
    Run(run::Run),
    Report(report::Report),
    Export(export::Export),
    Compare(compare::Compare),
    Bench(bench::Bench),
    Score(score::Score),
    CheckMetric(check_metric::CheckMetric),
    New(new::New),
    Plugin(plugin::Plugin),
    Data(data::Data),
    Completions(completions::Completions),
    Man(man::Man),
}

/// Parses the arguments of the process, runs the command and maps its result to an exit code.
pub fn main() -> ExitCode {
    let arguments = Arguments::parse();
    output::reserve();
    let result = log::show(arguments.log).and_then(|()| match &arguments.command {
        Command::List(command) => command.execute(),
        Command::Describe(command) => command.execute(),
        Command::Run(command) => command.execute(),
        Command::Report(command) => command.execute(),
        Command::Export(command) => command.execute(),
        Command::Compare(command) => command.execute(),
        Command::Bench(command) => command.execute(),
        Command::Score(command) => command.execute(),
        Command::CheckMetric(command) => command.execute(),
        Command::New(command) => command.execute(),
        Command::Plugin(command) => command.execute(),
        Command::Data(command) => command.execute(),
        Command::Completions(command) => command.execute(),
        Command::Man(command) => command.execute(),
    });
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tell(&error);
            match error.kind() {
                ErrorKind::Configuration => ExitCode::from(2),
                _ => ExitCode::from(1),
            }
        }
    }
}

/// Tells what is not as it should be, though the command goes on.
fn warn(error: &Error) {
    eprintln!("warning: {}", harmless(&error.to_string()));
    for hint in error.hints() {
        eprintln!("   hint: {}", harmless(hint));
    }
}

/// From now on Ctrl-C asks to stop, and only a second one ends the process.
fn listen_for_interrupts() -> Result<()> {
    interrupt::listen(progress::say_line)
}

/// Tells an error and what to do next.
fn tell(error: &Error) {
    let (bold_red, bold, plain) =
        if std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none() {
            ("\u{1b}[1;31m", "\u{1b}[1m", "\u{1b}[0m")
        } else {
            ("", "", "")
        };
    // Whoever asked to stop need not read where that was noticed.
    let message = match error.kind() {
        ErrorKind::Cancelled => "stopped on request".to_owned(),
        _ => error.to_string(),
    };
    eprintln!("{bold_red}error:{plain} {}", harmless(&message));
    for cause in error.causes() {
        eprintln!("  {bold}because:{plain} {}", harmless(cause));
    }
    for hint in error.hints() {
        eprintln!(" {bold}hint:{plain} {}", harmless(hint));
    }
    if let Some(backtrace) = error.backtrace() {
        eprintln!("\n{}", backtrace.trim_end());
    }
}

fn to_json(value: &impl serde::Serialize) -> Result<String> {
    serde_json::to_string_pretty(value)
        .map_err(|error| Error::failed(format!("cannot write JSON: {error}")))
}
