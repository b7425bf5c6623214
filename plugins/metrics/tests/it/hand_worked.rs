use metricopt_sdk::Kind;
use serde_json::json;

use crate::support::{assert_values, binary, evaluate, metrics_of, several};

/// Four decided positive, three of them rightly; one positive missed.
#[test]
fn binary_scores() {
    let input = binary(
        &[0.9, 0.8, 0.7, 0.6, 0.4, 0.3, 0.2, 0.1],
        &[1, 1, 0, 1, 0, 1, 0, 0],
    );
    let logarithms = 0.9_f64.ln() + 0.8_f64.ln() + 0.3_f64.ln() + 0.6_f64.ln();
    let expected = [
        ("mcr", json!({}), 2.0 / 8.0),
        ("accuracy", json!({}), 6.0 / 8.0),
        ("balanced-error", json!({}), 1.0 / 4.0),
        ("f1", json!({}), 6.0 / 8.0),
        ("g-mean", json!({}), 3.0 / 4.0),
        ("jaccard", json!({}), 3.0 / 5.0),
        ("mcc", json!({}), (9.0 - 1.0) / 16.0),
        ("macro-recall", json!({}), 3.0 / 4.0),
        ("worst-class-error", json!({}), 1.0 / 4.0),
        (
            "fbeta",
            json!({"beta": 3.0}),
            10.0 * 3.0 / (4.0 + 9.0 * 4.0),
        ),
        ("cohen-kappa", json!({}), 1.0 - (2.0 / 8.0) / (4.0 / 8.0)),
        ("top-k-error", json!({}), 2.0 / 8.0),
        ("auroc", json!({}), (4.0 + 4.0 + 3.0 + 2.0) / 16.0),
        (
            "aucpr",
            json!({}),
            (1.0 + 1.0 + 3.0 / 4.0 + 4.0 / 6.0) / 4.0,
        ),
        ("precision-at-recall", json!({"recall": 0.0}), 1.0),
        ("precision-at-recall", json!({"recall": 0.75}), 3.0 / 4.0),
        ("precision-at-recall", json!({"recall": 0.9}), 4.0 / 6.0),
        ("recall-at-precision", json!({"precision": 0.0}), 1.0),
        ("recall-at-precision", json!({"precision": 0.75}), 3.0 / 4.0),
        ("recall-at-precision", json!({"precision": 0.9}), 2.0 / 4.0),
    ];
    assert_values(&input, 1e-15, &expected);
    // These read the scores, which are rounded to f32.
    let expected = [
        ("log-loss", json!({}), -2.0 * logarithms / 8.0),
        ("brier", json!({}), 2.0 * (0.01 + 0.04 + 0.49 + 0.16) / 8.0),
        ("ece", json!({"bins": 2}), 0.0),
        ("ece", json!({"bins": 4}), 4.0 * 0.3 / 8.0),
        ("ece", json!({"bins": 1}), 0.0),
    ];
    assert_values(&input, 1e-7, &expected);
}

