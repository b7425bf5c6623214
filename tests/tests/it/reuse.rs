//! Runs that begin with what an earlier one found, and runs that keep to a number of queries.

use crate::support::{Place, fails, set, succeeds, table};
use serde_json::Value;
use std::fs;

/// Rows of the table and everything else in the summary that another run must repeat.
fn results(place: &Place, run: &str) -> Value {
    let mut summary = place.summary(run);
    for method in summary["methods"].as_array_mut().unwrap() {
        let method = method.as_object_mut().unwrap();
        method.remove("seconds");
        method.remove("queries");
    }
    for key in ["reused", "queries", "network_evaluations", "remarks"] {
        summary.as_object_mut().unwrap().remove(key);
    }
    summary
}

fn queries(place: &Place, run: &str, method: &str) -> u64 {
    let summary = place.summary(run);
    let methods = summary["methods"].as_array().unwrap();
    let row = methods.iter().find(|row| row["name"] == method).unwrap();
    row["queries"].as_u64().unwrap()
}

fn number(place: &Place, run: &str, pointer: &str) -> u64 {
    place
        .summary(run)
        .pointer(pointer)
        .unwrap()
        .as_u64()
        .unwrap()
}

#[track_caller]
fn assert_same_file(place: &Place, run: &str, other: &str, file: &str) {
    let read = |run: &str| fs::read(place.path(run).join(file)).unwrap();
    assert!(read(run) == read(other), "{file} of {run} and {other}");
}

/// What the events say about the moment at which fine-tuning begins.
fn before_finetuning(place: &Place, run: &str) -> (u64, u64) {
    let events = place.events(run);
    let begun = events
        .iter()
        .find(|event| event["event"] == "meta-testing-begun");
    let begun = begun.unwrap();
    let count = |key: &str| begun[key].as_u64().unwrap();
    (count("queries"), count("evaluations"))
}

/// Two trajectories start at the pre-trained network and share a query: 3 + 4 + 4 observations.
const ALONG: u64 = 11;

#[test]
fn the_same_metric_takes_neither_network_nor_query() {
    let place = Place::new();
    succeeds(place.run("first", &[]));
    let (asked, evaluations) = before_finetuning(&place, "first");
    assert_eq!(asked, 1 + 1 + ALONG + 1);
    assert!(evaluations > 2 * ALONG, "{evaluations}");

    let table = succeeds(place.run("second", &["--trajectories", "first"]));
    assert_eq!(before_finetuning(&place, "second"), (0, 0));
    assert_eq!(
        number(&place, "second", "/network_evaluations/before_finetuning"),
        0
    );
    assert_eq!(results(&place, "second"), results(&place, "first"));
    for file in [
        "adapter.safetensors",
        "trajectories.safetensors",
        "predictions.safetensors",
        "value_function.safetensors",
        "report.safetensors",
    ] {
        assert_same_file(&place, "second", "first", file);
    }
    let spared = queries(&place, "first", "metricopt") - queries(&place, "second", "metricopt");
    assert_eq!(spared, 1 + ALONG + 1);
    assert_eq!(queries(&place, "second", "pretrained"), 0);
    assert!(
        table.contains("the trajectories are from `first`, a run for f1"),
        "{table}"
    );
}

#[test]
fn another_metric_is_evaluated_on_the_predictions() {
    let place = Place::new();
    succeeds(place.run("f1", &[]));
    succeeds(place.run("anew", &["--metric", "aucpr"]));
    let aucpr = ["--metric", "aucpr", "--trajectories"];
    succeeds(place.run("reused", &[&aucpr[..], &["f1"]].concat()));
    // As if the network had been asked, which it was not; every value of the metric is a query.
    assert_eq!(before_finetuning(&place, "reused").1, 0);
    assert_eq!(results(&place, "reused"), results(&place, "anew"));
    assert_eq!(
        queries(&place, "reused", "metricopt"),
        queries(&place, "anew", "metricopt")
    );
    for file in ["adapter.safetensors", "value_function.safetensors"] {
        assert_same_file(&place, "reused", "anew", file);
    }
    // What was handed on serves again, and other folds are cut from it.
    succeeds(place.run("back", &["--trajectories", "reused"]));
    assert_same_file(&place, "back", "f1", "adapter.safetensors");
    let folds = set(&["observation.folds=3", "finetune.accept_folds=4"]);
    succeeds(place.run(
        "folds",
        &[&folds[..], &["--trajectories", "reused"]].concat(),
    ));
    succeeds(place.run("folds-anew", &folds));
    assert_eq!(before_finetuning(&place, "folds").1, 0);
    assert_eq!(results(&place, "folds"), results(&place, "folds-anew"));
}

