//! What `--dry-run` says of the cost: the counts are those of the run that follows.

use crate::support::{Place, set, succeeds};
use crate::{classification, detection, retrieval};
use serde_json::Value;

/// Whether a count that was foretold is what came.
#[track_caller]
fn assert_counted(foretold: &Value, came: u64, what: &str) {
    let most = foretold["most"].as_u64().unwrap();
    if foretold["exact"].as_bool().unwrap() {
        assert_eq!(came, most, "{what}");
    } else {
        assert!(came <= most, "{what}: {came} of at most {most}");
    }
}

/// The count of a phase or a method.
fn queries<'a>(rows: &'a Value, key: &str, name: &str) -> &'a Value {
    let mut rows = rows.as_array().unwrap().iter();
    &rows.find(|row| row[key] == name).unwrap()["queries"]
}

/// Evaluations of the network that the phases foretell.
fn evaluations(estimate: &Value) -> u64 {
    let kinds = estimate["passes"].as_object().unwrap().values();
    kinds
        .map(|work| work["evaluations"].as_u64().unwrap())
        .sum()
}

/// Foretells a run and makes it; every row of its table is held against the estimate. Returns estimate and summary.
#[track_caller]
fn foretold_and_made(place: &Place, arguments: &[&str]) -> (Value, Value) {
    let mut all = vec!["run", "--device", "cpu"];
    all.extend(arguments);
    let rehearsed = succeeds(place.host(&[&all[..], &["--dry-run", "--json"]].concat()));
    let rehearsed: Value = serde_json::from_str(&rehearsed).unwrap();
    let estimate = rehearsed["estimate"].clone();
    let made = succeeds(place.host(&[&all[..], &["--json", "--out", "made"]].concat()));
    let summary: Value = serde_json::from_str(&made).unwrap();
    for row in summary["methods"].as_array().unwrap() {
        let name = row["name"].as_str().unwrap();
        let foretold = queries(&estimate["methods"], "method", name);
        assert_counted(foretold, row["queries"].as_u64().unwrap(), name);
    }
    let total = summary["queries"]["total"].as_u64().unwrap();
    assert_counted(&estimate["queries"], total, "in all");
    let came = summary["network_evaluations"]["total"].as_u64().unwrap();
    assert!(came <= evaluations(&estimate));
    assert!(estimate["measured"]["seconds"].as_f64().unwrap() > 0.0);
    (estimate, summary)
}

/// The same where the width is given, so that no number depends on what the run finds.
#[track_caller]
fn exactly_foretold(place: &Place, arguments: &[&str]) -> Value {
    let width = set(&["calibration.width=0.5"]);
    let (estimate, summary) = foretold_and_made(place, &[arguments, &width].concat());
    assert_eq!(estimate["queries"]["exact"], true);
    let came = summary["network_evaluations"]["total"].as_u64().unwrap();
    assert_eq!(came, evaluations(&estimate));
    estimate
}

#[test]
fn the_default_run() {
    let place = Place::new();
    let (estimate, _) = foretold_and_made(&place, &["--plugin", "tabular"]);
    for method in ["pretrained", "metricopt", "es"] {
        let foretold = queries(&estimate["methods"], "method", method);
        assert_eq!(foretold["exact"], true, "{method}");
    }
}

#[test]
fn embeddings_of_digits() {
    let place = Place::new();
    let quick = set(&retrieval::QUICK);
    let arguments = [&["--plugin", "retrieval"], &quick[..]].concat();
    let estimate = exactly_foretold(&place, &arguments);
    // Four trajectories of six steps, two at the same start; 4 steps of 2 pairs, observed twice.
    let of = |name| queries(&estimate["phases"], "name", name)["most"].as_u64();
    assert_eq!(of("trajectories"), Some(3 + 4 + 4));
    assert_eq!(of("fine-tuning"), Some(4 * 4 + 2));
}

#[test]
fn a_detector() {
    let place = Place::new();
    let quick = set(&detection::QUICK);
    exactly_foretold(&place, &[&["--plugin", "detection"], &quick[..]].concat());
}

#[test]
fn images_of_several_classes_with_a_learned_optimizer() {
    let place = Place::new();
    let quick = [
        set(&classification::ENGINE),
        set(&classification::DIGITS),
        // Which class weights are tried depends on the predictions.
        set(&[
            "baselines.class_weights=[]",
            "baselines.thresholds=0",
            "finetune.optimizer=learned",
            "finetune.learned.iterations=2",
        ]),
    ]
    .concat();
    let arguments = [&["--plugin", "classification"], &quick[..]].concat();
    let estimate = exactly_foretold(&place, &arguments);
    let phases = estimate["phases"].as_array().unwrap();
    let practice = phases
        .iter()
        .find(|phase| phase["name"] == "learned optimizer")
        .unwrap();
    // 2 * (10 + 1) * 8 gradients, and 8 before.
    assert_eq!(
        practice["passes"]["gradient_together"]["evaluations"],
        2 * 11 * 8 + 8
    );
}

