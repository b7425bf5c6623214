//! Metrics that misbehave, before and in the middle of a run.

use crate::support::{Place, fails, set, succeeds};

/// Early enough that nothing is worth keeping: the folder goes, and the message names the metric and the fault.
#[test]
fn a_metric_that_fails_early_leaves_nothing() {
    let place = Place::new();
    for (how, expected) in [
        ("not-a-number", "returned NaN, outside its range [0, 1]"),
        ("infinite", "returned inf, outside its range [0, 1]"),
        ("out-of-range", "returned 2, outside its range [0, 1]"),
        ("error", "the sensor is unplugged\n hint: plug it in"),
        ("undefined", "no value today"),
    ] {
        // At the first call, and among the loss-only steps.
        for after in [0, 1] {
            let metric = format!("misbehaving:how={how},after={after}");
            let error = fails(place.test_run("run", &["--metric", &metric]), 1);
            assert!(
                error.starts_with("error: metric `misbehaving` on "),
                "{error}"
            );
            assert!(error.contains(expected), "no `{expected}` in {error}");
            assert!(!place.path("run").exists(), "{metric}");
        }
    }
}

/// Between the loss-only steps and the trajectories, and in the intervals after the last step.
#[test]
fn a_metric_that_fails_is_named_in_every_phase() {
    let place = Place::new();
    for (run, after) in [("thresholds", 5), ("intervals", 220)] {
        let metric = format!("misbehaving:how=error,after={after}");
        let error = fails(
            place.test_run(run, &["--threads", "1", "--metric", &metric]),
            1,
        );
        assert!(
            error.starts_with("error: metric `misbehaving` on "),
            "{error}"
        );
    }
}

#[test]
fn a_metric_that_panics_is_an_error_like_any_other() {
    let place = Place::new();
    let error = fails(
        place.test_run("run", &["--metric", "misbehaving:how=panic"]),
        1,
    );
    assert!(
        error.contains("metric `misbehaving`") && error.contains("the metric panicked on purpose"),
        "{error}"
    );
    assert!(!place.path("run").exists());
}

/// After the trajectories: they are kept, whole, and the message says where.
#[test]
fn a_metric_that_fails_late_keeps_what_was_finished() {
    let place = Place::new();
    let fewer = [
        "baselines.thresholds=0",
        "baselines.class_weights=[]",
        "baselines.es=false",
        "finetune.steps=50",
    ];
    // 1 for the pre-trained network, 10 observations of loss-only, 4 trajectories at 3 steps in 2 folds, then fine-tuning.
    let arguments = [
        &["--metric", "misbehaving:how=not-a-number,after=60"][..],
        &set(&fewer),
    ]
    .concat();
    let error = fails(place.test_run("run", &arguments), 1);
    assert!(
        error.starts_with("error: metric `misbehaving` on "),
        "{error}"
    );
    assert!(
        error.contains("hint: what was finished is in `run`"),
        "{error}"
    );
    place.assert_only_complete_files("run");
    assert_eq!(
        place.files("run"),
        [
            "config.toml",
            "events.jsonl",
            "trajectories.safetensors",
            "value_function.safetensors"
        ]
    );
    assert!(!place.events("run").is_empty());
}

#[test]
fn a_metric_for_other_predictions_is_refused_before_any_work() {
    let place = Place::new();
    let error = fails(place.test_run("run", &["--metric", "of-embeddings"]), 2);
    assert!(
        error.starts_with("error: metric `of-embeddings` takes retrieval predictions, task `tabular` yields classification"),
        "{error}"
    );
    assert!(
        error.contains("hint: metrics that fit: `accuracy`, `aucpr`"),
        "{error}"
    );
    assert!(!place.path("run").exists());
}

#[test]
fn a_metric_of_another_plugin_can_be_tuned_for() {
    let place = Place::new();
    succeeds(place.test_run("run", &["--metric", "misbehaving"]));
    assert_eq!(
        place.summary("run")["metric"]["options"],
        serde_json::json!({ "how": "not", "after": 0 })
    );
}