/// All that a run leaves that was killed right after its trajectories.
#[test]
fn an_interrupted_run_serves_as_well() {
    let place = Place::new();
    succeeds(place.run("whole", &[]));
    fs::create_dir(place.path("part")).unwrap();
    for file in ["trajectories.safetensors", "predictions.safetensors"] {
        fs::copy(
            place.path("whole").join(file),
            place.path("part").join(file),
        )
        .unwrap();
    }
    succeeds(place.run("again", &["--trajectories", "part", "--metric", "mcr"]));
    assert_eq!(before_finetuning(&place, "again").1, 0);
    fs::remove_file(place.path("part/trajectories.safetensors")).unwrap();
    let error = fails(place.run("none", &["--trajectories", "part"]), 1);
    assert!(
        error.starts_with("error: no `trajectories.safetensors` in `part`"),
        "{error}"
    );
    assert!(
        error.contains("hint: a run writes it once all trajectories are there"),
        "{error}"
    );
}

#[test]
fn what_does_not_fit_is_named() {
    let place = Place::new();
    succeeds(place.run("first", &[]));
    let refused = |arguments: &[&str], expected: &str| {
        let error = fails(place.run("refused", arguments), 2);
        assert!(error.contains(expected), "no `{expected}` in {error}");
        assert!(error.contains("\n hint: "), "{error}");
        assert!(!place.path("refused").exists());
    };
    let trajectories = ["--trajectories", "first"];
    let function = ["--value-function", "first/value_function.safetensors"];
    for reuse in [trajectories, function] {
        let with = |more: &[&'static str]| [&reuse[..], more].concat();
        refused(&with(&["--seed", "3"]), "the seed was 0 and is 3");
        refused(
            &with(&set(&["task.network.epochs=9"])),
            "`task.network.epochs` was 8 and is 9",
        );
        refused(
            &with(&set(&["trajectories.count=6"])),
            "`trajectories.count` was 4 and is 6",
        );
    }
    refused(
        &[&function[..], &["--metric", "mcr"]].concat(),
        "the value function predicts metric `f1`, and this run is for `mcr`",
    );
    refused(
        &[&function[..], &set(&["finetune.start=best-trajectory"])].concat(),
        "a run with `--value-function` has no trajectories",
    );
    let both = place.run("refused", &[&trajectories[..], &function].concat());
    assert!(fails(both, 2).contains("cannot be used with '--value-function"));

    fs::remove_file(place.path("first/predictions.safetensors")).unwrap();
    refused(
        &[&trajectories[..], &["--metric", "mcr"]].concat(),
        "keeps no predictions (`predictions.safetensors`) to evaluate metric `mcr` on; it was for `f1`",
    );
    refused(
        &[&trajectories[..], &set(&["finetune.accept_folds=4"])].concat(),
        "`finetune.accept_folds` is 4, but there are neither values nor predictions",
    );
    // The same metric with the same folds needs none.
    succeeds(place.run("second", &trajectories));
    assert_same_file(&place, "second", "first", "adapter.safetensors");
}

#[test]
fn damaged_and_older_files_are_refused() {
    let place = Place::new();
    succeeds(place.run("first", &[]));
    let cases = [
        ("--trajectories", "trajectories.safetensors"),
        ("--trajectories", "predictions.safetensors"),
        ("--value-function", "value_function.safetensors"),
    ];
    for (option, file) in cases {
        let path = format!("first/{file}");
        let argument = if option == "--trajectories" {
            "first"
        } else {
            &path
        };
        let whole = place.tensors("first", file);
        let refused = |contents: &[u8], expected: &str| {
            place.write(&path, contents);
            let error = fails(place.run("refused", &[option, argument]), 1);
            assert!(error.contains(expected), "no `{expected}` in {error}");
            assert!(error.contains("\n hint: "), "{error}");
            assert!(!place.path("refused").exists());
        };
        let bytes = whole.bytes();
        refused(&bytes[..bytes.len() - 1], &format!("cannot use `{path}`"));
        refused(b"nothing", &format!("cannot use `{path}`"));
        let names = whole.names();
        // Whichever tensor is missing (some of them here), the file is not taken for whole.
        for name in names.iter().filter(|name| *name != "identity").step_by(4) {
            // The interpolation is of the old metric; folds of the acceptance test are cut from the whole.
            let spare = [
                "interpolated_",
                "standard_",
                "adapters/fold.0.3",
                "adapters/fold.1.3",
                "adapters/fold.2.3",
            ];
            let of_function = file == "value_function.safetensors";
            if !of_function && spare.iter().any(|start| name.starts_with(start)) {
                continue;
            }
            refused(&whole.without(name), &format!("cannot use `{path}`"));
        }
        if names.iter().any(|name| name == "identity") {
            refused(&whole.without("identity"), "an older host wrote it");
        }
        place.write(&path, bytes);
    }
    // Each whole, but not of the same run.
    succeeds(place.run("other", &["--seed", "1"]));
    let file = place.path("other/predictions.safetensors");
    fs::copy(file, place.path("first/predictions.safetensors")).unwrap();
    let error = fails(place.run("refused", &["--trajectories", "first"]), 1);
    assert!(error.contains("belongs to other trajectories"), "{error}");
}

/// Data of the same shape with the same facts, but another network: found before the first step.
#[test]
fn another_network_is_found_out() {
    let place = Place::new();
    succeeds(place.run("first", &[]));
    let mixed: Vec<String> = table(600)
        .lines()
        .map(|line| match line.split_once(',') {
            Some((a, rest)) if a != "a" => {
                format!("{},{rest}", a.parse::<u32>().unwrap() * 7 % 10)
            }
            _ => line.to_owned(),
        })
        .collect();
    place.write("table.csv", mixed.join("\n") + "\n");
    let cases = [
        ["--trajectories", "first"],
        ["--value-function", "first/value_function.safetensors"],
    ];
    for reuse in cases {
        let error = fails(place.run(&format!("refused{}", reuse[0]), &reuse), 1);
        assert!(
            error.contains("another pre-trained network or other data"),
            "{error}"
        );
    }
}

#[test]
fn a_value_function_takes_the_place_of_trajectories() {
    let place = Place::new();
    succeeds(place.run("first", &[]));
    let file = "first/value_function.safetensors";
    let table = succeeds(place.run("second", &["--value-function", file]));
    assert!(
        table.contains(&format!(
            "the value function is from `{file}`, a run for f1"
        )),
        "{table}"
    );
    // Two for the pre-trained network, 41 of fine-tuning, one of acceptance.
    assert_eq!(before_finetuning(&place, "second").0, 2);
    assert_eq!(queries(&place, "second", "metricopt"), 1 + 41 + 1);
    let (first, second) = (place.summary("first"), place.summary("second"));
    for key in ["value_function", "width"] {
        assert_eq!(first[key], second[key], "{key}");
    }
    let files = place.files("second");
    assert!(
        !files.iter().any(|file| file == "trajectories.safetensors"),
        "{files:?}"
    );
    let report = fs::read_to_string(place.path("second/report.html")).unwrap();
    assert!(
        report.contains("there is no <code>")
            || report.contains("there is no `trajectories.safetensors`")
    );
    // Handed on, it is the same file; and its steps are those of the run it came from, whose start and seeds it shares.
    assert_same_file(&place, "second", "first", "value_function.safetensors");
    let steps = |run: &str| -> Vec<Value> {
        let events = place.events(run).into_iter();
        let of_method = |event: &Value| event["event"] == "step" && event["method"] == "metricopt";
        events
            .filter(of_method)
            .map(|event| event["adapter_norm"].clone())
            .collect()
    };
    assert_eq!(steps("second"), steps("first"));
    succeeds(place.run(
        "third",
        &["--value-function", "second/value_function.safetensors"],
    ));
    assert_same_file(&place, "third", "second", "adapter.safetensors");
}

#[test]
fn predictions_that_do_not_fit_are_not_kept() {
    let place = Place::new();
    let run = |out: &str, mebibytes: &str| {
        let output = place
            .run(out, &set(&[mebibytes]))
            .assert()
            .success()
            .get_output()
            .clone();
        String::from_utf8(output.stderr).unwrap()
    };
    let stderr = run("none", "observation.keep_predictions_mib=0");
    assert!(!stderr.contains("keep_predictions_mib"), "{stderr}");
    assert!(!place.path("none/predictions.safetensors").exists());
    // Tensors of 30 rows are small, but 250 trajectories have 2,750 of them on each fold.
    let many = set(&[
        "observation.keep_predictions_mib=1",
        "trajectories.count=250",
        "trajectories.observe_every=1",
        "finetune.es.pairs=0",
        "baselines.es=false",
        "report.landscape=0",
    ]);
    let output = place
        .run("many", &many)
        .assert()
        .success()
        .get_output()
        .clone();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(stderr.contains("they take more than the 1 MiB"), "{stderr}");
    assert!(
        stderr.contains("`observation.keep_predictions_mib`"),
        "{stderr}"
    );
    assert!(!place.path("many/predictions.safetensors").exists());
    let events = place.events("many");
    assert!(
        events
            .iter()
            .any(|event| event["event"] == "predictions-not-kept")
    );
}

/// The least number of queries that the quick run begins with: all before fine-tuning, five steps of eight with an
/// observation, and the acceptance test.
const LEAST: u64 = 2 + ALONG + 1 + 40 + 1 + 1;

#[test]
fn too_few_queries_are_refused_with_their_least_number() {
    let place = Place::new();
    let most = (LEAST - 1).to_string();
    let error = fails(place.run("few", &["--max-queries", &most]), 2);
    let expected =
        format!("`observation.max_queries` is {most}, but this run needs at least {LEAST}");
    assert!(error.contains(&expected), "{error}");
    assert!(!place.path("few").exists());
    // With trajectories at hand the least is less.
    succeeds(place.run("first", &[]));
    succeeds(place.run(
        "second",
        &["--trajectories", "first", "--max-queries", &most],
    ));
    assert!(number(&place, "second", "/queries/total") < LEAST);
}

#[test]
fn the_bound_on_queries_holds() {
    let place = Place::new();
    let longer = set(&[
        "finetune.steps=12",
        "finetune.observe_every=5",
        "baselines.thresholds=7",
    ]);
    succeeds(place.run("free", &longer));
    let total = number(&place, "free", "/queries/total");
    let mut seen = 0;
    for most in (LEAST..total + 20).step_by(13) {
        let (out, most_text) = (format!("most-{most}"), most.to_string());
        let table = succeeds(place.run(
            &out,
            &[&longer[..], &["--max-queries", &most_text]].concat(),
        ));
        let summary = place.summary(&out);
        let asked = number(&place, &out, "/queries/total");
        assert!(asked <= most, "{asked} of {most}");
        // Every row says what it took, and together they took what was asked.
        let rows = summary["methods"].as_array().unwrap();
        let sum: u64 = rows
            .iter()
            .map(|row| row["queries"].as_u64().unwrap())
            .sum();
        assert_eq!(sum, asked);
        let left_out = summary["left_out"].as_array().unwrap();
        assert_eq!(rows.len() + left_out.len(), 6, "{most}");
        for method in left_out {
            let line = format!("left out: {} (", method["method"].as_str().unwrap());
            assert!(table.contains(&line), "{table}");
        }
        assert!(
            table.contains(&format!("{asked} of {most} queries asked")),
            "{table}"
        );
        let steps = number(&place, &out, "/finetuning/steps");
        let stopped = &summary["finetuning"]["stopped"];
        if steps < 12 {
            assert_eq!(stopped, "queries-spent");
            // No further step would have fitted: eight queries and its observation, beside the acceptance test.
            let needed = queries(&place, &out, "metricopt") + 1;
            assert!(needed + 9 > most, "{needed} of {most}");
            seen += 1;
        } else {
            assert!(stopped.is_null());
            assert_same_file(&place, &out, "free", "adapter.safetensors");
        }
    }
    assert!(seen >= 2, "the bound never cut fine-tuning short");
    let most = total.to_string();
    succeeds(place.run("enough", &[&longer[..], &["--max-queries", &most]].concat()));
    let unbounded = |run: &str| {
        let mut summary = results(&place, run);
        summary.as_object_mut().unwrap().remove("left_out");
        summary
    };
    assert_eq!(unbounded("enough"), unbounded("free"));
    assert_eq!(number(&place, "enough", "/queries/total"), total);
}

#[test]
fn fine_tuning_stops_once_the_test_is_decided() {
    let place = Place::new();
    let longer = [
        "finetune.steps=200",
        "finetune.observe_every=2",
        "finetune.es.pairs=1",
    ];
    let longer = set(&longer);
    let with = |more: &[&'static str]| [&longer[..], &set(more)].concat();
    succeeds(place.run("full", &with(&["finetune.patience=2"])));
    assert_eq!(number(&place, "full", "/finetuning/steps"), 200);

    let eager = ["finetune.stop_when_decided=true", "finetune.patience=2"];
    succeeds(place.run(
        "accepted",
        &with(&[&eager[..], &["finetune.accept_t=-1000"]].concat()),
    ));
    let accepted = place.summary("accepted");
    let steps = number(&place, "accepted", "/finetuning/steps");
    assert_eq!(accepted["finetuning"]["stopped"], "accepted");
    assert_eq!(accepted["accepted"], true);
    // The steps, their observations, and one look that is the acceptance test too; the others came before.
    let before = 1 + ALONG + 1;
    let asked = queries(&place, "accepted", "metricopt");
    assert_eq!(asked, before + 2 * steps + steps / 2 + 1);
    assert_same_path(&place, "accepted", "full", steps);

    succeeds(place.run(
        "kept",
        &with(&[&eager[..], &["finetune.accept_t=1000"]].concat()),
    ));
    let kept = place.summary("kept");
    assert_eq!(kept["finetuning"]["stopped"], "not-accepted");
    assert_eq!(kept["accepted"], false);
    let later = number(&place, "kept", "/finetuning/steps");
    assert!(steps < later && later < 200, "{steps} {later}");
    assert_same_path(&place, "kept", "full", later);
}

/// A run that stopped early went the same way until then.
#[track_caller]
fn assert_same_path(place: &Place, run: &str, full: &str, steps: u64) {
    let path = |run: &str| -> Vec<Value> {
        let of_method = |event: &Value| event["event"] == "step" && event["method"] == "metricopt";
        let events = place.events(run).into_iter().filter(of_method);
        events
            .take(steps as usize)
            .map(|event| event["adapter_norm"].clone())
            .collect()
    };
    assert_eq!(path(run).len() as u64, steps);
    assert_eq!(path(run), path(full));
}

#[test]
fn a_comparison_has_no_bound_on_queries() {
    let place = Place::new();
    let error = fails(
        place.compare("out", &set(&["observation.max_queries=100"])),
        2,
    );
    assert!(
        error.contains("which a comparison does not keep to"),
        "{error}"
    );
}

/// A run that is resumed must go on from the same trajectories, wherever they lie.
#[cfg(unix)]
#[test]
fn resuming_knows_what_was_used() {
    use std::process::Stdio;
    let place = Place::new();
    succeeds(place.run("first", &[]));
    succeeds(place.run("other", &set(&["trajectories.momentum=0.5"])));
    fs::create_dir(place.path("moved")).unwrap();
    for file in ["trajectories.safetensors", "predictions.safetensors"] {
        fs::copy(
            place.path("first").join(file),
            place.path("moved").join(file),
        )
        .unwrap();
    }
    let reuse = |from: &'static str| {
        let more = ["--metric", "mcr", "--trajectories", from, "--resume"];
        [&set(&["finetune.steps=300"])[..], &more].concat()
    };
    succeeds(place.run("reference", &reuse("first")));
    let command = place.run("run", &reuse("first"));
    let mut spawned = std::process::Command::new(command.get_program());
    spawned
        .args(command.get_args())
        .current_dir(place.path("."));
    for (variable, value) in command.get_envs() {
        match value {
            Some(value) => spawned.env(variable, value),
            None => spawned.env_remove(variable),
        };
    }
    let mut child = spawned
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let checkpoint = place.path("run/checkpoint.bin");
    let answers = || fs::metadata(&checkpoint).map_or(0, |file| file.len());
    while answers() < 20_000 && child.try_wait().unwrap().is_none() {
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
    child.kill().unwrap();
    assert!(
        !child.wait().unwrap().success(),
        "it was too fast to be killed"
    );

    let error = fails(place.run("run", &reuse("other")), 2);
    assert!(
        error.contains("begun with another configuration"),
        "{error}"
    );
    assert!(error.contains("`--trajectories` was "), "{error}");
    succeeds(place.run("run", &reuse("moved")));
    for file in [
        "adapter.safetensors",
        "trajectories.safetensors",
        "events.jsonl",
    ] {
        assert_same_file(&place, "run", "reference", file);
    }
    assert_eq!(results(&place, "run"), results(&place, "reference"));
    assert_eq!(before_finetuning(&place, "run").1, 0);
}
