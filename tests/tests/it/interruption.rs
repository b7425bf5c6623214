//! Runs that are stopped, crowded out, or have nowhere to write to.

#![cfg(unix)]

use crate::support::{Place, Way, fails, host_program, set};
use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Longest wait for anything.
const PATIENCE: Duration = Duration::from_secs(60);

/// Starts a command without waiting for it.
pub(crate) fn start(command: &assert_cmd::Command) -> Child {
    let mut spawned = Command::new(command.get_program());
    spawned.args(command.get_args());
    for (variable, value) in command.get_envs() {
        spawned.env(variable, value.unwrap_or_default());
    }
    spawned.current_dir(command.get_current_dir().unwrap());
    spawned
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

pub(crate) fn wait_for(path: &Path) {
    let started = Instant::now();
    while !path.exists() {
        assert!(
            started.elapsed() < PATIENCE,
            "`{}` does not appear",
            path.display()
        );
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Sends a signal and returns what the process said; it must end soon.
pub(crate) fn interrupt(child: Child, signal: &str) -> String {
    let started = Instant::now();
    assert!(
        Command::new("kill")
            .args([signal, &child.id().to_string()])
            .status()
            .unwrap()
            .success()
    );
    let output = child.wait_with_output().unwrap();
    assert!(
        started.elapsed() < Duration::from_secs(5),
        "took {:?} to stop",
        started.elapsed()
    );
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    assert!(output.stdout.is_empty());
    assert_eq!(stderr.matches("error:").count(), 1, "{stderr}");
    assert!(stderr.contains("error: stopped on request"), "{stderr}");
    stderr
}

#[test]
fn stopping_during_pre_training_leaves_nothing() {
    let place = Place::new();
    let child = start(&place.run(
        "run",
        &set(&["task.network.epochs=10000", "task.network.patience=10000"]),
    ));
    wait_for(&place.path("run/config.toml"));
    std::thread::sleep(Duration::from_millis(300));
    interrupt(child, "-INT");
    assert!(!place.path("run").exists());
}

#[test]
fn stopping_during_a_slow_metric_keeps_its_answers() {
    let place = Place::new();
    let child = start(&place.test_run("run", &["--metric", "misbehaving:how=sleep"]));
    wait_for(&place.path("run/tensorboard"));
    let stderr = interrupt(child, "-TERM");
    assert!(
        stderr.contains("the same command with `--out run --resume` goes on"),
        "{stderr}"
    );
    assert_eq!(
        place.files("run"),
        [
            "checkpoint.bin",
            "config.toml",
            "events.jsonl",
            "metrics.csv",
            "tensorboard"
        ]
    );
}

#[test]
fn stopping_during_fine_tuning_keeps_what_was_finished() {
    let place = Place::new();
    // Long enough to be stopped: the alternatives come afterwards.
    let long = set(&[
        "finetune.steps=3000",
        "finetune.observe_every=3000",
        "finetune.es.pairs=64",
        "baselines.thresholds=0",
        "baselines.class_weights=[]",
        "baselines.es=false",
    ]);
    let child = start(&place.run("run", &long));
    wait_for(&place.path("run/value_function.safetensors"));
    let stderr = interrupt(child, "-INT");
    assert!(
        stderr.contains("hint: what was finished is in `run`"),
        "{stderr}"
    );
    place.assert_only_complete_files("run");
    assert_eq!(
        place.files("run"),
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
}

#[test]
fn of_two_runs_into_one_folder_one_gets_it() {
    let place = Place::new();
    let runs = [(); 2].map(|()| start(&place.run("run", &[])));
    let outputs = runs.map(|child| child.wait_with_output().unwrap());
    let mut codes = outputs.each_ref().map(|output| output.status.code());
    codes.sort_unstable();
    assert_eq!(codes, [Some(0), Some(1)]);
    let loser = outputs
        .iter()
        .find(|output| output.status.code() == Some(1))
        .unwrap();
    assert!(String::from_utf8_lossy(&loser.stderr).contains("error: `run` already holds files"));
    place.assert_only_complete_files("run");
    assert_eq!(place.files("run").len(), 11);
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let place = Place::new();
    for arguments in [&["list"][..], &["describe", "config"]] {
        let mut child = start(&place.host(arguments));
        drop(child.stdout.take());
        let output = child.wait_with_output().unwrap();
        assert_eq!(
            (output.status.code(), output.stderr.as_slice()),
            (Some(0), &b""[..])
        );
    }
    let mut child = start(&place.run("run", &["--json"]));
    drop(child.stdout.take());
    assert_eq!(child.wait_with_output().unwrap().status.code(), Some(0));
    place.summary("run");
}

#[cfg(target_os = "linux")]
#[test]
fn results_that_cannot_be_printed_are_an_error() {
    let place = Place::new();
    let output = Command::new(host_program())
        .arg("list")
        .current_dir(place.path("."))
        .stdout(
            fs::OpenOptions::new()
                .write(true)
                .open("/dev/full")
                .unwrap(),
        )
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(
        stderr.starts_with("error: cannot write to standard output"),
        "{stderr}"
    );
}

/// A small file system.
struct SmallDisk<'a>(&'a Place);

impl<'a> SmallDisk<'a> {
    /// None where this user may not mount.
    fn mount(place: &'a Place, kibibytes: u32) -> Option<Self> {
        fs::create_dir(place.path("disk")).unwrap();
        let mount = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &format!("size={kibibytes}k"), "tmpfs"])
            .arg(place.path("disk"))
            .output();
        mount
            .is_ok_and(|output| output.status.success())
            .then_some(Self(place))
    }
}

impl Drop for SmallDisk<'_> {
    fn drop(&mut self) {
        // Lazily, so that a test that failed with files open does not leave it behind.
        let _ = Command::new("umount")
            .arg("--lazy")
            .arg(self.0.path("disk"))
            .status();
    }
}

