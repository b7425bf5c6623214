//! Runs of the detection task: the built-in scattered digits.

use crate::resume::assert_same;
use crate::support::{Place, fails, library, set, succeeds};
use assert_cmd::Command;
use std::fs;

/// An engine, images and a training that take seconds.
const QUICK: [&str; 24] = [
    "observation.folds=2",
    "calibration.rows=16",
    "calibration.probes=2",
    "trajectories.count=4",
    "trajectories.steps=4",
    "trajectories.observe_every=2",
    "trajectories.batch_size=16",
    "value_function.components=4",
    "value_function.folds=2",
    "meta_training.iterations=20",
    "finetune.steps=2",
    "finetune.batch_size=16",
    "finetune.observe_every=1",
    "finetune.accept_folds=3",
    "finetune.es.rows=16",
    "finetune.es.pairs=1",
    "report.bootstrap=20",
    "report.landscape=0",
    "task.scattered.train_images=64",
    "task.scattered.validation_images=48",
    "task.scattered.test_images=48",
    "task.scattered.digits=2",
    "task.pretraining.epochs=12",
    "task.pretraining.batch_size=16",
];

fn run(place: &Place, plugin: &str, out: &str, arguments: &[&str]) -> Command {
    let mut all = vec!["run", "--plugin", plugin, "--device", "cpu", "--out", out];
    all.extend(set(&QUICK));
    all.extend(arguments);
    place.host(&all)
}

#[test]
fn the_same_bytes_on_any_number_of_threads_and_loaded() {
    let place = Place::new();
    succeeds(run(&place, "detection", "cold", &["--threads", "1"]));
    succeeds(run(&place, "detection", "warm", &["--threads", "3"]));
    let mut without = run(&place, "detection", "without", &["--threads", "2"]);
    without.env("METRICOPT_CACHE", "");
    succeeds(without);
    for run in ["warm", "without"] {
        assert_same(&place, run, "cold");
    }
    let library = library("metricopt_detection");
    succeeds(run(&place, library.to_str().unwrap(), "loaded", &[]));
    // The configuration of a run names the file of its plugin.
    for file in ["adapter.safetensors", "trajectories.safetensors"] {
        let read = |run: &str| fs::read(place.path(run).join(file)).unwrap();
        assert!(read("loaded") == read("cold"), "{file}");
    }
    assert_eq!(place.summary("cold")["metric"]["name"], "voc-map");
}

#[test]
fn what_is_missing_or_wrong_is_named_with_what_to_do() {
    let place = Place::new();
    for (assignments, code, expected) in [
        (&["task.dataset=voc2007"][..], 1, "host data fetch voc2007"),
        (&["task.dataset=voc"], 2, "`voc` needs `root`"),
        (&["task.boxes.overlap=0"], 2, "`boxes.overlap`"),
        (&["task.height=7"], 2, "`height` must be 32 to 2048"),
        (&["task.scattered.digits=9"], 2, "`scattered.digits`"),
    ] {
        let error = fails(run(&place, "detection", "run", &set(assignments)), code);
        assert!(error.contains(expected), "no `{expected}` in {error}");
    }
}
