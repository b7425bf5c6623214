use metricopt_metrics as _;
use metricopt_sdk::{Kind, registrations};

use crate::support::metrics;

const NAMES: [&str; 14] = [
    "accuracy",
    "aucpr",
    "auroc",
    "balanced-error",
    "brier",
    "ece",
    "f1",
    "g-mean",
    "jaccard",
    "log-loss",
    "mcc",
    "mcr",
    "precision-at-recall",
    "recall-at-precision",
];

#[test]
fn exactly_these_are_registered() {
    let names: Vec<_> = registrations().iter().map(|found| found.name).collect();
    assert_eq!(names, NAMES);
    assert!(
        registrations()
            .iter()
            .all(|found| found.plugin() == "metrics")
    );
}

#[test]
fn each_is_documented_and_works_as_it_comes() {
    for entry in metrics() {
        assert_eq!(entry.kind, Kind::Classification);
        let schema = &entry.schema;
        let description = schema["description"].as_str().unwrap();
        let summary = description.lines().next().unwrap();
        assert!(summary.ends_with('.'), "{}: {summary}", entry.name);
        assert!(
            description.contains("\nDegenerate input: "),
            "{}",
            entry.name
        );
        assert!(entry.create(&entry.defaults).is_ok(), "{}", entry.name);
    }
}
