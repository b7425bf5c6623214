//! `reproduce`: runs the real `host` over seeds and prints the published tables.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a program for people: tables go out, progress goes beside"
)]

use anyhow::{Context, Result};
use clap::{Args, Parser, Subcommand};
use metricopt_tests::reproduce::{
    Experiment, Results, Runner, a9a, claim_table, covtype, method_tables,
};
use std::path::PathBuf;
use std::process::ExitCode;

/// Repeat the published numbers of metricopt.
///
/// Runs `host` once for each experiment and seed and prints Markdown. Runs that are already in the output directory with
/// the same configuration are not repeated.
#[derive(Debug, Parser)]
#[command(name = "reproduce", version, arg_required_else_help = true)]
struct Arguments {
    #[command(subcommand)]
    data: Data,
}

#[derive(Debug, Subcommand)]
enum Data {
    /// The embedded a9a data, clean and with corrupted labels: every published number, and whether it holds.
    A9a {
        #[command(flatten)]
        options: Options,
    },
    /// UCI CoverType, which no choice has seen.
    Covtype {
        /// `covtype.data` of UCI or an equal table; plain, gzip or xz.
        #[arg(long, value_name = "FILE")]
        path: PathBuf,
        #[command(flatten)]
        options: Options,
    },
}

#[derive(Debug, Args)]
struct Options {
    /// Number of seeds, from 0.
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u64).range(2..=1000))]
    seeds: u64,
    /// Runs at a time, one thread each [default: all cores].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    jobs: Option<u16>,
    /// Where the runs and `tables.md` go [default: `runs/reproduce/` and the name of the data].
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

fn main() -> ExitCode {
    match execute(&Arguments::parse().data) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Whether every claim holds.
fn execute(data: &Data) -> Result<bool> {
    let (name, options, experiments) = match data {
        Data::A9a { options } => ("a9a", options, a9a::experiments()),
        Data::Covtype { path, options } => {
            let path = path
                .canonicalize()
                .with_context(|| format!("cannot read `{}`", path.display()))?;
            ("covtype", options, covtype::experiments(&path))
        }
    };
    let out = options
        .out
        .clone()
        .unwrap_or_else(|| PathBuf::from("runs/reproduce").join(name));
    let results = run(options, &experiments, out.clone())?;
    let mut text = String::new();
    let mut all_hold = true;
    if let Data::A9a { .. } = data {
        let claims = a9a::claims(&results)?;
        all_hold = claims.iter().all(|claim| claim.holds());
        text.push_str(&claim_table(&claims));
        text.push('\n');
    }
    text.push_str(&method_tables(&experiments, &results)?);
    let tables = out.join("tables.md");
    std::fs::write(&tables, &text)
        .with_context(|| format!("cannot write `{}`", tables.display()))?;
    println!("{}", text.trim_end());
    eprintln!("the tables are in {}", tables.display());
    Ok(all_hold)
}

fn run(options: &Options, experiments: &[Experiment], out: PathBuf) -> Result<Results> {
    let runner = Runner {
        host: Runner::host_beside_this_program()?,
        out,
        seeds: options.seeds,
        jobs: match options.jobs {
            Some(jobs) => usize::from(jobs),
            None => std::thread::available_parallelism().map_or(1, usize::from),
        },
    };
    runner.run(experiments, &|line| eprintln!("{line}"))
}
