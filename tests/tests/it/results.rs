//! What a run leaves behind.

use crate::support::{Place, set, succeeds};
use serde_json::Value;
use std::fs;

#[test]
fn a_run_leaves_every_file_and_the_same_summary_on_standard_output() {
    let place = Place::new();
    let printed = succeeds(place.run("run", &["--json"]));
    let summary = place.summary("run");
    assert_eq!(serde_json::from_str::<Value>(&printed).unwrap(), summary);
    assert_eq!(
        place.files("run"),
        [
            "adapter.safetensors",
            "config.toml",
            "events.jsonl",
            "metrics.csv",
            "predictions.safetensors",
            "report.html",
            "report.safetensors",
            "summary.json",
            "tensorboard",
            "trajectories.safetensors",
            "value_function.safetensors"
        ]
    );
    let keys: Vec<&String> = summary.as_object().unwrap().keys().collect();
    assert_eq!(
        keys,
        [
            "version",
            "plugin",
            "task",
            "metric",
            "seed",
            "methods",
            "accepted",
            "verdict",
            "acceptance",
            "tuned",
            "value_function",
            "width",
            "reused",
            "queries",
            "network_evaluations",
            "finetuning",
            "left_out",
            "remarks"
        ]
    );
    assert_eq!(summary["version"], 1);
    assert_eq!(
        summary["metric"],
        serde_json::json!({ "name": "f1", "options": {}, "direction": "maximise" })
    );
    let names: Vec<&str> = summary["methods"]
        .as_array()
        .unwrap()
        .iter()
        .map(|m| m["name"].as_str().unwrap())
        .collect();
    assert_eq!(
        names,
        [
            "pretrained",
            "loss-only",
            "threshold",
            "class-weighted",
            "es",
            "metricopt"
        ]
    );
    for method in summary["methods"].as_array().unwrap() {
        let number = |key: &str| method[key].as_f64().unwrap();
        assert!(
            (0.0..=1.0).contains(&number("validation")) && (0.0..=1.0).contains(&number("test")),
            "{method}"
        );
        let difference = number("test") - summary["methods"][0]["test"].as_f64().unwrap();
        assert!(
            (number("difference") - difference).abs() < 1e-12,
            "{method}"
        );
        let [low, high] = [0, 1].map(|end| method["interval"][end].as_f64().unwrap());
        assert!(low <= high, "{method}");
        assert!(
            method["queries"].as_u64().unwrap() >= 1 && number("seconds") >= 0.0,
            "{method}"
        );
    }
    // The natural sense: a network that was trained is better than chance.
    assert!(summary["methods"][0]["test"].as_f64().unwrap() > 0.3);
}

#[test]
fn queries_are_what_the_configuration_says() {
    let place = Place::new();
    succeeds(place.run(
        "run",
        &set(&["calibration.width=1.0", "finetune.observe_every=5"]),
    ));
    let summary = place.summary("run");
    let queries: Vec<u64> = summary["methods"]
        .as_array()
        .unwrap()
        .iter()
        .map(|method| method["queries"].as_u64().unwrap())
        .collect();
    // 5 steps observed once; 61 thresholds at most; two class weights; 5 steps of 4 pairs; and for MetricOpt the
    // 4 trajectories observed at 3 steps, the best of them, the search, one observation and the acceptance test.
    assert_eq!(
        (queries[0], queries[1], queries[3], queries[4]),
        (1, 1, 2, 41),
        "{queries:?}"
    );
    assert_eq!(queries[5], 4 * 3 + 1 + 41 + 2 - 1, "{queries:?}");
}

#[test]
fn every_event_is_one_line_with_a_version() {
    let place = Place::new();
    succeeds(place.run("run", &[]));
    let events = place.events("run");
    assert!(
        events
            .iter()
            .all(|event| event["version"] == 1 && event["event"].is_string())
    );
    let count = |kind: &str| events.iter().filter(|event| event["event"] == kind).count();
    assert_eq!(
        (
            count("calibrated"),
            count("value-function-trained"),
            count("decided")
        ),
        (1, 1, 1)
    );
    assert_eq!((count("trajectories-observed"), count("finished")), (3, 6));
    let of_metricopt = |event: &&Value| event["event"] == "step" && event["method"] == "metricopt";
    assert_eq!(events.iter().filter(of_metricopt).count(), 5);
}

