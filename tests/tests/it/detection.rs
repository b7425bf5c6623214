//! Runs of the detection task: the built-in scattered digits.

use crate::resume::assert_same;
use crate::support::{Place, fails, library, set, shared, succeeds};
use assert_cmd::Command;
use std::fs;

/// An engine, images and a training that take seconds.
pub(crate) const QUICK: [&str; 24] = [
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

/// The detection task in seconds.
pub(crate) fn quick(place: &Place, out: &str) -> Command {
    run(place, "detection", out, &[])
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
    // What only serves the report is not part of the C ABI: a loaded task has no pictures.
    let sections = |run: &str| {
        let page = fs::read_to_string(place.path(run).join("report.html")).unwrap();
        ["found", "classes"].map(|id| page.contains(&format!("<section id=\"{id}\"")))
    };
    assert_eq!(sections("cold"), [true, true]);
    assert_eq!(sections("loaded"), [false, true]);
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
        (&["task.dataset=voc2012"], 1, "VOCtrainval_11-May-2012.tar"),
        (&["task.dataset=voc"], 2, "`voc` needs `root`"),
        (&["task.boxes.overlap=0"], 2, "`boxes.overlap`"),
        (&["task.loss=ap"], 2, "`ap-loss`"),
        (&["task.height=7"], 2, "`height` must be 32 to 2048"),
        (&["task.scattered.digits=9"], 2, "`scattered.digits`"),
    ] {
        let error = fails(run(&place, "detection", "run", &set(assignments)), code);
        assert!(error.contains(expected), "no `{expected}` in {error}");
    }
}

/// Real photographs in the layout of PASCAL VOC: read from the tar file as they are, learned in seconds, tuned with both losses
/// from one pre-trained network.
#[test]
#[ignore = "slow: 10,000 photographs through the detector in training"]
fn slow_blood_cells_are_found() {
    let Some(archive) = shared("bccd-voc.tar.gz") else {
        return;
    };
    let place = Place::new();
    let root = format!("task.root={}", archive.display());
    let data = [
        "task.dataset=voc",
        &root,
        "task.height=144",
        "task.width=192",
        "task.pretraining.epochs=50",
    ];
    let error = fails(run(&place, "detection", "bad", &set(&data)), 1);
    for part in [
        "`Annotations/BloodImage_00",
        "has no area",
        "--set task.on_bad_annotation=skip",
    ] {
        assert!(error.contains(part), "no `{part}` in {error}");
    }
    let values = ["focal", "ap-loss"].map(|loss| {
        let loss_key = format!("task.loss={loss}");
        let mut assignments = data.to_vec();
        assignments.extend(["task.on_bad_annotation=skip", &loss_key]);
        let output = run(&place, "detection", loss, &set(&assignments)).unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        for part in [
            "205 images, 2804 objects",
            "87 images, 1137 objects",
            "72 images, 945 objects",
            "2 objects and 0 images with annotations that cannot be used",
        ] {
            assert!(said.contains(part), "no `{part}` in {said}");
        }
        place.summary(loss)["methods"][0]["test"].as_f64().unwrap()
    });
    assert!(values[0] > 0.55, "{values:?}");
    assert_eq!(values[0], values[1], "both start from the same network");
}
