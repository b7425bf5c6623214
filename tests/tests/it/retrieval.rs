//! Runs of the retrieval task on the built-in digits.

use crate::resume::assert_same;
use crate::support::{Place, library, set, succeeds};
use std::fs;

/// An engine and a network that take a second.
pub(crate) const QUICK: [&str; 19] = [
    "task.pretraining.steps=20",
    "task.pretraining.batch_size=64",
    "observation.folds=2",
    "calibration.rows=64",
    "calibration.probes=2",
    "trajectories.count=4",
    "trajectories.steps=6",
    "trajectories.observe_every=3",
    "trajectories.batch_size=32",
    "value_function.components=4",
    "value_function.folds=2",
    "meta_training.iterations=20",
    "finetune.steps=4",
    "finetune.batch_size=32",
    "finetune.observe_every=2",
    "finetune.accept_folds=3",
    "finetune.es.rows=64",
    "finetune.es.pairs=2",
    "report.landscape=3",
];

fn run(place: &Place, plugin: &str, out: &str, threads: &str) -> String {
    let mut arguments = vec!["run", "--plugin", plugin, "--device", "cpu"];
    arguments.extend(["--out", out, "--threads", threads]);
    arguments.extend(set(&QUICK));
    succeeds(place.host(&arguments))
}

#[test]
fn the_same_bytes_on_any_number_of_threads_and_loaded() {
    let place = Place::new();
    let table = run(&place, "retrieval", "one", "1");
    assert!(table.contains("recall-at-k (higher is better)"), "{table}");
    run(&place, "retrieval", "three", "3");
    assert_same(&place, "three", "one");
    let library = library("metricopt_retrieval");
    run(&place, library.to_str().unwrap(), "loaded", "2");
    for file in [
        "adapter.safetensors",
        "trajectories.safetensors",
        "events.jsonl",
    ] {
        let read = |run: &str| fs::read(place.path(run).join(file)).unwrap();
        assert!(read("loaded") == read("one"), "{file}");
    }
    // The folded network is measured against the run.
    succeeds(place.host(&["export", "one", "--fold"]));
}
