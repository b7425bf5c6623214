//! `host check-metric`.

use crate::score::binary;
use crate::support::{Place, fails, set, succeeds};
use assert_cmd::Command;
use serde_json::{Value, json};

/// A small network on the table of [`Place`].
const QUICK: [&str; 7] = [
    "task.dataset=csv",
    "task.path=table.csv",
    "task.network.hidden=[8, 8]",
    "task.network.epochs=8",
    "task.network.batch_size=32",
    "task.network.learning_rate=0.02",
    "observation.folds=3",
];

fn quick<'a>(metric: &'a str, arguments: &[&'a str]) -> Vec<&'a str> {
    [
        &["check-metric", metric, "--device", "cpu"][..],
        &set(&QUICK),
        arguments,
    ]
    .concat()
}

/// Runs a check that finds a broken law: standard output and standard error.
#[track_caller]
fn breaks(mut command: Command) -> (String, String) {
    let output = command.assert().code(1).get_output().clone();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (text(output.stdout), text(output.stderr))
}

/// Name and verdict of each law.
fn verdicts(printed: &str) -> Vec<(String, String)> {
    let rows = printed
        .lines()
        .filter(|line| line.starts_with("  ") && !line.contains("hint:"));
    let words = rows.map(|row| row.split_whitespace().map(str::to_owned));
    words
        .filter_map(|mut row| Some((row.next()?, row.next()?)))
        .take(8)
        .collect()
}

#[test]
fn a_metric_that_keeps_its_promises() {
    let place = Place::new();
    let printed = succeeds(place.host(&["check-metric", "aucpr", "--no-profile"]));
    let expected = [
        ("determinism", "held"),
        ("permutation", "held"),
        ("ties", "held"),
        ("degenerate", "held"),
        ("range", "held"),
        ("direction", "held"),
        ("rank-based", "held"),
        ("population", "n/a"),
    ];
    let expected = expected.map(|(law, verdict)| (law.to_owned(), verdict.to_owned()));
    assert_eq!(verdicts(&printed), expected, "{printed}");
    assert!(
        printed.starts_with("metric `aucpr`: 7 laws held, 0 broken, 1 not applicable\n"),
        "{printed}"
    );
    assert!(!printed.contains("lines"), "{printed}");
}

#[test]
fn every_built_in_metric_keeps_its_promises() {
    let place = Place::new();
    let listed: Value = serde_json::from_str(&succeeds(place.host(&["list", "--json"]))).unwrap();
    let plugins = listed["plugins"].as_array().unwrap();
    // `exec` stands for programs, each with promises of its own.
    let compiled_in = plugins.iter().filter(|plugin| plugin["name"] != "exec");
    for metric in compiled_in.flat_map(|plugin| plugin["metrics"].as_array().unwrap()) {
        let name = metric["name"].as_str().unwrap();
        succeeds(place.host(&["check-metric", name, "--no-profile", "--seed", "7"]));
    }
}

#[test]
fn the_profile_follows_a_task() {
    let place = Place::new();
    // So far away that the loss rises on every fold.
    let wide = |more: &[&str]| {
        let arguments = [&["--set", "calibration.width=10"][..], more].concat();
        succeeds(place.host(&quick("log-loss", &arguments)))
    };
    let printed = wide(&[]);
    let header = "along random lines through the pre-trained network of task `tabular` (3 validation folds, width 10.000):";
    assert!(printed.contains(header), "{printed}");
    assert!(
        printed.contains(" at 33 points, a smooth curve explains "),
        "{printed}"
    );
    assert!(
        printed.contains("can be optimised here: smooth on "),
        "{printed}"
    );
    assert_eq!(wide(&["--threads", "1"]), printed);
    assert_ne!(wide(&["--seed", "1"]), printed);
    // A plugin without a task leaves the choice as it is.
    assert_eq!(wide(&["--plugin", "metrics"]), printed);
    assert_eq!(wide(&["--plugin", "tabular"]), printed);
}

#[test]
fn as_json() {
    let place = Place::new();
    let printed = succeeds(place.host(&quick("ece:bins=3", &["--json"])));
    let json: Value = serde_json::from_str(&printed).unwrap();
    let keys: Vec<&String> = json.as_object().unwrap().keys().collect();
    let expected = [
        "version",
        "metric",
        "seed",
        "held",
        "findings",
        "notes",
        "predictions",
        "profile",
    ];
    assert_eq!(keys, expected);
    assert_eq!((&json["version"], &json["held"]), (&json!(1), &json!(true)));
    assert_eq!(
        json["metric"],
        json!({"name": "ece", "options": {"bins": 3}, "direction": "minimise"})
    );
    assert_eq!(json["findings"].as_array().unwrap().len(), 8);
    assert_eq!(json["findings"][0]["law"], "determinism");
    assert_eq!(json["findings"][0]["verdict"], "held");
    assert_eq!(json["findings"][6]["verdict"], "not-applicable");
    let profile = &json["profile"];
    assert_eq!(
        (&profile["task"], &profile["folds"]),
        (&json!("tabular"), &json!(3))
    );
    let lines = profile["lines"].as_array().unwrap();
    assert_eq!(lines.len(), 3);
    for line in lines {
        assert!(["flat", "noisy", "smooth"].contains(&line["shape"].as_str().unwrap()));
        assert_eq!(line["t"].as_array().unwrap().len(), 33);
        assert_eq!(line["values"].as_array().unwrap().len(), 33);
        assert_eq!(line["t"][16], 0.0);
        assert_eq!(
            line["values"][16], lines[0]["values"][16],
            "all lines meet in the middle"
        );
        assert!(line["gap"]["standard_error"].as_f64().unwrap() >= 0.0);
    }
    let printed = succeeds(place.host(&["check-metric", "f1", "--no-profile", "--json"]));
    let json: Value = serde_json::from_str(&printed).unwrap();
    assert_eq!(
        (&json["profile"], &json["predictions"]),
        (&Value::Null, &Value::Null)
    );
}

#[test]
fn broken_laws_end_with_1_and_are_named() {
    let place = Place::new();
    let check = |metric: &str| breaks(place.test_host(&["check-metric", metric, "--no-profile"]));
    let (printed, error) = check("wrong-way");
    assert_eq!(
        error,
        "error: metric `wrong-way` breaks the law `direction`\n"
    );
    assert!(
        printed.contains("direction    BROKEN  declared to minimise, yet it rises"),
        "{printed}"
    );
    assert!(printed.contains("hint: check `DIRECTION`"), "{printed}");

    let (printed, error) = check("first-come");
    assert_eq!(error, "error: metric `first-come` breaks the law `ties`\n");
    assert!(
        printed.contains("ties         BROKEN  with many equal scores, "),
        "{printed}"
    );
    assert!(
        printed.contains("note: not checked on 3-class predictions: no value (binary scores only)"),
        "{printed}"
    );

    for (how, laws) in [
        ("not-a-number", "laws `degenerate`, `range`"),
        ("out-of-range", "laws `degenerate`, `range`"),
        ("error", "laws `degenerate`, `range`"),
        ("panic", "laws `degenerate`, `range`"),
    ] {
        let (printed, error) = check(&format!("misbehaving:how={how}"));
        assert_eq!(
            error,
            format!("error: metric `misbehaving` breaks the {laws}\n"),
            "{printed}"
        );
    }
    let (printed, _) = check("misbehaving:how=panic");
    assert!(
        printed.contains("panicked: the metric panicked on purpose (at "),
        "{printed}"
    );

    let (printed, _) =
        breaks(place.test_host(&["check-metric", "wrong-way", "--no-profile", "--json"]));
    let json: Value = serde_json::from_str(&printed).unwrap();
    assert_eq!(json["held"], false);
    assert_eq!(json["findings"][5]["verdict"], "broken");
    assert!(json["findings"][5]["hint"].is_string());
}

/// A broken law does not keep the profile from being shown, nor a failed profile the laws.
#[test]
fn laws_and_profile_are_both_told() {
    let place = Place::new();
    let (printed, error) = breaks(place.test_host(&quick("wrong-way", &["--plugin", "tabular"])));
    assert!(
        printed.contains(" at 33 points") && printed.contains("BROKEN"),
        "{printed}"
    );
    assert_eq!(
        error,
        "error: metric `wrong-way` breaks the law `direction`\n"
    );
    let (printed, error) =
        breaks(place.test_host(&quick("misbehaving:how=error", &["--plugin", "tabular"])));
    assert!(printed.contains("BROKEN"), "{printed}");
    assert!(
        error.contains(
            "hint: it could not be followed on the task either: metric `misbehaving` on "
        ),
        "{error}"
    );
    let (printed, _) = breaks(place.test_host(&quick(
        "misbehaving:how=error",
        &["--plugin", "tabular", "--json"],
    )));
    let json: Value = serde_json::from_str(&printed).unwrap();
    assert!(
        json["profile"]["error"]
            .as_str()
            .unwrap()
            .contains("the sensor is unplugged"),
        "{json}"
    );
}

#[test]
fn predictions_of_ones_own() {
    let place = Place::new();
    place.write(
        "p.safetensors",
        binary(&[0.9, 0.8, 0.7, 0.2, 0.1], &[1, 1, 0, 1, 0]),
    );
    place.write("tied.safetensors", binary(&[0.5; 6], &[1, 0, 1, 0, 0, 0]));
    let check = |metric: &'static str, file: &'static str| {
        place.test_host(&[
            "check-metric",
            metric,
            "--no-profile",
            "--predictions",
            file,
        ])
    };
    let printed = succeeds(check("accuracy", "p.safetensors"));
    assert!(
        printed.ends_with("\naccuracy on `p.safetensors`: 0.6\n"),
        "{printed}"
    );
    assert!(printed.contains("on 17 inputs"), "{printed}");
    let (printed, error) = breaks(check("first-come", "tied.safetensors"));
    assert!(
        printed.contains("in another order (`tied.safetensors`)"),
        "{printed}"
    );
    assert_eq!(
        error,
        "error: metric `first-come` breaks the law `permutation`\n"
    );

    place.write("damaged.safetensors", "scores");
    let error = fails(check("accuracy", "damaged.safetensors"), 1);
    assert!(
        error.starts_with("error: `damaged.safetensors` is no safetensors file"),
        "{error}"
    );
    place.write("one.safetensors", binary(&[0.5], &[0]));
    let error = fails(check("aucpr", "one.safetensors"), 1);
    assert!(
        error.starts_with("error: metric `aucpr` on `one.safetensors`: no positive samples"),
        "{error}"
    );
}

#[test]
fn a_task_that_does_not_fit() {
    let place = Place::new();
    let error = fails(
        place.test_host(&["check-metric", "of-embeddings", "--plugin", "tabular"]),
        2,
    );
    assert!(
        error.contains("metric `of-embeddings` takes retrieval predictions, task `tabular`"),
        "{error}"
    );
}

#[test]
fn names_and_values_that_do_not_exist() {
    let place = Place::new();
    let fails = |arguments: &[&str]| fails(place.host(arguments), 2);
    assert_eq!(
        fails(&["check-metric", "aucrp"]),
        "error: unknown metric `aucrp`\n hint: did you mean `aucpr`?\n"
    );
    assert!(fails(&["check-metric", "ece:bins=0"]).contains("`bins`"));
    assert!(
        fails(&["check-metric", "f1", "--plugin", "tabula"]).contains("unknown plugin `tabula`")
    );
    assert!(
        fails(&["check-metric", "f1", "--plugin", "tabular", "--task", "t"])
            .contains("unknown task `t`")
    );
    assert!(fails(&["check-metric", "f1", "--set", "task.pth=x"]).contains("task.pth"));
    assert!(
        fails(&["check-metric", "f1", "--no-profile", "--plugin", "tabula"])
            .contains("unknown plugin `tabula`")
    );
    assert!(
        fails(&[
            "check-metric",
            "f1",
            "--plugin",
            "metrics",
            "--task",
            "tabular"
        ])
        .contains("unknown task `tabular`")
    );
}