#[test]
fn what_may_end_early_is_at_most() {
    for (more, why) in [
        (
            &["finetune.stop_when_decided=true", "finetune.patience=1"][..],
            "decided",
        ),
        (&["observation.max_queries=120"], "bounded"),
    ] {
        let place = Place::new();
        let settings = [
            "task.dataset=csv",
            "task.path=table.csv",
            "task.network.epochs=2",
            "observation.folds=2",
            "trajectories.count=4",
            "trajectories.steps=10",
            "finetune.steps=20",
            "finetune.observe_every=1",
            "meta_training.iterations=20",
            "report.bootstrap=20",
        ];
        let arguments = [&["--plugin", "tabular"], &set(&settings)[..], &set(more)].concat();
        let (estimate, _) = foretold_and_made(&place, &arguments);
        assert_eq!(estimate["queries"]["exact"], false, "{why}");
        let tuning = queries(&estimate["phases"], "name", "fine-tuning");
        assert_eq!(tuning["exact"], false, "{why}");
    }
}

#[test]
fn what_an_earlier_run_gives_costs_nothing() {
    let place = Place::new();
    succeeds(place.run("earlier", &[]));
    let again = place.run(
        "again",
        &["--trajectories", "earlier", "--dry-run", "--json"],
    );
    let rehearsed: Value = serde_json::from_str(&succeeds(again)).unwrap();
    let estimate = &rehearsed["estimate"];
    let phases = estimate["phases"].as_array().unwrap();
    assert!(phases.iter().all(|phase| phase["name"] != "trajectories"));
    succeeds(place.run("again", &["--trajectories", "earlier"]));
    let summary = place.summary("again");
    let total = summary["queries"]["total"].as_u64().unwrap();
    assert_counted(&estimate["queries"], total, "in all");
    let methods = summary["methods"].as_array().unwrap();
    let metricopt = methods
        .iter()
        .find(|row| row["name"] == "metricopt")
        .unwrap();
    let foretold = queries(&estimate["methods"], "method", "metricopt");
    assert_counted(
        foretold,
        metricopt["queries"].as_u64().unwrap(),
        "metricopt",
    );
    assert_eq!(foretold["exact"], true);
}

#[test]
fn every_method_of_a_comparison() {
    let place = Place::new();
    let width = set(&["calibration.width=0.5"]);
    let rehearsed =
        succeeds(place.compare("out", &[&width[..], &["--dry-run", "--json"]].concat()));
    assert!(!place.path("out").exists());
    let rehearsed: Value = serde_json::from_str(&rehearsed).unwrap();
    assert_eq!(rehearsed["seeds"], 5);
    let more = [&width[..], &["--seeds", "2", "--json"]].concat();
    let made: Value = serde_json::from_str(&succeeds(place.compare("out", &more))).unwrap();
    for seed in 0..2 {
        let entries = made["seeds"][seed]["entries"].as_array().unwrap();
        assert_eq!(entries.len(), 12);
        for entry in entries {
            let name = entry["method"].as_str().unwrap();
            let foretold = queries(&rehearsed["estimate"]["methods"], "method", name);
            assert_counted(foretold, entry["queries"].as_u64().unwrap(), name);
            // Equal scores, and rates that are too large, are what cannot be foretold.
            let open = ["threshold", "loss-only", "loss-on-validation"].contains(&name);
            assert_eq!(foretold["exact"], !open, "{name}");
        }
    }
}

#[test]
fn the_configuration_alone_goes_to_standard_output() {
    let place = Place::new();
    for command in [
        place.run("out", &["--dry-run"]),
        place.compare("out", &["--dry-run"]),
    ] {
        let mut command = command;
        let output = command.assert().success().get_output().clone();
        let printed = String::from_utf8(output.stdout).unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        place.write("again.toml", &printed);
        let again = [
            "run",
            "--plugin",
            "tabular",
            "--config",
            "again.toml",
            "--dry-run",
        ];
        succeeds(place.host(&again));
        for words in [
            "metric queries",
            "in all",
            "network and metric take about",
            "Memory: ",
        ] {
            assert!(said.contains(words), "no `{words}` in {said}");
        }
        assert!(!place.path("out").exists());
    }
}

#[test]
fn a_task_that_does_not_open_still_has_a_configuration() {
    let place = Place::new();
    let absent = ["--dry-run", "--set", "task.path=absent.csv"];
    let output = place
        .run("out", &absent)
        .assert()
        .success()
        .get_output()
        .clone();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(
        said.contains("warning: only the queries are known: "),
        "{said}"
    );
    assert!(
        String::from_utf8(output.stdout)
            .unwrap()
            .contains("task.path = \"absent.csv\"")
    );
    let rehearsed = succeeds(place.run("out", &[&absent[..], &["--json"]].concat()));
    let rehearsed: Value = serde_json::from_str(&rehearsed).unwrap();
    let estimate = &rehearsed["estimate"];
    assert!(estimate["passes"].is_null() && estimate["measured"].is_null());
    // They follow from the configuration: the folds of the acceptance test, 3 + 4 + 4 along trajectories, their best point,
    // 5 steps of 4 pairs observed once, and the acceptance test.
    let metricopt = queries(&estimate["methods"], "method", "metricopt");
    let expected = 1 + 11 + 1 + 41 + 1;
    assert_eq!(
        (&metricopt["most"], &metricopt["exact"]),
        (&expected.into(), &true.into())
    );
}

#[test]
fn a_run_begins_with_its_plan() {
    let place = Place::new();
    let output = place
        .run("out", &[])
        .assert()
        .success()
        .get_output()
        .clone();
    let said = String::from_utf8(output.stderr).unwrap();
    let plan = said.lines().find(|line| line.starts_with("plan ")).unwrap();
    assert!(
        plan.contains(" metric queries; through the network at most "),
        "{plan}"
    );
}
