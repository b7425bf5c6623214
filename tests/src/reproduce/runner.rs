//! Running `host` over experiments and seeds, several at a time.

use anyhow::{Context, Result, bail};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use super::{Experiment, Summary};

/// How runs are made.
#[derive(Clone, Debug)]
pub struct Runner {
    /// The program `host`.
    pub host: PathBuf,
    /// Where `EXPERIMENT/seed-N` goes, and `cache` for the pre-trained networks.
    pub out: PathBuf,
    /// Seeds 0 to below this.
    pub seeds: u64,
    /// Runs at a time.
    pub jobs: usize,
}

/// Summaries by experiment, in the order of the seeds.
#[derive(Clone, Debug)]
pub struct Results(BTreeMap<String, Vec<Summary>>);

impl Results {
    /// The runs of an experiment.
    ///
    /// # Errors
    ///
    /// If it was not run.
    pub fn seeds(&self, experiment: &str) -> Result<&[Summary]> {
        let runs = self.0.get(experiment);
        Ok(runs.with_context(|| format!("experiment `{experiment}` was not run"))?)
    }
}

impl Runner {
    /// The `host` that Cargo put beside this program.
    ///
    /// # Errors
    ///
    /// If there is none.
    pub fn host_beside_this_program() -> Result<PathBuf> {
        let program = std::env::current_exe().context("cannot find this program")?;
        let host = program.with_file_name(format!("host{}", std::env::consts::EXE_SUFFIX));
        if !host.is_file() {
            bail!(
                "there is no `{}`: `cargo reproduce` builds it",
                host.display()
            );
        }
        Ok(host)
    }

    /// Makes the runs that are missing and reads them all; `say` hears of each.
    ///
    /// # Errors
    ///
    /// The first failure; no new runs are started after it.
    pub fn run(&self, experiments: &[Experiment], say: &(dyn Fn(&str) + Sync)) -> Result<Results> {
        let jobs: Vec<(&Experiment, u64)> = experiments
            .iter()
            .flat_map(|experiment| (0..self.seeds).map(move |seed| (experiment, seed)))
            .collect();
        let next = AtomicUsize::new(0);
        let done = AtomicUsize::new(0);
        let finished: Mutex<Vec<Option<Result<Summary>>>> =
            Mutex::new(jobs.iter().map(|_| None).collect());
        let work = || {
            while let Some((index, (experiment, seed))) = Some(next.fetch_add(1, Ordering::Relaxed))
                .and_then(|index| Some((index, *jobs.get(index)?)))
            {
                let started = Instant::now();
                let result = self.one(experiment, seed);
                let what = match &result {
                    Ok((_, true)) => "already there".to_owned(),
                    Ok((_, false)) => format!("{:.1} s", started.elapsed().as_secs_f64()),
                    Err(_) => "failed".to_owned(),
                };
                let number = done.fetch_add(1, Ordering::Relaxed) + 1;
                say(&format!(
                    "[{number}/{}] {} seed {seed}: {what}",
                    jobs.len(),
                    experiment.name
                ));
                if result.is_err() {
                    next.store(jobs.len(), Ordering::Relaxed);
                }
                finished
                    .lock()
                    .expect("no worker panics while it holds the lock")[index] =
                    Some(result.map(|(summary, _)| summary));
            }
        };
        std::thread::scope(|scope| {
            for _ in 0..self.jobs.clamp(1, jobs.len().max(1)) {
                scope.spawn(work);
            }
        });
        let mut results: BTreeMap<String, Vec<Summary>> = BTreeMap::new();
        let finished = finished
            .into_inner()
            .expect("no worker panics while it holds the lock");
        let mut summaries = Vec::with_capacity(jobs.len());
        for ((experiment, _), summary) in jobs.iter().zip(finished) {
            // Not started because another one failed, which is further on.
            let Some(summary) = summary else { continue };
            summaries.push((experiment.name.clone(), summary?));
        }
        for (name, summary) in summaries {
            results.entry(name).or_default().push(summary);
        }
        Ok(Results(results))
    }

    /// The summary of one run, and whether it was already there.
    fn one(&self, experiment: &Experiment, seed: u64) -> Result<(Summary, bool)> {
        let arguments = experiment.arguments(seed);
        let folder = self.out.join(&experiment.name);
        let run = folder.join(format!("seed-{seed}"));
        let doing = || format!("`host {}`", arguments.join(" "));
        if self.is_same_run(&run, &arguments).with_context(doing)? {
            return Ok((read_summary(&run)?, true));
        }
        // Renamed when complete: what has the final name can be trusted.
        let unfinished = folder.join(format!("seed-{seed}.unfinished"));
        for stale in [&run, &unfinished] {
            if stale.exists() {
                fs::remove_dir_all(stale)
                    .with_context(|| format!("cannot remove `{}`", stale.display()))?;
            }
        }
        self.host(
            arguments
                .iter()
                .chain(&["--out".to_owned(), unfinished.display().to_string()]),
        )
        .with_context(doing)?;
        fs::rename(&unfinished, &run)
            .with_context(|| format!("cannot write `{}`", run.display()))?;
        Ok((read_summary(&run)?, false))
    }

    /// Whether a finished run with exactly this configuration is there.
    fn is_same_run(&self, run: &Path, arguments: &[String]) -> Result<bool> {
        if !run.join("summary.json").is_file() {
            return Ok(false);
        }
        // As it stands in the run directory: text.
        let text = arguments.iter().filter(|argument| *argument != "--json");
        let wanted = self.host(text.chain(&["--dry-run".to_owned()]))?;
        let found = fs::read(run.join("config.toml")).unwrap_or_default();
        Ok(found.trim_ascii() == wanted.stdout.trim_ascii())
    }

    fn host<'a>(&self, arguments: impl Iterator<Item = &'a String>) -> Result<Output> {
        let output = Command::new(&self.host)
            .args(arguments)
            // Not the cache of the user, so that the numbers owe nothing to earlier versions.
            .env("METRICOPT_CACHE", self.out.join("cache"))
            .output()
            .with_context(|| format!("cannot start `{}`", self.host.display()))?;
        if !output.status.success() {
            bail!(
                "{}\n{}",
                output.status,
                String::from_utf8_lossy(&output.stderr).trim_end()
            );
        }
        Ok(output)
    }
}

fn read_summary(run: &Path) -> Result<Summary> {
    let path = run.join("summary.json");
    let doing = || format!("cannot read `{}`", path.display());
    let text = fs::read_to_string(&path).with_context(doing)?;
    serde_json::from_str(&text).with_context(doing)
}
