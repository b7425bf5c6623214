use metricopt_metrics as _;
use metricopt_sdk::{Kind, MetricEntry, registrations};
use serde_json::json;

use crate::support::{loaded, metrics};

const NAMES: [&str; 19] = [
    "accuracy",
    "aucpr",
    "auroc",
    "balanced-error",
    "brier",
    "cohen-kappa",
    "ece",
    "f1",
    "fbeta",
    "g-mean",
    "jaccard",
    "log-loss",
    "macro-recall",
    "mcc",
    "mcr",
    "precision-at-recall",
    "recall-at-precision",
    "top-k-error",
    "worst-class-error",
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

/// Through the tables of the ABI, as from a library.
#[test]
fn each_says_the_same_of_itself_when_loaded() {
    assert_eq!(metrics().len(), loaded().len());
    for (compiled_in, loaded) in metrics().iter().zip(loaded()) {
        assert_eq!(compiled_in.name, loaded.name);
        assert_eq!(compiled_in.kind, loaded.kind);
        assert_eq!(compiled_in.direction, loaded.direction);
        assert_eq!(compiled_in.range, loaded.range);
        assert_eq!(compiled_in.rank_based, loaded.rank_based);
        assert_eq!(compiled_in.population, loaded.population);
        assert_eq!(compiled_in.schema, loaded.schema);
        assert_eq!(compiled_in.defaults, loaded.defaults);
        let config = |entry: &MetricEntry| entry.create(&json!({})).unwrap().config();
        assert_eq!(config(compiled_in), config(loaded));
    }
}
