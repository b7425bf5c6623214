//! The metric from outside, as the host uses it.

use metricopt_sdk::{ErrorKind, prelude::*, testkit};

use my_metric::MyMetric;

fn metric(share: f64) -> MyMetric {
    MyMetric { share }
}

fn value(share: f64, scores: &[f32], labels: &[i64]) -> Result<f64> {
    metric(share).evaluate(Classification::binary(scores, labels)?)
}

/// The laws that every metric obeys: one line for each that this one breaks, with an example.
#[test]
fn keeps_the_laws_of_metrics() {
    testkit::assert_laws(&MyMetric::default());
}

/// Values that were worked out by hand: the only test that knows what the metric means.
#[test]
fn hand_worked_values() -> Result<()> {
    let scores = [0.9, 0.2, 0.8, 0.4, 0.6];
    let labels = [1, 0, 0, 1, 1];
    // The two highest are 0.9 (positive) and 0.8 (negative).
    assert_eq!(value(0.4, &scores, &labels)?, 1.0 / 2.0);
    assert_eq!(value(1.0, &scores, &labels)?, 3.0 / 5.0);
    // A share of nothing is still the highest one.
    assert_eq!(value(0.01, &scores, &labels)?, 1.0);
    Ok(())
}

/// Equal scores have no order: one place is left for two samples, one of them positive.
#[test]
fn ties_count_in_part() -> Result<()> {
    let scores = [0.9, 0.5, 0.5, 0.1];
    assert_eq!(value(0.5, &scores, &[1, 0, 1, 0])?, 1.5 / 2.0);
    assert_eq!(value(0.5, &scores, &[1, 1, 0, 0])?, 1.5 / 2.0);
    // Both zeros are equal.
    assert_eq!(value(0.5, &[0.0, -0.0], &[1, 0])?, 1.0 / 2.0);
    Ok(())
}

#[test]
fn where_there_is_no_value() {
    let error = value(0.5, &[], &[]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Undefined);
    for share in [0.0, -1.0, 1.5, f64::NAN] {
        let error = metric(share).check().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Configuration);
    }
}
