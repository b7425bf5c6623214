//! The host against what people use today: the same inputs on the same machine, theirs and ours in turn.
//!
//! `cargo peers` prints one table of medians in Markdown, with the ratio of theirs to ours, for one thread and for two;
//! `cargo peers --curves` how long steps and runs take as their sizes grow. Peers are Python programs in `tests/peers`, in an
//! environment of their own with pinned versions. `--quick` repeats less; words choose rows by a part of their name.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a program for people: tables go out, progress goes beside"
)]

mod curves;
mod detection;
mod guided_es;
mod inputs;
mod machine;
mod ranking;
mod retrieval;
mod row;
mod run;
mod steps;
mod tabular;
mod worker;

use anyhow::{Context, Result};
use clap::Parser;
use metricopt_sdk::Call;
use std::process::ExitCode;

use crate::row::{Effort, Row};
use crate::worker::Peers;

/// Time the host against other implementations.
#[derive(Debug, Parser)]
struct Arguments {
    /// Only rows whose name contains one of these.
    only: Vec<String>,
    /// Repeat less: for a look, not for a record.
    #[arg(long)]
    quick: bool,
    /// The host alone: step time against pairs, rows and adapter size, run time against trajectories and their steps.
    #[arg(long)]
    curves: bool,
    /// Numbers of threads to measure with.
    #[arg(long, value_delimiter = ',', default_values_t = [1, 2])]
    threads: Vec<usize>,
    /// Cargo says so.
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() -> ExitCode {
    match execute(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn execute(arguments: &Arguments) -> Result<()> {
    // As in the host: threads are spent on candidates and blocks of rows.
    metricopt_sdk::tch::set_num_threads(1);
    println!("{}\n", machine::describe());
    if arguments.curves {
        return curves::print();
    }
    let inputs = tempfile::tempdir().context("cannot make a temporary directory")?;
    inputs::write(inputs.path())?;
    let peers = Peers::new(inputs.path())?;
    let effort = Effort::new(arguments.quick);
    println!("| what | threads | ours | peer | theirs | ratio | target |");
    println!("|---|---|---|---|---|---|---|");
    for &threads in &arguments.threads {
        let call = Call {
            threads,
            cancelled: &|| false,
        };
        let wanted = |row: &Row<'_>| {
            let name = row.name();
            arguments.only.is_empty()
                || arguments
                    .only
                    .iter()
                    .any(|part| name.contains(part.as_str()))
        };
        let mut groups: Vec<(&str, Vec<Row<'_>>)> = vec![
            ("ranking", ranking::rows(&call)?),
            ("retrieval", retrieval::rows(&call)?),
            ("detection", detection::rows(&call)?),
            ("guided_es", guided_es::rows()),
        ];
        if arguments.only.is_empty()
            || arguments
                .only
                .iter()
                .any(|part| "step ".contains(part.as_str()) || part.contains("step"))
        {
            groups.push(("steps", steps::rows(threads)?));
        }
        for (module, rows) in groups {
            let rows: Vec<Row<'_>> = rows.into_iter().filter(wanted).collect();
            if rows.is_empty() {
                continue;
            }
            let mut worker = peers.start(module, threads)?;
            for row in rows {
                println!("{}", row.measure(&mut worker, threads, &effort)?);
            }
        }
        if arguments.only.is_empty() || arguments.only.iter().any(|part| part == "run") {
            for line in run::measure(&peers, threads, &effort)? {
                println!("{line}");
            }
        }
    }
    Ok(())
}
