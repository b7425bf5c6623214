//! `host bench`: the numbers of a run that leaves nothing, and what the defaults must not exceed.

use crate::support::{Place, Program, fails, succeeds};
use assert_cmd::Command;
use serde_json::Value;
use std::thread;
use std::time::{Duration, Instant};

fn measured(place: &Place, arguments: &[&str]) -> Value {
    let arguments = [&["--json"], arguments].concat();
    serde_json::from_str(&succeeds(place.bench(Program::Host, &arguments))).unwrap()
}

fn sum(phases: &[Value], key: &str) -> f64 {
    phases
        .iter()
        .map(|phase| phase[key].as_f64().unwrap())
        .sum()
}

#[test]
fn a_benchmark_counts_what_the_same_run_counts_and_leaves_nothing() {
    let place = Place::new();
    succeeds(place.run("run", &["--seed", "3"]));
    let summary = place.summary("run");
    let before = place.files(".");
    let bench = measured(&place, &["--seed", "3", "--threads", "2"]);
    assert_eq!(
        place.files("temporary"),
        Vec::<String>::new(),
        "the run directory is still there"
    );
    let after = place.files(".");
    assert!(
        after
            .iter()
            .all(|name| name == "temporary" || before.contains(name)),
        "{after:?}"
    );

    assert_eq!(bench["version"], 1);
    let job =
        ["plugin", "task", "metric", "seed", "threads", "device"].map(|key| bench[key].to_string());
    assert_eq!(
        job,
        ["\"tabular\"", "\"tabular\"", "\"f1\"", "3", "2", "\"cpu\""]
    );
    assert_eq!(bench["queries"], summary["queries"]["total"]);
    assert_eq!(
        bench["network_evaluations"],
        summary["network_evaluations"]["total"]
    );

    let phases = bench["phases"].as_array().unwrap();
    let names: Vec<&str> = phases
        .iter()
        .map(|phase| phase["name"].as_str().unwrap())
        .collect();
    assert_eq!(
        names,
        [
            "opening",
            "pretrained",
            "calibration",
            "trajectories",
            "value function",
            "fine-tuning",
            "loss-only",
            "threshold",
            "class-weighted",
            "es",
            "test",
            "landscape",
            "report"
        ]
    );
    for key in ["seconds", "queries", "network_evaluations", "network_steps"] {
        let (total, sum) = (bench[key].as_f64().unwrap(), sum(phases, key));
        assert!(
            (total - sum).abs() <= 1e-9 * total,
            "{key}: {total}, phases {sum}"
        );
    }
    let phase = |name: &str| &phases[names.iter().position(|other| *other == name).unwrap()];
    // Four trajectories of ten steps; five steps of fine-tuning.
    assert_eq!(phase("trajectories")["network_steps"], 40);
    assert_eq!(phase("fine-tuning")["network_steps"], 5);
    let rate = phase("fine-tuning")["queries_per_second"].as_f64().unwrap();
    let expected = phase("fine-tuning")["queries"].as_f64().unwrap()
        / phase("fine-tuning")["seconds"].as_f64().unwrap();
    assert!((rate - expected).abs() < 1e-9 * expected);
    assert_eq!(phase("test")["queries_per_second"], Value::Null);
    if cfg!(target_os = "linux") {
        // libtorch alone takes tens of megabytes.
        assert!(
            bench["peak_memory_bytes"].as_u64().unwrap() > 20_000_000,
            "{bench}"
        );
    }
}

#[test]
fn the_table_names_every_phase_and_goes_to_standard_output() {
    let place = Place::new();
    let metric = [
        "--metric",
        "mcr",
        "--set",
        "finetune.es.pairs=0",
        "--threads",
        "1",
    ];
    let text = succeeds(place.bench(Program::Host, &metric));
    let mut lines = text.lines();
    assert_eq!(
        lines.next(),
        Some("mcr, task tabular, seed 0, 1 thread, device cpu")
    );
    for name in [
        "opening",
        "trajectories",
        "value function",
        "fine-tuning",
        "total",
    ] {
        assert_eq!(
            lines.clone().filter(|line| line.starts_with(name)).count(),
            1,
            "{text}"
        );
    }
    assert!(
        lines.next_back().unwrap().starts_with("peak memory "),
        "{text}"
    );
}

#[test]
fn a_benchmark_that_fails_leaves_nothing_either() {
    let place = Place::new();
    let broken = ["--metric", "misbehaving:how=error,after=1"];
    let error = fails(place.bench(Program::TestHost, &broken), 1);
    assert!(error.contains("the sensor is unplugged"), "{error}");
    let unknown = fails(place.bench(Program::Host, &["--metric", "f11"]), 2);
    assert!(unknown.contains("`f1`"), "{unknown}");
    assert_eq!(place.files("temporary"), Vec::<String>::new());
}

/// One of many starts is enough: what else the machine does, such as other tests, can only slow one down. Where it never rests, the
/// processor time tells, of which a process that shares its core takes more, too.
#[test]
fn the_host_starts_in_less_than_half_a_second() {
    const WALL: f64 = 0.5;
    const BUSY: f64 = 0.75;
    let place = Place::new();
    let (mut wall, mut processor) = (f64::INFINITY, f64::INFINITY);
    for _ in 0..30 {
        let begun = Instant::now();
        let spent = processor_seconds(&place, &["list"]);
        wall = wall.min(begun.elapsed().as_secs_f64());
        processor = processor.min(spent);
        if wall < WALL {
            return;
        }
        thread::sleep(Duration::from_millis(500));
    }
    assert!(
        processor < BUSY,
        "`host list` took {wall:.2} s, {processor:.2} s of them on a processor, at best"
    );
}

/// What a command takes of a processor, as the shell tells it: `times` prints minutes and seconds, of the shell itself and, in the
/// second line, of its children, as in `0m0.25s 0m0.07s`.
fn processor_seconds(place: &Place, arguments: &[&str]) -> f64 {
    let host = place.host(arguments);
    let mut shell = Command::new("sh");
    shell
        .args(["-c", "\"$@\" > /dev/null && times", "sh"])
        .arg(host.get_program())
        .args(arguments)
        .current_dir(place.path("."));
    let printed = succeeds(shell);
    let children = printed.lines().nth(1).unwrap();
    let seconds = |time: &str| -> f64 {
        let (minutes, seconds) = time.trim_end_matches('s').split_once('m').unwrap();
        60.0 * minutes.parse::<f64>().unwrap() + seconds.parse::<f64>().unwrap()
    };
    children.split_whitespace().map(seconds).sum()
}

#[test]
#[cfg(target_os = "linux")]
#[ignore = "slow: the four default runs, minutes of pre-training"]
fn slow_every_default_run_stays_below_1_5_gb() {
    let place = Place::new();
    for plugin in ["tabular", "classification", "detection", "retrieval"] {
        let bench = ["bench", "--plugin", plugin, "--device", "cpu", "--json"];
        let bench: Value = serde_json::from_str(&succeeds(place.host(&bench))).unwrap();
        let peak = bench["peak_memory_bytes"].as_u64().unwrap();
        assert!(peak < 1_500_000_000, "`{plugin}` took {peak} bytes");
    }
}
