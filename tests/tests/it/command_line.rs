//! What people read: help, lists, descriptions.

use crate::support::{Place, fails, succeeds};
use serde_json::Value;

#[test]
fn help() {
    let place = Place::new();
    for command in [
        "",
        "list",
        "describe",
        "run",
        "report",
        "export",
        "compare",
        "bench",
        "score",
        "check-metric",
        "new",
        "plugin",
        "completions",
        "man",
    ] {
        let arguments: Vec<&str> = [command, "--help"]
            .into_iter()
            .filter(|argument| !argument.is_empty())
            .collect();
        let mut host = place.host(&arguments);
        host.env("COLUMNS", "100");
        let name = if command.is_empty() {
            "help".to_owned()
        } else {
            format!("help-{command}")
        };
        // Trailing blanks are an accident of the layout.
        let text: Vec<String> = succeeds(host)
            .lines()
            .map(|line| line.trim_end().to_owned())
            .collect();
        insta::assert_snapshot!(name, text.join("\n"));
    }
}

#[test]
fn version() {
    let place = Place::new();
    assert_eq!(
        succeeds(place.host(&["--version"])),
        format!("host {}\n", env!("CARGO_PKG_VERSION"))
    );
}

#[test]
fn usage_errors_end_with_2() {
    let place = Place::new();
    for arguments in [
        &["frobnicate"][..],
        &["run"],
        &["run", "--plugin", "tabular", "--threads", "0"],
        &["run", "--plugin", "tabular", "--device", "tpu"],
        &["run", "--plugin", "tabular", "--seed", "-1"],
        &["compare", "--plugin", "tabular", "--seeds", "1"],
        &["describe"],
        &["score", "--metric", "f1"],
        &["check-metric"],
        &["check-metric", "f1", "--task", "tabular"],
        &[
            "check-metric",
            "f1",
            "--no-profile",
            "--set",
            "task.path=table.csv",
        ],
    ] {
        fails(place.host(arguments), 2);
    }
    // Without a command there is help, on standard error.
    place.host(&[]).assert().code(2);
}

#[test]
fn everything_listed_is_described() {
    let place = Place::new();
    let listed: Value = serde_json::from_str(&succeeds(place.host(&["list", "--json"]))).unwrap();
    assert_eq!(listed["version"], 1);
    let text = succeeds(place.host(&["list"]));
    let names = |values: &Value| -> Vec<String> {
        values
            .as_array()
            .unwrap()
            .iter()
            .map(|value| value["name"].as_str().unwrap().to_owned())
            .collect()
    };
    let mut described = vec!["config".to_owned()];
    for plugin in listed["plugins"].as_array().unwrap() {
        assert_eq!(
            (plugin["origin"].as_str(), plugin["version"].as_str()),
            (Some("built-in"), Some("0.1.0"))
        );
        described.extend(names(&plugin["tasks"]));
        described.extend(names(&plugin["metrics"]));
    }
    described.extend(names(&listed["plugins"]));
    assert!(described.len() >= 18, "{described:?}");
    for name in &described {
        assert!(
            name == "config" || text.contains(name),
            "`{name}` is not in the list:\n{text}"
        );
        let page = succeeds(place.host(&["describe", name]));
        assert!(page.lines().count() >= 3, "{page}");
        assert!(
            page.lines().all(|line| line.len() <= 110),
            "too wide:\n{page}"
        );
        let json: Value =
            serde_json::from_str(&succeeds(place.host(&["describe", name, "--json"]))).unwrap();
        assert_eq!(json["version"], 1);
        for part in json["described"].as_array().unwrap() {
            let docs = part["schema"]["description"].as_str().unwrap_or_default();
            assert!(!docs.is_empty(), "`{}` has no documentation", part["title"]);
            // Every key is documented and has its default.
            for (key, schema) in part["schema"]["properties"]
                .as_object()
                .into_iter()
                .flatten()
            {
                assert!(
                    schema["description"].is_string(),
                    "`{key}` of {} has no documentation",
                    part["title"]
                );
                assert!(
                    page.contains(key),
                    "`{key}` of {} is not shown",
                    part["title"]
                );
            }
        }
    }
}

/// Names, kinds and directions are what scripts rely on.
#[test]
fn metrics_and_tasks() {
    let place = Place::new();
    let listed: Value = serde_json::from_str(&succeeds(place.host(&["list", "--json"]))).unwrap();
    let mut lines = Vec::new();
    for plugin in listed["plugins"].as_array().unwrap() {
        for task in plugin["tasks"].as_array().unwrap() {
            lines.push(format!(
                "{} task {} {} {}",
                plugin["name"], task["name"], task["kind"], task["metric"]
            ));
        }
        for metric in plugin["metrics"].as_array().unwrap() {
            lines.push(format!(
                "{} metric {} {} {}",
                plugin["name"], metric["name"], metric["kind"], metric["direction"]
            ));
        }
    }
    insta::assert_snapshot!(lines.join("\n").replace('"', ""));
}

/// Defaults are measured: none changes by accident.
#[test]
fn defaults() {
    let place = Place::new();
    insta::assert_snapshot!(
        succeeds(place.host(&["run", "--plugin", "tabular", "--dry-run"])).trim_end()
    );
}

#[test]
fn describe_f1_and_an_option() {
    let place = Place::new();
    insta::assert_snapshot!("describe-f1", succeeds(place.host(&["describe", "f1"])));
    insta::assert_snapshot!("describe-ece", succeeds(place.host(&["describe", "ece"])));
}

#[test]
fn names_that_do_not_exist() {
    let place = Place::new();
    let error = fails(place.host(&["describe", "g-men"]), 2);
    assert_eq!(
        error,
        "error: nothing is called `g-men`\n hint: did you mean `g-mean`?\n"
    );
    let error = fails(place.host(&["run", "--plugin", "tabula"]), 2);
    assert_eq!(
        error,
        "error: unknown plugin `tabula`\n hint: did you mean `tabular`?\n"
    );
    let error = fails(place.host(&["run", "--plugin", "./libmine.so"]), 2);
    assert!(
        error.starts_with("error: plugin `./libmine.so`: there is no such file\n hint: "),
        "{error}"
    );
    let error = fails(
        place.host(&["run", "--plugin", "tabular", "--task", "tabulr"]),
        2,
    );
    assert_eq!(
        error,
        "error: unknown task `tabulr`\n hint: did you mean `tabular`?\n"
    );
    let error = fails(
        place.host(&["run", "--plugin", "tabular", "--metric", "acuracy"]),
        2,
    );
    assert_eq!(
        error,
        "error: unknown metric `acuracy`\n hint: did you mean `accuracy`?\n"
    );
    let error = fails(place.host(&["run", "--plugin", "metrics"]), 2);
    assert!(
        error.contains("plugin `metrics` has no task")
            && error.contains(
                "hint: plugins with a task: `classification`, `detection`, `retrieval`, `tabular`"
            ),
        "{error}"
    );
}