/// Two samples a class; the third sample is tied and goes to class 0, the last is taken for class 1.
#[test]
fn several_classes() {
    #[rustfmt::skip]
    let scores = [
        0.75, 0.25, 0.0,
        0.5,  0.25, 0.25,
        0.5,  0.5,  0.0,
        0.25, 0.5,  0.25,
        0.0,  0.25, 0.75,
        0.25, 0.5,  0.25,
    ];
    let input = several(&scores, &[0, 0, 1, 1, 2, 2], 3);
    let logarithms = 2.0 * 0.75_f64.ln() + 3.0 * 0.5_f64.ln() + 0.25_f64.ln();
    let expected = [
        ("mcr", json!({}), 2.0 / 6.0),
        ("accuracy", json!({}), 4.0 / 6.0),
        ("balanced-error", json!({}), 1.0 - (1.0 + 0.5 + 0.5) / 3.0),
        ("f1", json!({}), (4.0 / 5.0 + 2.0 / 4.0 + 2.0 / 3.0) / 3.0),
        ("g-mean", json!({}), 0.25_f64.cbrt()),
        (
            "jaccard",
            json!({}),
            (2.0 / 3.0 + 1.0 / 3.0 + 1.0 / 2.0) / 3.0,
        ),
        ("mcc", json!({}), (24.0 - 12.0) / f64::sqrt(22.0 * 24.0)),
        ("macro-recall", json!({}), (1.0 + 0.5 + 0.5) / 3.0),
        ("worst-class-error", json!({}), 1.0 / 2.0),
        (
            "fbeta",
            json!({}),
            (10.0 / (3.0 + 8.0) + 5.0 / (2.0 + 8.0) + 5.0 / (1.0 + 8.0)) / 3.0,
        ),
        // Both misses are between neighbours; by chance 24 of 36 pairs differ, 8 of them by two.
        ("cohen-kappa", json!({}), 1.0 - 2.0 * 6.0 / 24.0),
        (
            "cohen-kappa",
            json!({"weights": "linear"}),
            1.0 - 2.0 * 6.0 / 32.0,
        ),
        (
            "cohen-kappa",
            json!({"weights": "quadratic"}),
            1.0 - 2.0 * 6.0 / 48.0,
        ),
        ("top-k-error", json!({"k": 1}), 2.0 / 6.0),
        ("top-k-error", json!({"k": 2}), 1.0 / 6.0),
        (
            "auroc",
            json!({}),
            (7.5 / 8.0 + 7.0 / 8.0 + 7.0 / 8.0) / 3.0,
        ),
        (
            "aucpr",
            json!({}),
            (5.0 / 6.0 + 2.0 / 3.0 + 3.0 / 4.0) / 3.0,
        ),
        (
            "precision-at-recall",
            json!({"recall": 1.0}),
            (2.0 / 3.0 + 2.0 / 3.0 + 0.5) / 3.0,
        ),
        (
            "recall-at-precision",
            json!({"precision": 0.9}),
            (0.5 + 0.0 + 0.5) / 3.0,
        ),
        ("log-loss", json!({}), -logarithms / 6.0),
        (
            "brier",
            json!({}),
            (0.125 + 0.375 + 0.5 + 0.375 + 0.125 + 0.875) / 6.0,
        ),
        ("ece", json!({"bins": 2}), 0.5 / 6.0),
    ];
    assert_values(&input, 1e-15, &expected);
}

#[test]
fn equal_scores_are_one_threshold_and_both_zeros_are_equal() {
    // 0.5: 2 of 3 are positive; zero: 1 of 2; below: none of 1.
    let scores = [0.5, -0.0, 0.5, -1.0, 0.0, 0.5];
    let labels = [1, 1, 0, 0, 0, 1];
    let expected = [
        (
            "aucpr",
            json!({}),
            2.0 / 3.0 * (2.0 / 3.0) + 1.0 / 3.0 * (3.0 / 5.0),
        ),
        ("auroc", json!({}), (2.0 * 2.5 + 1.5) / 9.0),
        ("precision-at-recall", json!({"recall": 0.9}), 3.0 / 5.0),
        ("recall-at-precision", json!({"precision": 0.9}), 0.0),
    ];
    assert_values(&binary(&scores, &labels), 1e-15, &expected);
}

#[test]
fn a_perfect_classifier_is_at_the_good_end_of_every_range() {
    let perfect = [
        binary(&[1.0, 0.0, 1.0, 0.0], &[1, 0, 1, 0]),
        several(
            &[1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0],
            &[0, 1, 2],
            3,
        ),
    ];
    for entry in metrics_of(Kind::Classification) {
        let (low, high) = entry.range;
        let best = match entry.direction {
            metricopt_sdk::Direction::Minimise => low,
            metricopt_sdk::Direction::Maximise => high,
        };
        for input in &perfect {
            let value = evaluate(&entry.name, &json!({}), input).unwrap();
            assert_eq!(value, best, "{}", entry.name);
        }
    }
}
