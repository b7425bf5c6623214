//! The command line: what was typed, and which command it means. Only this folder writes to standard output.

#![expect(clippy::print_stderr, reason = "this is where people are spoken to")]

mod describe;
mod list;
mod progress;
mod run;
mod score;

use clap::{Parser, Subcommand};
use metricopt_sdk::{Error, ErrorKind, Result};
use std::io::{IsTerminal, Write};
use std::process::ExitCode;

use crate::interrupt;

/// Fine-tune a pre-trained model for the metric you report.
///
/// The metric needs no gradient: F1, average precision, recall@k, whatever a function can compute from predictions.
/// The method is MetricOpt (Huang et al., CVPR 2021, arXiv 2104.10631).
#[derive(Debug, Parser)]
#[command(name = "host", version, arg_required_else_help = true, after_help = EXAMPLES)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

const EXAMPLES: &str = "\
Examples:
  host run --plugin tabular                       tune the built-in example for F1
  host run --plugin tabular --metric aucpr        for another metric
  host describe tabular                           what a task can be told
  host list                                       all plugins, tasks and metrics

Results go to standard output, everything else to standard error.
Exit codes: 0 done, 1 failed, 2 usage.";

#[derive(Debug, Subcommand)]
enum Command {
    List(list::List),
    Describe(describe::Describe),
    Run(run::Run),
    Score(score::Score),
}

/// Parses the arguments of the process, runs the command and maps its result to an exit code.
pub fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let result = match &arguments.command {
        Command::List(command) => command.execute(),
        Command::Describe(command) => command.execute(),
        Command::Run(command) => command.execute(),
        Command::Score(command) => command.execute(),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            report(&error);
            match error.kind() {
                ErrorKind::Configuration => ExitCode::from(2),
                _ => ExitCode::from(1),
            }
        }
    }
}

/// From now on Ctrl-C asks to stop, and only a second one ends the process.
fn listen_for_interrupts() -> Result<()> {
    interrupt::listen(|| eprintln!("\nstopping; once more to stop at once"))
}

/// Tells an error and what to do next.
fn report(error: &Error) {
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
    eprintln!("{bold_red}error:{plain} {message}");
    for hint in error.hints() {
        eprintln!(" {bold}hint:{plain} {hint}");
    }
}

/// Writes a result to standard output. A reader that has gone away, as `head` does, is no error.
fn print(text: &str) -> Result<()> {
    let mut out = std::io::stdout().lock();
    match writeln!(out, "{text}").and_then(|()| out.flush()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => Err(Error::failed(
            format!("cannot write to standard output: {error}"),
        )),
        _ => Ok(()),
    }
}

fn to_json(value: &impl serde::Serialize) -> Result<String> {
    serde_json::to_string_pretty(value)
        .map_err(|error| Error::failed(format!("cannot write JSON: {error}")))
}
