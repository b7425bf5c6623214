//! One row of the table: ours and theirs in turn, medians, and the ratio.

use anyhow::{Result, bail};
use std::time::Instant;

use crate::worker::Worker;

/// How much is repeated.
pub(crate) struct Effort {
    /// Measurements of each side.
    pub(crate) repeats: usize,
    /// Least seconds of a measurement: quick cases are called many times in it.
    pub(crate) seconds: f64,
}

impl Effort {
    pub(crate) fn new(quick: bool) -> Self {
        if quick {
            Self {
                repeats: 3,
                seconds: 0.05,
            }
        } else {
            Self {
                repeats: 7,
                seconds: 0.2,
            }
        }
    }
}

/// What is measured on our side; gives the value it computed, if it computes one.
pub(crate) type Ours<'a> = Box<dyn FnMut() -> Result<Option<f64>> + 'a>;

/// One thing that ours and a peer can do.
pub(crate) struct Row<'a> {
    pub(crate) what: String,
    pub(crate) peer: &'static str,
    /// Least ratio aimed at, if there is one.
    pub(crate) target: Option<f64>,
    /// Values may differ by this: peers compute in other precisions.
    pub(crate) tolerance: f64,
    pub(crate) ours: Ours<'a>,
}

impl Row<'_> {
    /// What it is called here and at the peer.
    pub(crate) fn name(&self) -> String {
        format!("{} {}", self.what, self.peer)
    }

    /// Measures both sides in turn.
    pub(crate) fn measure(
        mut self,
        worker: &mut Worker,
        threads: usize,
        effort: &Effort,
    ) -> Result<String> {
        let case = self.name();
        // Once each before: caches are filled, and both must have computed the same.
        let theirs = worker.ask(&case, 0.0)?.value;
        let ours = (self.ours)()?;
        if let (Some(ours), Some(theirs)) = (ours, theirs)
            && (ours - theirs).abs() > self.tolerance
        {
            bail!("{case}: ours is {ours}, theirs is {theirs}");
        }
        let (mut our_times, mut their_times) = (Vec::new(), Vec::new());
        for _ in 0..effort.repeats {
            our_times.push(seconds_a_call(&mut self.ours, effort.seconds)?);
            their_times.push(worker.ask(&case, effort.seconds)?.seconds);
        }
        Ok(line(
            &self.what,
            threads,
            median(&mut our_times),
            self.peer,
            median(&mut their_times),
            self.target,
        ))
    }
}

fn seconds_a_call(call: &mut Ours<'_>, least: f64) -> Result<f64> {
    let begun = Instant::now();
    let mut calls = 0;
    loop {
        call()?;
        calls += 1;
        let seconds = begun.elapsed().as_secs_f64();
        if seconds >= least {
            return Ok(seconds / f64::from(calls));
        }
    }
}

/// The median; of an even number the upper one.
pub(crate) fn median(values: &mut [f64]) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

/// A line of the table.
pub(crate) fn line(
    what: &str,
    threads: usize,
    ours: f64,
    peer: &str,
    theirs: f64,
    target: Option<f64>,
) -> String {
    let ratio = theirs / ours;
    let target = target.map_or_else(String::new, |target| {
        let reached = if ratio >= target { "reached" } else { "missed" };
        format!("{target} x, {reached}")
    });
    format!(
        "| {what} | {threads} | {} | {peer} | {} | {ratio:.1} x | {target} |",
        duration(ours),
        duration(theirs)
    )
}

/// Seconds with three digits, in the unit that fits.
pub(crate) fn duration(seconds: f64) -> String {
    let (value, unit) = match seconds {
        s if s < 1e-3 => (s * 1e6, "µs"),
        s if s < 1.0 => (s * 1e3, "ms"),
        s => (s, "s"),
    };
    let decimals = match value {
        v if v < 10.0 => 2,
        v if v < 100.0 => 1,
        _ => 0,
    };
    format!("{value:.decimals$} {unit}")
}
