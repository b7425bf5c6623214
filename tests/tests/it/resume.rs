//! Runs that are killed and go on: to the same bytes as if nothing had happened.

#![cfg(unix)]

use crate::interruption::{start, wait_for};
use crate::support::{Place, Way, fails, set, succeeds};
use serde_json::Value;
use std::fs;
use std::process::{Command, Stdio};
use std::time::Duration;

/// Long enough to be killed in every phase.
const LONGER: [&str; 4] = [
    "finetune.steps=150",
    "trajectories.steps=40",
    "baselines.thresholds=20",
    "report.bootstrap=200",
];

fn without_seconds(mut summary: Value) -> Value {
    for method in summary["methods"].as_array_mut().unwrap() {
        method.as_object_mut().unwrap().remove("seconds");
    }
    summary
}

#[track_caller]
pub(crate) fn assert_same(place: &Place, run: &str, reference: &str) {
    assert_eq!(place.files(run), place.files(reference));
    assert_eq!(
        without_seconds(place.summary(run)).to_string(),
        without_seconds(place.summary(reference)).to_string()
    );
    for file in place.files(reference) {
        // The head of the configuration names the directory's own command; the summary and the report hold seconds.
        if ["summary.json", "report.html"].contains(&file.as_str())
            || place.path(run).join(&file).is_dir()
        {
            continue;
        }
        let read = |run: &str| fs::read(place.path(run).join(&file)).unwrap();
        assert!(read(run) == read(reference), "{file}");
    }
}

/// Starts a command and kills it after a while, unless it ends before; whether it ended by itself.
pub(crate) fn killed_after(command: &assert_cmd::Command, delay: Duration) -> bool {
    let mut spawned = Command::new(command.get_program());
    spawned.args(command.get_args());
    for (variable, value) in command.get_envs() {
        match value {
            Some(value) => spawned.env(variable, value),
            None => spawned.env_remove(variable),
        };
    }
    spawned.current_dir(command.get_current_dir().unwrap());
    let quiet = spawned.stdout(Stdio::null()).stderr(Stdio::null());
    let mut child = quiet.spawn().unwrap();
    std::thread::sleep(delay);
    // SIGKILL: nothing of the process runs any more.
    let _ = child.kill();
    child.wait().unwrap().success()
}

#[test]
fn twenty_kills_change_nothing() {
    kills_change_nothing(&set(&LONGER), 20);
}

#[test]
fn kills_change_nothing_for_a_learned_optimizer() {
    let learned = [
        "finetune.optimizer=learned",
        "finetune.learned.iterations=60",
    ];
    kills_change_nothing(&set(&learned), 8);
}

/// Kills a run again and again at any time, and resumes it each time.
fn kills_change_nothing(longer: &[&str], kills: usize) {
    let place = Place::new();
    succeeds(place.run("reference", longer));
    let resumed = [longer, &["--resume"]].concat();
    // Knuth's generator: any fixed sequence would do.
    let mut state = 42_u64;
    let mut random = || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        state >> 40
    };
    let mut killed = 0;
    while killed < kills {
        let delay = Duration::from_millis(20 + random() * 700 / (1 << 24));
        if killed_after(&place.run("run", &resumed), delay) {
            assert_same(&place, "run", "reference");
            fs::remove_dir_all(place.path("run")).unwrap();
        } else {
            killed += 1;
        }
    }
    succeeds(place.run("run", &resumed));
    assert_same(&place, "run", "reference");
}

#[test]
fn what_was_stopped_goes_on_and_asks_nothing_twice() {
    let place = Place::new();
    succeeds(place.run("reference", &[]));
    let resume = ["--resume"];
    let path = place.path("run");
    fs::create_dir(&path).unwrap();
    succeeds(place.run("run", &resume));
    assert_same(&place, "run", "reference");
    // Nothing to resume: neither an error nor another run.
    let before = fs::metadata(path.join("summary.json"))
        .unwrap()
        .modified()
        .unwrap();
    let output = place
        .run("run", &resume)
        .assert()
        .success()
        .get_output()
        .clone();
    assert!(output.stdout.is_empty());
    assert!(String::from_utf8_lossy(&output.stderr).contains("run is complete"));
    assert_eq!(
        fs::metadata(path.join("summary.json"))
            .unwrap()
            .modified()
            .unwrap(),
        before
    );
}

#[test]
fn another_configuration_is_refused_and_named() {
    let place = Place::new();
    let arguments = ["--metric", "misbehaving:how=sleep", "--resume"];
    let mut child = start(&place.test_run_by(Way::CompiledIn, "run", &arguments));
    // Written once the checkpoint says whose it is.
    wait_for(&place.path("run/config.toml"));
    child.kill().unwrap();
    assert!(!child.wait().unwrap().success());
    let before = place.files("run");
    for (changed, expected) in [
        (
            &["--set", "finetune.lambda=5"][..],
            "`finetune.lambda` was ",
        ),
        (&["--seed", "3"], "`seed` was 0 and is 3"),
        (
            &["--set", "task.network.epochs=9"],
            "`task.network.epochs` was 8 and is 9",
        ),
    ] {
        let error = fails(
            place.test_run("run", &[&arguments[..], changed].concat()),
            2,
        );
        assert!(
            error.contains("the run was begun with another configuration: "),
            "{error}"
        );
        assert!(error.contains(expected), "no `{expected}` in {error}");
        assert_eq!(place.files("run"), before);
    }
    let error = fails(place.run("run", &["--resume"]), 2);
    assert!(
        error.contains("`metric` was \"misbehaving\" and is \"f1\""),
        "{error}"
    );
    // Without `--resume` nothing is overwritten.
    let error = fails(place.run("run", &[]), 1);
    assert!(error.contains("`run` already holds files"), "{error}");
}

#[test]
fn a_folder_of_something_else_is_left_alone() {
    let place = Place::new();
    fs::create_dir(place.path("mine")).unwrap();
    place.write("mine/thesis.tex", "precious");
    let error = fails(place.run("mine", &["--resume"]), 1);
    assert!(
        error.contains("`mine` holds files, but no `checkpoint.bin` to resume from"),
        "{error}"
    );
    assert_eq!(place.files("mine"), ["thesis.tex"]);
    place.write("mine/checkpoint.bin", "something else entirely");
    let error = fails(place.run("mine", &["--resume"]), 1);
    assert!(
        error.contains("is no checkpoint of this version"),
        "{error}"
    );
    assert_eq!(
        fs::read(place.path("mine/thesis.tex")).unwrap(),
        b"precious"
    );
    let error = fails(place.host(&["run", "--plugin", "tabular", "--resume"]), 2);
    assert!(error.contains("--out"), "{error}");
}
