//! Layers of configuration, and how a run is repeated from its own.

use crate::support::{Place, fails, set, succeeds};
use std::fs;

#[test]
fn the_configuration_of_a_run_repeats_it() {
    let place = Place::new();
    succeeds(place.run("first", &["--seed", "3"]));
    let config = place.path("first").join("config.toml");
    let config = config.to_str().unwrap();
    succeeds(place.host(&[
        "run", "--plugin", "tabular", "--device", "cpu", "--seed", "3", "--config", config,
        "--out", "second",
    ]));
    let read = |run: &str| fs::read(place.path(run).join("adapter.safetensors")).unwrap();
    assert_eq!(read("first"), read("second"));
    let first_line = fs::read_to_string(config)
        .unwrap()
        .lines()
        .next()
        .unwrap()
        .to_owned();
    assert_eq!(
        first_line,
        "# host run --plugin tabular --task tabular --metric f1 --seed 3 --config THIS_FILE"
    );
}

#[test]
fn a_dry_run_tells_the_origin_of_every_value_and_writes_nothing() {
    let place = Place::new();
    place.write(
        "a.toml",
        "[finetune]\nlambda = 5.0\nsteps = 7\n[task.corruption]\nrate = 0.5\n",
    );
    place.write("b.toml", "finetune.steps = 8\n");
    let before = place.files(".");
    let printed = succeeds(place.run(
        "run",
        &[
            "--config",
            "a.toml",
            "--config",
            "b.toml",
            "--set",
            "finetune.es.sigma=0.25",
            "--dry-run",
        ],
    ));
    let origin = |line: &str| {
        assert!(
            printed.lines().any(|found| found == line),
            "no `{line}` in\n{printed}"
        )
    };
    origin("finetune.lambda = 5.0  # a.toml");
    origin("finetune.es.sigma = 0.25  # command line");
    origin("task.corruption.rate = 0.5  # a.toml");
    origin("finetune.momentum = 0.9  # default");
    origin("# calibration.width is not set");
    // The command line wins over files, and `QUICK` sets the steps.
    origin("finetune.steps = 5  # command line");
    // A network that was pre-trained for the estimate is there for the run.
    let mut after = place.files(".");
    after.retain(|name| name != "cache");
    assert_eq!(after, before);
    let plain = succeeds(place.host(&[
        "run",
        "--plugin",
        "tabular",
        "--config",
        "a.toml",
        "--config",
        "b.toml",
        "--dry-run",
    ]));
    assert!(
        plain
            .lines()
            .any(|line| line == "finetune.steps = 8  # b.toml"),
        "{plain}"
    );
    for line in printed
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
    {
        let origin = line.rsplit("  # ").next().unwrap();
        assert!(
            ["default", "command line", "a.toml", "b.toml"].contains(&origin),
            "{line}"
        );
    }
}

#[test]
fn an_unknown_key_names_the_nearest_one_and_its_file() {
    let place = Place::new();
    let error = fails(place.run("run", &set(&["finetune.lamda=3"])), 2);
    assert!(error.starts_with("error: unknown configuration key `finetune.lamda`\n hint: did you mean `finetune.lambda`"), "{error}");
    place.write("wrong.toml", "[task.network]\nepoch = 3\n");
    let error = fails(place.run("run", &["--config", "wrong.toml"]), 2);
    assert!(
        error.starts_with("error: `wrong.toml`: unknown configuration key `task.network.epoch`"),
        "{error}"
    );
    assert!(
        error.contains("hint: did you mean `task.network.epochs`"),
        "{error}"
    );
    assert!(!place.path("run").exists());
}

#[test]
fn a_file_that_is_no_toml_is_told_with_its_line() {
    let place = Place::new();
    place.write("wrong.toml", "finetune.steps = 3\n[finetune.es\n");
    let error = fails(place.run("run", &["--config", "wrong.toml"]), 2);
    assert!(error.starts_with("error: `wrong.toml` line 2:"), "{error}");
    let error = fails(place.run("run", &["--config", "none.toml"]), 2);
    assert!(
        error.starts_with("error: cannot read `none.toml`"),
        "{error}"
    );
}

#[test]
fn all_values_out_of_range_are_told_at_once() {
    let place = Place::new();
    let wrong = set(&[
        "finetune.lambda=-1",
        "finetune.es.alpha=1.5",
        "trajectories.count=1",
        "meta_training.iterations=1000000000",
        "trajectories.learning_rates=[0.1, 0.01]",
        "baselines.class_weights=[0.0]",
    ]);
    let error = fails(place.run("run", &wrong), 2);
    for key in [
        "`finetune.lambda` is -1, expected 0 to 1000",
        "`finetune.es.alpha` is 1.5, expected 0 to 1",
        "`trajectories.count` is 1, expected 2 to 10000",
        "`meta_training.iterations` is 1000000000, expected 1 to 1000000",
        "`trajectories.learning_rates` is [0.1, 0.01], expected two numbers",
        "`baselines.class_weights` is 0, expected above 0",
        "hint: `host describe config` explains every key",
    ] {
        assert!(error.contains(key), "no `{key}` in {error}");
    }
    assert!(!place.path("run").exists());

    let error = fails(
        place.run(
            "run",
            &set(&["task.network.epochs=0", "task.network.batch_size=0"]),
        ),
        2,
    );
    assert!(
        error.contains("`network.epochs`") && error.contains("`network.batch_size`"),
        "{error}"
    );
    assert!(!place.path("run").exists());
}

#[test]
fn values_of_the_wrong_type_are_told_with_their_origin() {
    let place = Place::new();
    for (assignment, key) in [
        ("finetune.steps=-5", "finetune.steps"),
        ("finetune.lambda=much", "finetune.lambda"),
        ("finetune.steps=1.5", "finetune.steps"),
    ] {
        let error = fails(place.run("run", &["--set", assignment]), 2);
        assert!(
            error.starts_with(&format!("error: `{key}`: invalid")),
            "{error}"
        );
        assert!(
            error.contains(&format!("hint: `{key}` was set by command line")),
            "{error}"
        );
    }
    let error = fails(place.run("run", &["--set", "finetune=3"]), 2);
    assert!(error.contains("`finetune` is a group of keys"), "{error}");
    let error = fails(place.run("run", &["--set", "finetune.steps"]), 2);
    assert!(
        error.contains("hint: write `--set finetune.steps=VALUE`"),
        "{error}"
    );
}

/// TOML knows `nan` and `inf`, JSON does not: they must not turn into "not set".
#[test]
fn numbers_that_are_none() {
    let place = Place::new();
    for (key, value) in [
        ("finetune.learning_rate", "nan"),
        ("calibration.width", "inf"),
        ("finetune.lambda", "nan"),
    ] {
        let error = fails(place.run("run", &["--set", &format!("{key}={value}")]), 2);
        assert!(
            error.contains(&format!("`{key}`")) && !error.contains("null"),
            "{error}"
        );
    }
}

#[test]
fn a_task_may_want_other_values_of_the_engine() {
    let place = Place::new();
    let resolved = succeeds(place.host(&[
        "run",
        "--plugin",
        "detection",
        "--dry-run",
        "--set",
        "finetune.batch_size=8",
    ]));
    for line in [
        "trajectories.batch_size = 16  # default of the task",
        "finetune.batch_size = 8  # command line",
        "finetune.lambda = 3.0  # default",
    ] {
        assert!(resolved.lines().any(|found| found == line), "{resolved}");
    }
}