#[test]
fn tensors_have_their_documented_names_and_shapes() {
    let place = Place::new();
    succeeds(place.run("run", &set(&["task.network.hidden=[6, 5]"])));
    assert_eq!(
        place.tensors("run", "adapter.safetensors").shapes(),
        [
            "hidden1.scale F32 [6]",
            "hidden1.shift F32 [6]",
            "hidden2.scale F32 [5]",
            "hidden2.shift F32 [5]"
        ]
    );
    assert_eq!(
        without_identity(place.tensors("run", "trajectories.safetensors").shapes()),
        [
            "best_validation F64 [1]",
            "class_weights F32 [4, 2]",
            "interpolated_deviation F64 [4, 11]",
            "interpolated_mean F64 [4, 11]",
            "learning_rates F64 [4]",
            "observations F64 [4, 3, 2]",
            "observed_steps I64 [3]",
            "points F32 [4, 11, 22]",
            "pretrained_folds F64 [3]",
            "pretrained_gradient F32 [22]",
            "pretrained_loss F64 [1]",
            "pretrained_validation F64 [1]",
            "standard_deviation F64 [1]",
            "standard_mean F64 [1]",
            "start_sd F64 [4]",
            "width F64 [1]"
        ]
    );
    // 4 principal directions into 64, 32 and one output.
    let weights = 4 * 64 + 64 + 64 * 32 + 32 + 32 + 1;
    assert_eq!(
        without_identity(place.tensors("run", "value_function.safetensors").shapes()),
        [
            "agreement F64 [2]".to_owned(),
            "directions F32 [4, 22]".to_owned(),
            "input_scale F64 [1]".to_owned(),
            "pretrained_gradient F32 [22]".to_owned(),
            "pretrained_loss F64 [1]".to_owned(),
            "radius F64 [1]".to_owned(),
            "replay_deviation F64 [4, 11]".to_owned(),
            "replay_inputs F32 [4, 11, 4]".to_owned(),
            "replay_mean F64 [4, 11]".to_owned(),
            "standard_deviation F64 [1]".to_owned(),
            "standard_mean F64 [1]".to_owned(),
            "weight F64 [1]".to_owned(),
            format!("weights F32 [{weights}]"),
            "width F64 [1]".to_owned(),
            "widths I64 [3]".to_owned()
        ]
    );
    // 11 adapters: two of four trajectories start at the pre-trained network; 60 validation rows.
    let kept = place.tensors("run", "predictions.safetensors").shapes();
    for tensor in [
        "adapters/all I64 [1]",
        "adapters/fold.1.2 I64 [11]",
        "adapters/fold.2.3 I64 [1]",
        "all/tensor/0/scores F32 [60]",
        "fold.1.2/tensor/0/labels I64 [30]",
        "fold.1.2/tensor/10/scores F32 [30]",
        "places I64 [11, 2]",
        "points_sha256 U8 [32]",
    ] {
        assert!(
            kept.iter().any(|one| one == tensor),
            "no {tensor} in {kept:?}"
        );
    }
    let labels = kept
        .iter()
        .filter(|one| one.starts_with("fold.1.2/tensor/") && one.contains("labels"));
    assert_eq!(labels.count(), 1);
}

/// The tensors of a file but for the text that says what it is about, whose length is nobody's business.
fn without_identity(mut shapes: Vec<String>) -> Vec<String> {
    let before = shapes.len();
    shapes.retain(|shape| !shape.starts_with("identity U8 ["));
    assert_eq!(shapes.len() + 1, before);
    shapes
}

