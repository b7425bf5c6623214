//! `host compare`: methods side by side, paired by seed.

use crate::support::{Place, fails, library, set, succeeds};
use serde_json::Value;
use std::fs;

fn comparison(place: &Place, out: &str) -> Value {
    serde_json::from_slice(&fs::read(place.path(out).join("comparison.json")).unwrap()).unwrap()
}

/// The entry of a method at a seed.
fn entry<'a>(comparison: &'a Value, seed: usize, method: &str) -> &'a Value {
    let entries = comparison["seeds"][seed]["entries"].as_array().unwrap();
    let mut entries = entries.iter();
    entries.find(|entry| entry["method"] == method).unwrap()
}

fn names(rows: &Value) -> Vec<&str> {
    let rows = rows.as_array().unwrap().iter();
    rows.map(|row| row["method"].as_str().unwrap()).collect()
}

/// Takes the times out, which differ from one time to the next.
fn without_seconds(value: &mut Value) {
    match value {
        Value::Object(entries) => {
            entries.remove("seconds");
            entries.values_mut().for_each(without_seconds);
        }
        Value::Array(values) => values.iter_mut().for_each(without_seconds),
        _ => {}
    }
}

const EVERY_METHOD: [&str; 12] = [
    "pretrained",
    "threshold",
    "loss-only",
    "best-trajectory",
    "class-weighted",
    "loss-on-validation",
    "es",
    "guided-es",
    "value-function",
    "metricopt-sgd",
    "metricopt-adam",
    "metricopt-learned",
];

#[test]
fn a_comparison_leaves_its_files_and_the_same_json_on_standard_output() {
    let place = Place::new();
    let printed = succeeds(place.compare("out", &["--seeds", "2", "--json"]));
    let found = comparison(&place, "out");
    assert_eq!(serde_json::from_str::<Value>(&printed).unwrap(), found);
    assert_eq!(
        place.files("out"),
        [
            "comparison.csv",
            "comparison.html",
            "comparison.json",
            "config.toml",
            "seed-0.json",
            "seed-1.json"
        ]
    );
    assert_eq!(found["version"], 1);
    assert_eq!(found["reference"], "loss-only");
    assert_eq!(names(&found["methods"]), EVERY_METHOD);
    for seed in 0..2 {
        assert_eq!(found["seeds"][seed]["seed"], seed);
        assert_eq!(names(&found["seeds"][seed]["entries"]), EVERY_METHOD);
    }
    // The statistics can be computed again from the seeds: two differences d1, d2 have the mean (d1 + d2) / 2.
    let es = &found["methods"][6];
    let difference = |seed| {
        let test = |method| entry(&found, seed, method)["test"].as_f64().unwrap();
        test("es") - test("loss-only")
    };
    let mean = f64::midpoint(difference(0), difference(1));
    let versus = &es["versus_reference"];
    assert!((versus["difference"].as_f64().unwrap() - mean).abs() < 1e-12);
    assert!(versus["p_holm"].as_f64().unwrap() >= versus["p"].as_f64().unwrap());
    assert!(found["methods"][2]["versus_reference"].is_null());

    let csv = fs::read_to_string(place.path("out/comparison.csv")).unwrap();
    let lines: Vec<&str> = csv.lines().collect();
    assert_eq!(
        lines[0],
        "seed,method,validation,test,queries,seconds,difference_low,difference_high"
    );
    assert_eq!(lines.len(), 1 + 2 * EVERY_METHOD.len());
    let first = entry(&found, 0, "pretrained");
    let expected = format!("0,pretrained,{},{},1,", first["validation"], first["test"]);
    assert!(lines[1].starts_with(&expected), "{}", lines[1]);

    // Every seed has intervals over rows of the test split, which all methods share: around the difference of that seed.
    for seed in 0..2 {
        let test = |method| entry(&found, seed, method)["test"].as_f64().unwrap();
        assert!(entry(&found, seed, "loss-only")["difference_interval"].is_null());
        for method in EVERY_METHOD
            .into_iter()
            .filter(|method| *method != "loss-only")
        {
            let interval = &entry(&found, seed, method)["difference_interval"];
            let [low, high] = [0, 1].map(|end| interval[end].as_f64().unwrap());
            let difference = test(method) - test("loss-only");
            assert!(
                low <= difference && difference <= high,
                "{method}: {interval}"
            );
        }
    }
}

