//! Plugins that misbehave, compiled in and loaded from a file, before and in the middle of a run.

use crate::support::{Place, Way, fails, library, set, succeeds};

/// Early enough that nothing is worth keeping: the folder goes, and the message names the metric and the fault.
#[test]
fn a_metric_that_fails_early_leaves_nothing() {
    let place = Place::new();
    for (how, expected) in [
        ("not-a-number", "returned NaN, outside its range [0, 1]"),
        ("infinite", "returned inf, outside its range [0, 1]"),
        ("out-of-range", "returned 2, outside its range [0, 1]"),
        ("error", "the sensor is unplugged\n hint: plug it in"),
        ("causes", "cannot read the sensor\n  because: no current"),
        ("undefined", "no value today"),
        (
            "panic",
            "panicked: the metric panicked on purpose (at tests/plugins/misbehaving/src/metric.rs:",
        ),
    ] {
        // At the first call, and among the loss-only steps.
        for (after, way) in [
            (0, Way::CompiledIn),
            (1, Way::CompiledIn),
            (0, Way::Loaded),
            (1, Way::Loaded),
        ] {
            let metric = format!("misbehaving:how={how},after={after}");
            let error = fails(place.test_run_by(way, "run", &["--metric", &metric]), 1);
            let start = format!("error: {} on ", way.label("metric `misbehaving`"));
            assert!(error.starts_with(&start), "no `{start}` in {error}");
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
    for (way, run) in [(Way::CompiledIn, "compiled"), (Way::Loaded, "loaded")] {
        // 1 for the pre-trained network, 10 observations of loss-only, 4 trajectories at 3 steps in 2 folds, then
        // fine-tuning.
        let arguments = [
            &["--metric", "misbehaving:how=panic,after=60"][..],
            &set(&fewer),
        ]
        .concat();
        let error = fails(place.test_run_by(way, run, &arguments), 1);
        let start = format!("error: {} on ", way.label("metric `misbehaving`"));
        assert!(error.starts_with(&start), "{error}");
        assert!(
            error.contains(&format!("hint: what was finished is in `{run}`")),
            "{error}"
        );
        place.assert_only_complete_files(run);
        assert_eq!(
            place.files(run),
            [
                "checkpoint.bin",
                "config.toml",
                "events.jsonl",
                "metrics.csv",
                "predictions.safetensors",
                "tensorboard",
                "trajectories.safetensors",
                "value_function.safetensors"
            ]
        );
        assert!(!place.events(run).is_empty());
    }
}

/// What a metric does beside its work costs no run, and never reaches standard output.
#[test]
fn what_a_metric_does_beside_its_work_is_reported_and_the_run_goes_on() {
    let place = Place::new();
    let expected = succeeds(place.test_run("reference", &["--metric", "misbehaving", "--json"]));
    let value = |printed: &str| -> serde_json::Value {
        serde_json::from_str::<serde_json::Value>(printed).unwrap()["methods"][0]["test"].clone()
    };
    for way in Way::BOTH {
        for (how, said) in [
            ("print", "printed to standard output\n"),
            ("log", "warning: [misbehaving] a warning from inside rows="),
            ("threads", "a thread panicked on purpose"),
            (
                "panic-in-drop",
                "error: [misbehaving] metric `misbehaving` panicked: the metric panicked in its drop on purpose (at tests/plugins",
            ),
        ] {
            let run = format!("{how}-{way:?}");
            let metric = format!("misbehaving:how={how}");
            let mut command = place.test_run_by(way, &run, &["--metric", &metric, "--json"]);
            let output = command.assert().success().get_output().clone();
            let stderr = String::from_utf8(output.stderr).unwrap();
            // Names of compiled-in plugins are those of their crates.
            let said = match way {
                Way::CompiledIn if how == "panic-in-drop" => "panicked in its drop on purpose",
                _ => said,
            };
            assert!(stderr.contains(said), "no `{said}` in {stderr}");
            assert!(!stderr.contains("news from inside"), "{stderr}");
            let stdout = String::from_utf8(output.stdout).unwrap();
            assert_eq!(value(&stdout), value(&expected), "{run}");
            place.assert_only_complete_files(&run);
        }
    }
}

#[test]
fn the_log_of_a_plugin_shows_as_much_as_was_asked_for() {
    let place = Place::new();
    for way in Way::BOTH {
        for (level, least, most) in [
            ("error", "an error", "a warning"),
            ("info", "news", "a detail"),
        ] {
            let run = format!("{level}-{way:?}");
            let arguments = ["--metric", "misbehaving:how=log", "--log", level];
            let output = place.test_run_by(way, &run, &arguments).assert().success();
            let stderr = String::from_utf8(output.get_output().stderr.clone()).unwrap();
            assert!(
                stderr.contains(&format!("[misbehaving] {least} from inside")),
                "{stderr}"
            );
            assert!(!stderr.contains(&format!("{most} from inside")), "{stderr}");
        }
    }
}

/// The task's faults are the task's, whoever stumbles over them.
#[test]
fn a_task_that_misbehaves_is_named() {
    let place = Place::new();
    let library = library("metricopt_misbehaving");
    let label = "task `misbehaving-task` of plugin `misbehaving`";
    for (how, expected) in [
        ("open", "the data is gone\n hint: look behind the sofa"),
        (
            "panic-in-open",
            "panicked: the task panicked on purpose (at tests/plugins/",
        ),
        ("no-site", "has no FiLM site"),
        (
            "wrong-gradients",
            "returned gradients of shape [2] and type Float, expected [1, 2] and Float",
        ),
        (
            "panic-in-gradients",
            "panicked: the gradients panicked on purpose (at tests/plugins/",
        ),
        ("not-a-number", "the surrogate loss is NaN"),
        ("panic-in-libtorch", "inconsistent tensor size"),
        (
            "wrong-shape",
            "emitted predictions: tensor `scores` has shape [400, 1, 1], expected [N] or [N, C]",
        ),
        (
            "wrong-type",
            "emitted predictions: tensor `scores` has dtype F64, expected F32",
        ),
        (
            "missing-tensor",
            "emitted predictions: tensor `scores` is missing; there are `labels`",
        ),
        (
            "not-a-number-scores",
            "emitted predictions: tensor `scores` holds NaN at element 0",
        ),
        (
            "twice",
            "emitted candidates 0..1 of 1, which is out of range or twice",
        ),
        ("nothing", "emitted no prediction for candidate 0"),
        (
            "out-of-range",
            "emitted candidates 1000..1001 of 1, which is out of range or twice",
        ),
        (
            "deaf-to-errors",
            "emitted candidates 0..1 of 1, which is out of range or twice",
        ),
    ] {
        let how = format!("task.how={how}");
        let arguments = [
            "run",
            "--plugin",
            library.to_str().unwrap(),
            "--out",
            "run",
            "--set",
            &how,
        ];
        let error = fails(place.host(&arguments), 1);
        assert!(
            error.starts_with(&format!("error: {label}")),
            "{how}: {error}"
        );
        assert!(error.contains(expected), "no `{expected}` in {error}");
        assert!(!error.contains("Exception raised from"), "{error}");
        assert!(!place.path("run").exists(), "{how}");
    }
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