#[test]
fn what_is_not_accepted_leaves_the_pretrained_network() {
    let place = Place::new();
    succeeds(
        place.test_run(
            "kept",
            &[
                &["--metric", "misbehaving"][..],
                &set(&["finetune.accept_t=1e6"]),
            ]
            .concat(),
        ),
    );
    let summary = place.summary("kept");
    assert_eq!(summary["accepted"], false);
    let verdict = summary["verdict"].as_str().unwrap();
    assert!(
        verdict.starts_with("kept the pre-trained model: the gain in validation misbehaving"),
        "{verdict}"
    );
    assert_eq!(summary["methods"][5]["test"], summary["methods"][0]["test"]);
    let adapter = place.tensors("kept", "adapter.safetensors");
    for site in ["hidden1", "hidden2"] {
        assert!(
            adapter
                .f32(&format!("{site}.scale"))
                .iter()
                .all(|&scale| scale == 1.0)
        );
        assert!(
            adapter
                .f32(&format!("{site}.shift"))
                .iter()
                .all(|&shift| shift == 0.0)
        );
    }

    succeeds(
        place.test_run(
            "taken",
            &[
                &["--metric", "misbehaving"][..],
                &set(&["finetune.accept_t=-1e6"]),
            ]
            .concat(),
        ),
    );
    let summary = place.summary("taken");
    assert_eq!(summary["accepted"], true);
    assert_eq!(
        summary["methods"][5]["test"],
        summary["tuned"]["best"]["test"]
    );
    let scale = place
        .tensors("taken", "adapter.safetensors")
        .f32("hidden1.scale");
    assert!(scale.iter().any(|&scale| scale != 1.0));
}

#[test]
fn a_metric_that_never_changes_keeps_the_pretrained_network() {
    let place = Place::new();
    let printed = succeeds(place.test_run("run", &["--metric", "misbehaving:how=constant"]));
    assert!(
        printed.contains("nothing on the way was better"),
        "{printed}"
    );
    let summary = place.summary("run");
    assert_eq!(summary["accepted"], false);
    assert_eq!(summary["value_function"]["weight"], 0.0);
    assert!(
        !place
            .files("run")
            .contains(&"value_function.safetensors".to_owned())
    );
}

#[test]
fn runs_without_a_folder_are_numbered() {
    let place = Place::new();
    for _ in 0..2 {
        let mut arguments = vec![
            "run",
            "--plugin",
            "tabular",
            "--device",
            "cpu",
            "--set",
            "task.network.epochs=0",
        ];
        // A run that fails leaves no number behind.
        crate::support::fails(place.host(&arguments), 2);
        arguments.truncate(5);
        let fast = set(&[
            "task.dataset=csv",
            "task.path=table.csv",
            "task.network.epochs=1",
            "trajectories.count=2",
            "trajectories.steps=2",
            "trajectories.observe_every=1",
            "meta_training.iterations=1",
            "finetune.steps=1",
            "finetune.observe_every=1",
            "report.bootstrap=0",
        ]);
        arguments.extend(fast);
        succeeds(place.host(&arguments));
    }
    assert_eq!(place.files("runs"), ["tabular-f1-1", "tabular-f1-2"]);
    assert_eq!(
        place.summary("runs/tabular-f1-1")["methods"][5]["interval"],
        Value::Null
    );
}

#[test]
fn libsvm_files_are_read_too() {
    let place = Place::new();
    let text: String = crate::support::table(600)
        .lines()
        .skip(1)
        .map(|line| {
            let fields: Vec<&str> = line.split(',').collect();
            let label = if fields[4] == "1" { "+1" } else { "-1" };
            format!(
                "{label} 1:{} 2:{} 3:{} 4:{}\n",
                fields[0], fields[1], fields[2], fields[3]
            )
        })
        .collect();
    place.write("table.svm", text);
    succeeds(place.run("svm", &set(&["task.dataset=libsvm", "task.path=table.svm"])));
    succeeds(place.run("csv", &[]));
    // The same numbers in another spelling.
    let read = |run: &str| fs::read(place.path(run).join("adapter.safetensors")).unwrap();
    assert_eq!(read("svm"), read("csv"));
}