#[test]
fn the_same_seed_of_a_run_is_the_pair() {
    let place = Place::new();
    succeeds(place.run("run", &["--seed", "1"]));
    let summary = place.summary("run");
    succeeds(place.compare("out", &["--seeds", "2"]));
    let found = comparison(&place, "out");
    // In the order of the table of a run. Loss-only differs: here it is tuned on a grid.
    for (index, method) in [
        (0, "pretrained"),
        (2, "threshold"),
        (3, "class-weighted"),
        (4, "es"),
        (5, "metricopt-adam"),
    ] {
        let (of_run, here) = (&summary["methods"][index], entry(&found, 1, method));
        for key in ["validation", "test", "queries"] {
            assert_eq!(of_run[key], here[key], "{method} {key}");
        }
    }
    let validation = |value: &Value| value["validation"].as_f64().unwrap();
    assert!(
        validation(entry(&found, 1, "loss-only")) >= validation(&summary["methods"][1]),
        "the grid holds the rates of a run"
    );
}

#[test]
fn every_method_pays_what_it_would_alone() {
    let place = Place::new();
    succeeds(place.compare("out", &set(&["calibration.width=1.0"])));
    let found = comparison(&place, "out");
    let queries = |method| entry(&found, 0, method)["queries"].as_u64().unwrap();
    // Five steps observed once. Seven points of the grid. The trajectories: 4 observed at 3 steps, two of them at the same
    // start, and their best; 5 steps of 4 pairs; two observations for the acceptance test.
    let trajectories = queries("best-trajectory");
    assert_eq!(trajectories, 4 * 3 + 1 - 1);
    for (method, expected) in [
        ("pretrained", 1),
        ("loss-only", 7),
        ("loss-on-validation", 7),
        ("class-weighted", 2),
        ("es", 41),
        ("guided-es", 41 + 2),
        ("value-function", trajectories + 1 + 2),
        ("metricopt-sgd", trajectories + 41 + 2),
        ("metricopt-adam", trajectories + 41 + 2),
        // Its training takes none.
        ("metricopt-learned", trajectories + 41 + 2),
    ] {
        assert_eq!(queries(method), expected, "{method}");
    }
}

#[test]
fn threads_do_not_change_results() {
    let place = Place::new();
    let found = ["1", "3"].map(|threads| {
        let out = format!("out-{threads}");
        succeeds(place.compare(&out, &["--seeds", "3", "--threads", threads]));
        let mut found = comparison(&place, &out);
        without_seconds(&mut found);
        found
    });
    assert_eq!(found[0], found[1]);
}

#[test]
fn finished_seeds_are_not_computed_again() {
    let place = Place::new();
    let seeds = |n| ["--seeds", n, "--methods", "threshold,es"];
    succeeds(place.compare("out", &seeds("2")));
    let read = |name: &str| fs::read(place.path("out").join(name)).unwrap();
    // Seconds differ from one time to the next: equal bytes were not computed again.
    let before = (read("seed-0.json"), read("comparison.csv"));
    fs::remove_file(place.path("out/seed-1.json")).unwrap();
    succeeds(place.compare("out", &seeds("3")));
    assert_eq!(read("seed-0.json"), before.0);
    assert_ne!(read("comparison.csv"), before.1);
    assert_eq!(comparison(&place, "out")["seeds"][2]["seed"], 2);

    // With fewer seeds the others are left alone.
    let all = [0, 1, 2].map(|seed| read(&format!("seed-{seed}.json")));
    succeeds(place.compare("out", &seeds("2")));
    assert_eq!(comparison(&place, "out")["seeds"][2], Value::Null);
    assert_eq!(
        [0, 1, 2].map(|seed| read(&format!("seed-{seed}.json"))),
        all
    );
}

#[test]
fn another_configuration_is_refused_with_the_key() {
    let place = Place::new();
    let es = ["--seeds", "2", "--methods", "es"];
    succeeds(place.compare("out", &es));
    for (more, difference) in [
        (
            &["--set", "finetune.lambda=10"][..],
            "`finetune.lambda` is 3.0 there and 10 now",
        ),
        (
            &["--set", "task.network.epochs=7"],
            "`task.network.epochs` is 8 there and 7 now",
        ),
        (
            &["--metric", "mcr"],
            "`metric.direction` is \"maximise\" there and \"minimise\" now",
        ),
        (&["--methods", "threshold"], "`methods` is "),
    ] {
        let error = fails(place.compare("out", &[&es, more].concat()), 2);
        assert!(
            error.contains(&format!(
                "`out` holds seeds of another comparison: {difference}"
            )),
            "{error}"
        );
        assert!(
            error.contains("hint: choose another `--out DIR`"),
            "{error}"
        );
    }
    // Whatever is refused changes nothing.
    succeeds(place.compare("out", &es));
}

