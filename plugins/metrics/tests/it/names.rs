use metricopt_metrics as _;
use metricopt_sdk::{Kind, MetricEntry, registrations};
use serde_json::json;

use crate::support::{loaded, metrics};

const NAMES: [&str; 27] = [
    "accuracy",
    "aucpr",
    "auroc",
    "average-recall",
    "balanced-error",
    "brier",
    "coco-map",
    "cohen-kappa",
    "ece",
    "f1",
    "fbeta",
    "g-mean",
    "jaccard",
    "log-loss",
    "macro-recall",
    "map-at-r",
    "mcc",
    "mcr",
    "mrr",
    "ndcg",
    "precision-at-recall",
    "r-precision",
    "recall-at-k",
    "recall-at-precision",
    "top-k-error",
    "voc-map",
    "worst-class-error",
];

const OF_RETRIEVAL: [&str; 5] = ["map-at-r", "mrr", "ndcg", "r-precision", "recall-at-k"];
const OF_DETECTION: [&str; 3] = ["average-recall", "coco-map", "voc-map"];

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
        let name = entry.name.as_str();
        let kind = if OF_RETRIEVAL.contains(&name) {
            Kind::Retrieval
        } else if OF_DETECTION.contains(&name) {
            Kind::Detection
        } else {
            Kind::Classification
        };
        assert_eq!(entry.kind, kind, "{name}");
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
        assert_eq!(compiled_in.ties_by_index, loaded.ties_by_index);
        assert_eq!(compiled_in.population, loaded.population);
        assert_eq!(compiled_in.schema, loaded.schema);
        assert_eq!(compiled_in.defaults, loaded.defaults);
        let config = |entry: &MetricEntry| entry.create(&json!({})).unwrap().config();
        assert_eq!(config(compiled_in), config(loaded));
    }
}
