//! What a step and a run cost as their sizes grow; the host alone.

use anyhow::Result;
use metricopt_host::engine::config::EsConfig;
use serde_json::json;
use std::time::Instant;

use crate::row::{duration, median};
use crate::run;
use crate::steps::{Prepared, STEPS};
use crate::tabular;

const REPEATS: usize = 5;

/// Width of the default network's layers.
const WIDTH: usize = 100;

/// Prints tables in Markdown, all on one thread.
pub(crate) fn print() -> Result<()> {
    let base = EsConfig::default();
    let default = Prepared::new("f1", 1, tabular::open(1)?)?;
    println!("| pairs `P` | step |\n|---|---|");
    for pairs in [0, 1, 2, 4, 8, 16, 32] {
        let search = EsConfig {
            pairs,
            ..base.clone()
        };
        println!(
            "| {pairs} | {} |",
            step(&default, (pairs > 0).then_some(&search))?
        );
    }
    println!("\n| rows `N` a candidate | step |\n|---|---|");
    for rows in [256, 512, 1024, 2048, 4096, 6512] {
        let search = EsConfig {
            rows,
            ..base.clone()
        };
        println!("| {rows} | {} |", step(&default, Some(&search))?);
    }
    println!("\n| adapter `D` | network | multiplications a row | step |\n|---|---|---|---|");
    // More layers of one width, then wider layers: the adapter grows with both, the network with the square of the width.
    let deeper = [1, 2, 4, 8, 16].map(|layers| vec![WIDTH; layers]);
    let wider = [25, 50, 200, 400].map(|width| vec![width; 2]);
    for hidden in deeper.into_iter().chain(wider) {
        println!("{}", network(&hidden, &base)?);
    }
    println!(
        "\n| trajectories `K` | steps `T` | trajectories | value function |\n|---|---|---|---|"
    );
    for (count, steps) in [
        (6, 100),
        (12, 100),
        (24, 100),
        (48, 100),
        (24, 25),
        (24, 50),
        (24, 200),
    ] {
        let sizes = [
            format!("trajectories.count={count}"),
            format!("trajectories.steps={steps}"),
        ];
        let only = [
            "finetune.steps=5",
            "baselines.es=false",
            "report.bootstrap=0",
            "report.landscape=0",
        ];
        let assignments = sizes.iter().map(String::as_str).chain(only);
        let arguments: Vec<&str> = assignments
            .flat_map(|assignment| ["--set", assignment])
            .chain(["--threads", "1"])
            .collect();
        let phases = run::seconds(&arguments)?;
        let seconds = |name: &str| duration(phases.get(name).copied().unwrap_or(f64::NAN));
        println!(
            "| {count} | {steps} | {} | {} |",
            seconds("trajectories"),
            seconds("value function")
        );
    }
    Ok(())
}

/// A row of the table of networks: everything behind the first layer, which no adapter changes, is computed for each candidate.
fn network(hidden: &[usize], search: &EsConfig) -> Result<String> {
    let replaced = json!({ "network": { "hidden": hidden, "epochs": 1 } });
    let prepared = Prepared::new("f1", 1, tabular::open_with(1, &replaced)?)?;
    let products = hidden.windows(2).map(|pair| pair[0] * pair[1]);
    let products: usize = products.chain(hidden.last().copied()).sum();
    Ok(format!(
        "| {} | 123-{}-1 | {products} | {} |",
        2 * hidden.iter().sum::<usize>(),
        layers(hidden),
        step(&prepared, Some(search))?
    ))
}

/// `100-100`, or `8 x 100` where there are many.
fn layers(hidden: &[usize]) -> String {
    match hidden {
        [width, ..] if hidden.len() > 2 => format!("{} x {width}", hidden.len()),
        _ => {
            let widths: Vec<String> = hidden.iter().map(usize::to_string).collect();
            widths.join("-")
        }
    }
}

/// The median time of a step, observations included.
fn step(prepared: &Prepared, search: Option<&EsConfig>) -> Result<String> {
    let mut times = Vec::with_capacity(REPEATS);
    for _ in 0..REPEATS {
        let begun = Instant::now();
        prepared.run(search)?;
        times.push(begun.elapsed().as_secs_f64() / STEPS as f64);
    }
    Ok(duration(median(&mut times)))
}
