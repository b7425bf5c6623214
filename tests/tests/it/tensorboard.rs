//! TensorBoard itself reads what a run writes for it.

use crate::support::{Place, succeeds};
use crate::tables::{Number, numbers};
use serde_json::Value;
use std::collections::BTreeMap;

/// Prints `{run: {tag: [[step, value], ...]}}` as TensorBoard's own reader finds it.
const READER: &str = "\
import json, os, sys
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
found = {}
for run in sorted(os.listdir(sys.argv[1])):
    reader = EventAccumulator(os.path.join(sys.argv[1], run), size_guidance={'scalars': 0, 'tensors': 0})
    reader.Reload()
    tags = reader.Tags()['scalars']
    found[run] = {tag: [[e.step, e.value] for e in reader.Scalars(tag)] for tag in tags}
print(json.dumps(found))
";

type Curves = BTreeMap<(String, String), Vec<(u64, Option<f32>)>>;

#[test]
fn slow_tensorboard_reads_every_number() {
    let Some(mut python) = metricopt_python::python(&["tensorboard"]) else {
        return;
    };
    let place = Place::new();
    succeeds(place.run("run", &[]));
    let output = python
        .args(["-c", READER])
        .arg(place.path("run/tensorboard"))
        .output()
        .unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    let read: Value = serde_json::from_slice(&output.stdout).unwrap();
    let mut found = Curves::new();
    for (run, tags) in read.as_object().unwrap() {
        for (tag, points) in tags.as_object().unwrap() {
            let points = points.as_array().unwrap().iter();
            let points = points.map(|point| {
                let value = point[1].as_f64().map(|value| value as f32);
                (point[0].as_u64().unwrap(), value)
            });
            found.insert((run.clone(), tag.clone()), points.collect());
        }
    }
    assert_eq!(found, expected(numbers(&place.events("run"))));
}

/// What the events say, as TensorBoard is to show it.
fn expected(numbers: Vec<Number>) -> Curves {
    let mut curves = Curves::new();
    let mut attempts: BTreeMap<String, (usize, u64)> = BTreeMap::new();
    let mut ends: BTreeMap<String, u64> = BTreeMap::new();
    for number in numbers {
        let of_method = number.name == "validation" || number.name == "adapter_norm";
        let mut run = number.method.clone();
        if let (Some(step), Some(queries)) = (number.step, number.queries) {
            let (attempt, latest) = attempts.entry(run.clone()).or_insert((1, 0));
            if step < *latest {
                *attempt += 1;
            }
            *latest = step;
            if *attempt > 1 {
                run = format!("{run}-{attempt}");
            }
            // Once an event: the last of its numbers.
            if of_method {
                let curve = curves.entry((run.clone(), "queries".to_owned()));
                curve.or_default().push((step, Some(queries as f32)));
            }
        }
        let end = ends.entry(run.clone()).or_insert(0);
        *end = number.step.unwrap_or(*end);
        let value = number.value.map(|value| value as f32);
        curves
            .entry((run, number.name))
            .or_default()
            .push((*end, value));
    }
    curves
}
