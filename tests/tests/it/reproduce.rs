//! The program `reproduce`: its runs, its resuming, its tables.

use crate::support::{Place, host_program};
use metricopt_tests::reproduce::{Experiment, Results, Runner, method_tables};
use std::sync::Mutex;

/// Two seeds of a small experiment, with and without search, and how many runs were made for it.
fn run(place: &Place, assignments: &[&str]) -> (Vec<Experiment>, Results, usize) {
    let table = format!("task.path={}", place.path("table.csv").display());
    let mut set = vec![
        "task.dataset=csv",
        &table,
        "task.network.hidden=[4]",
        "task.network.epochs=1",
        "trajectories.count=2",
        "trajectories.steps=2",
        "trajectories.observe_every=1",
        "meta_training.iterations=1",
        "finetune.steps=5",
        "finetune.accept_folds=3",
        "report.bootstrap=0",
    ];
    set.extend(assignments);
    let with = Experiment::new("small", "A small table", "mcr", &set);
    let experiments = vec![with.clone(), with.without_search()];
    let runner = Runner {
        host: host_program().to_owned(),
        out: place.path("out"),
        seeds: 2,
        jobs: 2,
    };
    let lines = Mutex::new(Vec::new());
    let results = runner.run(&experiments, &|line| {
        lines.lock().unwrap().push(line.to_owned())
    });
    let lines = lines.into_inner().unwrap();
    assert_eq!(lines.len(), 4, "{lines:?}");
    let made = lines
        .iter()
        .filter(|line| !line.ends_with("already there"))
        .count();
    (experiments, results.unwrap(), made)
}

#[test]
fn runs_are_made_once_and_tabulated() {
    let place = Place::new();
    let (experiments, results, made) = run(&place, &[]);
    assert_eq!(made, 4);
    let tables = method_tables(&experiments, &results).unwrap();
    let rows: Vec<&str> = tables
        .lines()
        .filter_map(|line| line.strip_prefix("| ")?.split(" | ").next())
        .collect();
    assert_eq!(
        rows,
        [
            "method",
            "pretrained",
            "loss-only",
            "threshold",
            "class-weighted",
            "es",
            "metricopt, without search",
            "metricopt"
        ]
    );
    assert!(tables.starts_with("### A small table, mcr\n"), "{tables}");
    assert!(!tables.contains("NaN"), "{tables}");
    // A second time nothing is run; under another configuration everything.
    assert_eq!(run(&place, &[]).2, 0);
    assert_eq!(run(&place, &["finetune.lambda=1"]).2, 4);
    // What was cut off is run again.
    std::fs::remove_file(place.path("out/small-mcr/seed-1/summary.json")).unwrap();
    assert_eq!(run(&place, &["finetune.lambda=1"]).2, 1);
}

#[test]
fn a_run_that_fails_is_told_with_its_command() {
    let place = Place::new();
    let runner = Runner {
        host: host_program().to_owned(),
        out: place.path("out"),
        seeds: 2,
        jobs: 1,
    };
    let wrong = Experiment::new("wrong", "Wrong", "f2", &[]);
    let error = format!("{:#}", runner.run(&[wrong], &|_| ()).unwrap_err());
    assert!(
        error.contains("--metric f2 --seed 0") && error.contains("error: unknown metric `f2`"),
        "{error}"
    );
}
