use metricopt_sdk::{Classification, ErrorKind, Kind, OwnedClassification};
use serde_json::json;

use crate::support::{assert_values, binary, evaluate, metrics_of, several};

#[track_caller]
fn assert_error(input: &OwnedClassification, names: &[&str], kind: ErrorKind, message: &str) {
    for name in names {
        let error = evaluate(name, &json!({}), input).unwrap_err();
        assert_eq!(
            (error.kind(), error.to_string().as_str()),
            (kind, message),
            "{name}"
        );
    }
}

#[test]
fn no_samples_is_undefined() {
    let names: Vec<_> = metrics_of(Kind::Classification)
        .map(|entry| entry.name.as_str())
        .collect();
    let several = Classification::multiclass(&[], &[], 3).unwrap().to_owned();
    for input in [binary(&[], &[]), several] {
        assert_error(&input, &names, ErrorKind::Undefined, "no samples");
    }
}

#[test]
fn nothing_positive_and_nothing_decided_positive() {
    let input = binary(&[0.25, 0.0], &[0, 0]);
    let expected = [
        ("mcr", json!({}), 0.0),
        ("accuracy", json!({}), 1.0),
        ("balanced-error", json!({}), 0.0),
        ("f1", json!({}), 0.0),
        ("g-mean", json!({}), 1.0),
        ("jaccard", json!({}), 0.0),
        ("mcc", json!({}), 0.0),
        ("macro-recall", json!({}), 1.0),
        ("worst-class-error", json!({}), 0.0),
        ("cohen-kappa", json!({}), 0.0),
        ("cohen-kappa", json!({"weights": "linear"}), 0.0),
        ("cohen-kappa", json!({"weights": "quadratic"}), 0.0),
        ("fbeta", json!({}), 0.0),
        ("fbeta", json!({"beta": 0.0}), 0.0),
        ("fbeta", json!({"average": "macro"}), 1.0),
        ("fbeta", json!({"average": "micro"}), 1.0),
        ("fbeta", json!({"average": "weighted"}), 1.0),
        ("top-k-error", json!({}), 0.0),
        ("log-loss", json!({}), -0.75_f64.ln() / 2.0),
        ("brier", json!({}), 0.0625 / 2.0),
        ("ece", json!({}), 0.25 / 2.0),
    ];
    assert_values(&input, 1e-15, &expected);
    let ranked = ["aucpr", "precision-at-recall", "recall-at-precision"];
    assert_error(&input, &ranked, ErrorKind::Undefined, "no positive samples");
    assert_error(
        &input,
        &["auroc"],
        ErrorKind::Undefined,
        "labels of one class only",
    );
}

#[test]
fn everything_positive() {
    let input = binary(&[0.75, 0.25], &[1, 1]);
    let expected = [
        ("balanced-error", json!({}), 0.5),
        ("f1", json!({}), 2.0 / 3.0),
        ("g-mean", json!({}), 0.5),
        ("mcc", json!({}), 0.0),
        ("aucpr", json!({}), 1.0),
        ("precision-at-recall", json!({}), 1.0),
        ("recall-at-precision", json!({}), 1.0),
    ];
    assert_values(&input, 1e-15, &expected);
    assert_error(
        &input,
        &["auroc"],
        ErrorKind::Undefined,
        "labels of one class only",
    );
}

#[test]
fn positives_of_which_none_is_found() {
    let input = binary(&[0.75, 0.25, 0.25], &[0, 1, 0]);
    let expected = [
        ("f1", json!({}), 0.0),
        ("g-mean", json!({}), 0.0),
        ("jaccard", json!({}), 0.0),
        ("recall-at-precision", json!({"precision": 0.5}), 0.0),
        ("precision-at-recall", json!({}), 1.0 / 3.0),
    ];
    assert_values(&input, 1e-15, &expected);
}

#[test]
fn certain_mistakes_are_the_worst_but_finite() {
    let worst = 23.0 * std::f64::consts::LN_2;
    let input = binary(&[0.0, 1.0], &[1, 0]);
    assert_values(
        &input,
        1e-14,
        &[("log-loss", json!({}), worst), ("brier", json!({}), 1.0)],
    );
    let input = several(&[1.0, 0.0, 0.0], &[2], 3);
    assert_values(
        &input,
        1e-14,
        &[("log-loss", json!({}), worst), ("brier", json!({}), 2.0)],
    );
}