#[test]
#[expect(clippy::print_stderr, reason = "a test that is left out says so")]
fn a_full_disk_leaves_no_half_file() {
    let place = Place::new();
    let Some(_disk) = SmallDisk::mount(&place, 128) else {
        eprintln!("skipped: this user may not mount a small file system");
        return;
    };
    // 4 trajectories of 401 points of 32 numbers do not fit.
    let many = [
        "trajectories.steps=400",
        "observation.keep_predictions_mib=0",
    ];
    let error = fails(place.run("disk/run", &set(&many)), 1);
    assert!(
        error.starts_with("error: cannot write `disk/run/trajectories.safetensors`: No space left"),
        "{error}"
    );
    assert!(error.contains("hint: choose a folder with room"), "{error}");
    assert!(!place.path("disk/run").exists());
}

#[test]
#[expect(clippy::print_stderr, reason = "a test that is left out says so")]
fn a_full_disk_leaves_no_half_event() {
    let place = Place::new();
    let Some(_disk) = SmallDisk::mount(&place, 512) else {
        eprintln!("skipped: this user may not mount a small file system");
        return;
    };
    // The trajectories fit, what fine-tuning leaves does not.
    let fewer = [
        "finetune.steps=620",
        "baselines.es=false",
        "baselines.class_weights=[]",
    ];
    let error = fails(place.run("disk/run", &set(&fewer)), 1);
    assert!(
        error.starts_with("error: cannot write `disk/run/"),
        "{error}"
    );
    assert!(error.contains("`: No space left"), "{error}");
    assert!(
        error.contains("hint: what was finished is in `disk/run`"),
        "{error}"
    );
    place.assert_only_complete_files("disk/run");
}

#[test]
fn a_cache_that_cannot_be_written_is_told() {
    let place = Place::new();
    let mut command = place.run("run", &[]);
    // A file where the folder should be.
    command.env("METRICOPT_CACHE", "table.csv");
    let error = fails(command, 1);
    assert!(
        error.contains("cannot write the cache file `table.csv/"),
        "{error}"
    );
    assert!(
        error.contains("hint: point `METRICOPT_CACHE` at a writable folder"),
        "{error}"
    );
    assert!(!place.path("run").exists());
}

/// Nobody waits for a metric that never returns: neither the user who asks twice, nor the one who asks once.
#[test]
fn a_metric_that_never_returns_is_left_behind() {
    for (way, asks) in [(Way::CompiledIn, 2), (Way::Loaded, 2), (Way::Loaded, 1)] {
        let place = Place::new();
        let arguments = ["--metric", "misbehaving:how=forever,after=2"];
        let child = start(&place.test_run_by(way, "run", &arguments));
        wait_for(&place.path("stuck"));
        for _ in 0..asks {
            let process = child.id().to_string();
            assert!(
                Command::new("kill")
                    .args(["-INT", &process])
                    .status()
                    .unwrap()
                    .success()
            );
            std::thread::sleep(Duration::from_millis(300));
        }
        let output = child.wait_with_output().unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{stderr}");
        assert!(output.stdout.is_empty());
        let busy = format!("{} was busy for ", way.label("metric `misbehaving`"));
        assert!(stderr.contains(&busy), "no `{busy}` in {stderr}");
        // What the metric answered before it got stuck.
        assert_eq!(
            place.files("run"),
            ["checkpoint.bin", "config.toml", "events.jsonl"]
        );
    }
}
