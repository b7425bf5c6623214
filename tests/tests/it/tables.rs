//! `metrics.csv` and the files for TensorBoard say what `events.jsonl` says.

use crate::support::{Place, fails, set, succeeds};
use serde_json::Value;
use std::fs;

/// A number that an event holds: method, step if any, name, value, queries if any.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Number {
    pub(crate) method: String,
    pub(crate) step: Option<u64>,
    pub(crate) name: String,
    pub(crate) value: Option<f64>,
    pub(crate) queries: Option<u64>,
}

/// Every number in the events, in order, found without the code under test.
pub(crate) fn numbers(events: &[Value]) -> Vec<Number> {
    let mut numbers = Vec::new();
    for event in events {
        let kind = event["event"].as_str().unwrap();
        let method = match kind {
            "calibrated" => "calibration",
            "trajectories-observed" => "trajectories",
            "value-function-trained" => "value-function",
            "decided" => "acceptance",
            // Counts of the moment, which the summary has too.
            "meta-testing-begun" => continue,
            _ => event["method"].as_str().unwrap(),
        };
        let mut push = |step: Option<u64>, name: &str, value: &Value| {
            numbers.push(Number {
                method: method.to_owned(),
                step,
                name: name.to_owned(),
                value: value.as_f64(),
                queries: event["queries"].as_u64(),
            });
        };
        if let Some(probed) = event["probed"].as_array() {
            for (step, pair) in probed.iter().enumerate() {
                push(Some(step as u64), "probed_width", &pair[0]);
                push(Some(step as u64), "probed_loss", &pair[1]);
            }
        }
        for (key, value) in event.as_object().unwrap() {
            let name = if kind == "finished" {
                format!("final_{key}")
            } else {
                key.clone()
            };
            match key.as_str() {
                "version" | "event" | "method" | "step" | "queries" | "measured" | "probed" => {}
                "accepted" => {
                    let number = f64::from(u8::from(value.as_bool().unwrap()));
                    push(None, &name, &number.into());
                }
                // A value function that could not be measured has no correlations.
                _ if kind == "value-function-trained" && value.is_null() => {}
                _ => push(event["step"].as_u64(), &name, value),
            }
        }
    }
    numbers
}

#[test]
fn the_table_holds_every_number_of_the_events() {
    let place = Place::new();
    succeeds(place.run("run", &[]));
    let text = fs::read_to_string(place.path("run/metrics.csv")).unwrap();
    let mut lines = text.lines();
    assert_eq!(lines.next(), Some("method,step,name,value,queries,attempt"));
    let rows: Vec<Vec<&str>> = lines.map(|line| line.split(',').collect()).collect();
    let read: Vec<Number> = rows
        .iter()
        .map(|row| {
            assert_eq!(row.len(), 6, "{row:?}");
            Number {
                method: row[0].to_owned(),
                step: row[1].parse().ok(),
                name: row[2].to_owned(),
                value: row[3].parse().ok().filter(|value: &f64| value.is_finite()),
                queries: row[4].parse().ok(),
            }
        })
        .collect();
    assert_eq!(read, numbers(&place.events("run")));
    // Five steps each: with two class weights, and once.
    let attempts = |method: &str| {
        let steps = rows
            .iter()
            .filter(|row| row[0] == method && row[2] == "loss");
        steps.map(|row| row[5]).collect::<String>()
    };
    assert_eq!(attempts("class-weighted"), "1111122222");
    assert_eq!(attempts("metricopt"), "11111");
}

#[test]
fn every_pass_of_a_method_is_a_run_of_tensorboard() {
    let place = Place::new();
    succeeds(place.run("run", &[]));
    let files = place.event_files("run");
    let names: Vec<&str> = files.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(
        names,
        [
            "acceptance",
            "calibration",
            "class-weighted",
            "class-weighted-2",
            "es",
            "loss-only",
            "metricopt",
            "pretrained",
            "threshold",
            "trajectories",
            "value-function"
        ]
    );
    place.assert_only_complete_files("run");
}

#[test]
fn a_run_that_fails_at_once_leaves_no_tables() {
    let place = Place::new();
    // The task opens; the split is too small for the folds of the acceptance test.
    fails(place.run("run", &set(&["finetune.accept_folds=5000"])), 2);
    assert!(!place.path("run").exists());
}