#[test]
fn a_cut_off_seed_is_told() {
    let place = Place::new();
    let es = ["--seeds", "2", "--methods", "es"];
    succeeds(place.compare("out", &es));
    place.write("out/seed-1.json", "{\"version\": 1, ");
    let error = fails(place.compare("out", &es), 1);
    assert!(
        error.contains("cannot read `out/seed-1.json`")
            && error.contains("hint: remove it to have this seed computed again"),
        "{error}"
    );
}

#[test]
fn the_directory_of_something_else_is_refused() {
    let place = Place::new();
    succeeds(place.run("run", &[]));
    let error = fails(place.compare("run", &["--seeds", "2"]), 1);
    assert!(
        error.contains("`run` holds `adapter.safetensors`, which is no part of a comparison"),
        "{error}"
    );
}

#[test]
fn an_unknown_method_is_suggested() {
    let place = Place::new();
    let error = fails(place.compare("out", &["--methods", "es,threshhold"]), 2);
    assert!(
        error.starts_with("error: unknown method `threshhold`\n hint: did you mean `threshold`?"),
        "{error}"
    );
    assert!(!place.path("out").exists());
}

#[test]
fn a_method_that_does_not_apply_is_left_out_with_a_note() {
    let place = Place::new();
    let mut arguments = vec!["--seeds", "2", "--methods", "threshold,class-weighted"];
    arguments.extend(set(&[
        "baselines.thresholds=0",
        "baselines.class_weights=[]",
    ]));
    let table = succeeds(place.compare("out", &arguments));
    assert!(
        table.contains("Left out: threshold, `baselines.thresholds` is 0.\n"),
        "{table}"
    );
    assert_eq!(
        names(&comparison(&place, "out")["methods"]),
        ["pretrained", "loss-only"]
    );
}

/// A rate of the grid that is too large for the network is no reason to lose the comparison.
#[test]
fn a_rate_that_leads_to_no_numbers_is_left_out_with_a_note() {
    let place = Place::new();
    let library = library("metricopt_misbehaving");
    let mut arguments = vec!["compare", "--plugin", library.to_str().unwrap()];
    arguments.extend(["--seeds", "2", "--methods", "pretrained", "--out", "out"]);
    arguments.extend(set(&["task.how=not-a-number-far-away"]));
    let table = succeeds(place.host(&arguments));
    for seed in [0, 1] {
        let note = format!("Seed {seed}: loss-only without sgd 0.3: task");
        assert!(table.contains(&note), "{table}");
    }
    assert!(table.contains("holds NaN at element 0"), "{table}");
    assert!(!table.contains("without adam 0.003:"), "{table}");
    assert_eq!(
        names(&comparison(&place, "out")["methods"]),
        ["pretrained", "loss-only"]
    );
}

#[test]
fn the_table_states_its_statistics() {
    let place = Place::new();
    let arguments = ["--seeds", "2", "--methods", "threshold,es"];
    let table = succeeds(place.compare("out", &arguments));
    let rows: Vec<&str> = table
        .lines()
        .filter_map(|line| line.split_whitespace().next())
        .collect();
    assert_eq!(&rows[1..3], ["method", &"-".repeat(rows[2].len())]);
    assert_eq!(&rows[3..7], ["pretrained", "threshold", "loss-only", "es"]);
    assert!(table.starts_with("f1 (higher is better), task tabular, 2 seeds\n"));
    for part in [
        "paired t test over seeds, two-sided",
        "Holm 1979",
        "loss-only",
        "± ",
    ] {
        assert!(table.contains(part), "{table}");
    }
    let verdict = comparison(&place, "out")["verdict"].clone();
    assert!(table.trim_end().ends_with(verdict.as_str().unwrap()));
}

#[cfg(unix)]
#[test]
fn stopping_keeps_finished_seeds_and_the_same_command_goes_on() {
    use crate::interruption::{interrupt, start, wait_for};

    let place = Place::new();
    let arguments = ["--seeds", "300", "--threads", "2", "--methods", "es"];
    let child = start(&place.compare("out", &arguments));
    wait_for(&place.path("out/seed-1.json"));
    let stderr = interrupt(child, "-INT");
    assert!(
        stderr.contains("hint: finished seeds are kept: the same command with `--out out` goes on"),
        "{stderr}"
    );
    let files = place.files("out");
    assert!(
        files
            .iter()
            .all(|name| name == "config.toml" || name.ends_with(".json")),
        "{files:?}"
    );
    let first = fs::read(place.path("out/seed-1.json")).unwrap();
    succeeds(place.compare("out", &["--seeds", "3", "--methods", "es"]));
    assert_eq!(fs::read(place.path("out/seed-1.json")).unwrap(), first);
}
