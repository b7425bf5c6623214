//! Every metric obeys the laws of the metric kit, with other options too.

use metricopt_sdk::Kind;
use metricopt_sdk::testkit::{self, Law, Options, Report, Shape, Verdict};
use serde_json::{Value, json};

use crate::support::metrics;

fn check(name: &str, config: &Value, options: &Options) -> Report {
    let entry = metrics().iter().find(|entry| entry.name == name).unwrap();
    let metric = entry.create(config).unwrap();
    testkit::check_entry(entry, metric.as_ref(), options)
}

#[test]
fn every_metric_obeys_the_laws() {
    for entry in metrics() {
        let report = check(&entry.name, &entry.defaults, &Options::default());
        report.assert();
        assert!(report.notes.is_empty(), "{report}");
        // Protocols of retrieval put equally near items in the order of their rows.
        let (ties, population) = match entry.kind {
            Kind::Retrieval => (Verdict::NotApplicable, Verdict::Held),
            Kind::Detection => (Verdict::Held, Verdict::Held),
            _ => (Verdict::Held, Verdict::NotApplicable),
        };
        assert_eq!(report.verdict(Law::Ties), ties, "{report}");
        assert_eq!(report.verdict(Law::Population), population, "{report}");
        for law in [
            Law::Determinism,
            Law::Permutation,
            Law::Degenerate,
            Law::Range,
            Law::Direction,
        ] {
            assert_eq!(report.verdict(law), Verdict::Held, "{report}");
        }
        let lines = |shape| {
            report
                .profiles
                .iter()
                .filter(|profile| profile.shape == shape)
                .count()
        };
        assert_eq!(report.profiles.len(), 3);
        assert!(
            lines(Shape::Smooth) >= 1 && lines(Shape::Flat) == 0,
            "{report}"
        );
    }
}

#[test]
fn other_options() {
    let configurations = [
        ("precision-at-recall", json!({"recall": 0.5})),
        ("precision-at-recall", json!({"recall": 1.0})),
        ("recall-at-precision", json!({"precision": 0.6})),
        ("ece", json!({"bins": 1})),
        ("ece", json!({"bins": 200})),
        ("recall-at-k", json!({"k": 4, "distance": "l2"})),
        ("map-at-r", json!({"distance": "l2"})),
        ("r-precision", json!({"distance": "l2"})),
        ("mrr", json!({"distance": "l2"})),
        ("ndcg", json!({"k": 1, "distance": "l2"})),
        ("ndcg", json!({"k": 1000})),
        ("voc-map", json!({"interpolation": "all-point"})),
        ("voc-map", json!({"areas": "continuous", "iou": 0.75})),
        ("coco-map", json!({"iou": 0.5})),
        ("coco-map", json!({"iou": 0.75, "max_detections": 2})),
        ("average-recall", json!({"max_detections": 1})),
        ("cohen-kappa", json!({"weights": "linear"})),
        ("cohen-kappa", json!({"weights": "quadratic"})),
        ("fbeta", json!({"beta": 0.0})),
        ("fbeta", json!({"beta": 0.5, "average": "macro"})),
        ("fbeta", json!({"average": "micro"})),
        ("fbeta", json!({"average": "weighted"})),
    ];
    for (name, config) in configurations {
        check(name, &config, &Options::default()).assert();
    }
}

#[test]
fn any_seed() {
    for entry in metrics() {
        for seed in 1..12 {
            let options = Options {
                seed,
                profile: false,
                ..Options::default()
            };
            check(&entry.name, &entry.defaults, &options).assert();
        }
    }
}

/// What is declared is what the kit measures.
#[test]
fn exactly_the_rankings_are_rank_based() {
    for entry in metrics() {
        let report = check(
            &entry.name,
            &entry.defaults,
            &Options {
                profile: false,
                ..Options::default()
            },
        );
        let ranks = [
            "auroc",
            "aucpr",
            "precision-at-recall",
            "recall-at-precision",
            "voc-map",
            "coco-map",
            "average-recall",
        ]
        .contains(&entry.name.as_str())
            || entry.kind == Kind::Retrieval;
        assert_eq!(entry.rank_based, ranks, "{}", entry.name);
        let expected = if ranks {
            Verdict::Held
        } else {
            Verdict::NotApplicable
        };
        assert_eq!(report.verdict(Law::RankBased), expected, "{report}");
        assert!(!report.to_string().contains("could declare"), "{report}");
    }
}