/// Class 2 has no label; in the first input it is decided for once, in the second never.
#[test]
fn classes_without_a_label() {
    let decided = several(
        &[0.75, 0.25, 0.0, 0.25, 0.75, 0.0, 0.0, 0.25, 0.75],
        &[0, 1, 1],
        3,
    );
    let never = several(
        &[0.75, 0.25, 0.0, 0.25, 0.75, 0.0, 0.75, 0.25, 0.0],
        &[0, 1, 1],
        3,
    );
    let expected = [
        ("f1", json!({}), (1.0 + 2.0 / 3.0 + 0.0) / 3.0),
        ("jaccard", json!({}), (1.0 + 0.5 + 0.0) / 3.0),
        ("balanced-error", json!({}), 0.25),
        ("macro-recall", json!({}), 0.75),
        ("worst-class-error", json!({}), 0.5),
        ("fbeta", json!({"beta": 1.0}), (1.0 + 2.0 / 3.0 + 0.0) / 3.0),
        (
            "fbeta",
            json!({"beta": 1.0, "average": "weighted"}),
            (1.0 + 2.0 * (2.0 / 3.0)) / 3.0,
        ),
        ("cohen-kappa", json!({}), 1.0 - 3.0 / 6.0),
        ("cohen-kappa", json!({"weights": "linear"}), 1.0 - 3.0 / 7.0),
        (
            "cohen-kappa",
            json!({"weights": "quadratic"}),
            1.0 - 3.0 / 9.0,
        ),
        ("g-mean", json!({}), 0.5_f64.sqrt()),
        ("auroc", json!({}), (1.0 + 0.75) / 2.0),
        ("aucpr", json!({}), (1.0 + 0.5 + 0.5 * 2.0 / 3.0) / 2.0),
    ];
    assert_values(&decided, 1e-15, &expected);
    let expected = [
        ("f1", json!({}), (2.0 / 3.0 + 2.0 / 3.0) / 2.0),
        ("jaccard", json!({}), (0.5 + 0.5) / 2.0),
        ("balanced-error", json!({}), 0.25),
    ];
    assert_values(&never, 1e-15, &expected);
    let one = several(&[0.5, 0.25, 0.25], &[1], 3);
    assert_error(
        &one,
        &["auroc"],
        ErrorKind::Undefined,
        "labels of one class only",
    );
    assert_values(
        &one,
        0.0,
        &[("aucpr", json!({}), 1.0), ("mcc", json!({}), 0.0)],
    );
}

#[test]
fn scores_that_are_no_probabilities() {
    let margins = binary(&[2.0, -1.0], &[1, 0]);
    assert_values(
        &margins,
        0.0,
        &[("auroc", json!({}), 1.0), ("aucpr", json!({}), 1.0)],
    );
    for name in ["mcr", "f1", "mcc", "log-loss", "brier", "ece"] {
        let error = evaluate(name, &json!({}), &margins).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Data, "{name}");
    }
    let sigmoids = several(&[0.5, 0.25, 0.75, 1.0], &[0, 1], 2);
    assert_values(&sigmoids, 0.0, &[("accuracy", json!({}), 1.0)]);
    for name in ["log-loss", "brier", "ece"] {
        let error = evaluate(name, &json!({}), &sigmoids).unwrap_err();
        assert_eq!(
            (error.kind(), error.to_string().as_str()),
            (
                ErrorKind::Data,
                "tensor `scores` sums to 0.75 at row 0, expected probabilities that sum to 1"
            ),
            "{name}"
        );
    }
}

#[test]
fn configurations_out_of_range() {
    let input = binary(&[0.75], &[1]);
    let cases = [
        (
            "precision-at-recall",
            json!({"recall": 1.5}),
            "`recall` is 1.5, expected 0 to 1",
        ),
        (
            "precision-at-recall",
            json!({"recall": -0.1}),
            "`recall` is -0.1, expected 0 to 1",
        ),
        (
            "recall-at-precision",
            json!({"precision": 90.0}),
            "`precision` is 90, expected 0 to 1",
        ),
        (
            "ece",
            json!({"bins": 0}),
            "`bins` is 0, expected 1 to 10000",
        ),
        (
            "ece",
            json!({"bins": 10_001}),
            "`bins` is 10001, expected 1 to 10000",
        ),
        (
            "fbeta",
            json!({"beta": -1.0}),
            "`beta` is -1, expected 0 to 1000",
        ),
        (
            "top-k-error",
            json!({"k": 0}),
            "`k` is 0, expected 1 to 1000000",
        ),
        (
            "cohen-kappa",
            json!({"weights": "cubic"}),
            "`weights`: unknown variant `cubic`, expected one of `none`, `linear`, `quadratic`",
        ),
    ];
    for (name, config, message) in cases {
        let error = evaluate(name, &config, &input).unwrap_err();
        assert_eq!(
            (error.kind(), error.to_string().as_str()),
            (ErrorKind::Configuration, message)
        );
    }
    for entry in metrics_of(Kind::Classification) {
        let error = evaluate(&entry.name, &json!({"unheard-of": 1}), &input).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Configuration, "{}", entry.name);
    }
}

#[test]
fn as_many_guesses_as_classes_say_nothing() {
    let input = several(&[0.5, 0.25, 0.25], &[1], 3);
    let error = evaluate("top-k-error", &json!({"k": 3}), &input).unwrap_err();
    assert_eq!(
        (error.kind(), error.to_string().as_str()),
        (
            ErrorKind::Undefined,
            "the label is always among the first 3 of 3 classes"
        )
    );
    let error = evaluate("top-k-error", &json!({"k": 2}), &binary(&[0.5], &[1])).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Undefined);
}
