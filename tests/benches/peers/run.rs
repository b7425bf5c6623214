//! The phases of a default run: what `host bench` measures, against the same phases in PyTorch.

use anyhow::{Context, Result, bail};
use serde_json::Value;
use std::collections::BTreeMap;
use std::process::Command;

use crate::row::{Effort, line, median};
use crate::worker::Peers;

/// A phase at the peer, and the phases of `host bench` that are the same work.
const PHASES: [(&str, &[&str]); 5] = [
    ("trajectories", &["trajectories"]),
    ("value function", &["value function"]),
    ("fine-tuning", &["fine-tuning"]),
    ("alternatives", &["loss-only", "class-weighted", "es"]),
    ("test", &["test"]),
];

pub(crate) fn measure(peers: &Peers, threads: usize, effort: &Effort) -> Result<Vec<String>> {
    // A run takes seconds: a few are enough.
    let repeats = effort.repeats.min(3);
    let (mut ours, mut theirs) = (BTreeMap::new(), BTreeMap::new());
    for _ in 0..repeats {
        let measured = bench(threads)?;
        let mut worker = peers.start("run", threads)?;
        for (name, parts) in PHASES {
            let seconds = parts.iter().filter_map(|part| measured.get(*part)).sum();
            note(&mut ours, name, seconds);
            note(&mut theirs, name, worker.ask(name, 0.0)?.seconds);
        }
    }
    let (mut our_sum, mut their_sum, mut lines) = (0.0, 0.0, Vec::new());
    for (name, _) in PHASES {
        let [our, their] = [&mut ours, &mut theirs]
            .map(|times| times.get_mut(name).map_or(f64::NAN, |times| median(times)));
        our_sum += our;
        their_sum += their;
        lines.push(line(
            &format!("default run: {name}"),
            threads,
            our,
            "PyTorch",
            their,
            None,
        ));
    }
    lines.push(line(
        "default run: these phases",
        threads,
        our_sum,
        "PyTorch",
        their_sum,
        Some(3.0),
    ));
    Ok(lines)
}

fn note(times: &mut BTreeMap<&'static str, Vec<f64>>, name: &'static str, seconds: f64) {
    times.entry(name).or_default().push(seconds);
}

/// Seconds of the phases of a default run for F1.
fn bench(threads: usize) -> Result<BTreeMap<String, f64>> {
    seconds(&["--threads", &threads.to_string()])
}

/// Seconds of the phases of a run on a9a with more arguments.
pub(crate) fn seconds(arguments: &[&str]) -> Result<BTreeMap<String, f64>> {
    let output = Command::new(env!("CARGO_BIN_EXE_host_under_test"))
        .args(["bench", "--plugin", "tabular", "--device", "cpu", "--json"])
        .args(arguments)
        .output()
        .context("cannot start the host")?;
    if !output.status.success() {
        bail!("{}", String::from_utf8_lossy(&output.stderr));
    }
    let measured: Value = serde_json::from_slice(&output.stdout)?;
    let phases = measured["phases"]
        .as_array()
        .context("`host bench` tells its phases")?;
    Ok(phases
        .iter()
        .filter_map(|phase| {
            Some((
                phase["name"].as_str()?.to_owned(),
                phase["seconds"].as_f64()?,
            ))
        })
        .collect())
}
