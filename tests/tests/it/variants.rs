//! Every choice of the configuration runs to its end.

use crate::support::{Place, set, succeeds};

#[test]
fn every_choice_runs() {
    let place = Place::new();
    let choices: [&[&str]; 14] = [
        &["finetune.es.pairs=0"],
        &["finetune.es.objective=value-function"],
        &["finetune.optimizer=sgd"],
        &["finetune.start=best-trajectory"],
        &["meta_training.mode=reptile"],
        &["value_function.input=raw"],
        &["value_function.hidden=[8]"],
        &["value_function.hidden=[8, 8, 8]"],
        // More directions than the adapter has dimensions, which are 8.
        &["value_function.components=16", "task.network.hidden=[4]"],
        &["value_function.folds=0"],
        &[
            "baselines.thresholds=0",
            "baselines.class_weights=[]",
            "baselines.es=false",
        ],
        &["finetune.trust_region=0", "finetune.adapt_steps=0"],
        &["value_function.gamma=0", "finetune.es.alpha=0"],
        &["task.corruption.rate=0.5", "task.corruption.feature=0"],
    ];
    for (index, choice) in choices.iter().enumerate() {
        let run = format!("run-{index}");
        succeeds(place.run(&run, &set(choice)));
        let summary = place.summary(&run);
        let methods = summary["methods"].as_array().unwrap();
        assert_eq!(methods.last().unwrap()["name"], "metricopt", "{choice:?}");
        place.assert_only_complete_files(&run);
    }
    let names = |run: &str| -> Vec<String> {
        let summary = place.summary(run);
        summary["methods"]
            .as_array()
            .unwrap()
            .iter()
            .map(|m| m["name"].as_str().unwrap().to_owned())
            .collect()
    };
    assert_eq!(names("run-10"), ["pretrained", "loss-only", "metricopt"]);
    let queries = |run: &str| {
        place.summary(run)["methods"][5]["queries"]
            .as_u64()
            .unwrap()
    };
    assert!(
        queries("run-0") < queries("run-2"),
        "a run without search saves its queries"
    );
    assert_eq!(
        queries("run-0"),
        queries("run-1"),
        "the value function costs no query"
    );
}

#[test]
fn every_metric_can_be_tuned_for() {
    let place = Place::new();
    let listed: serde_json::Value =
        serde_json::from_str(&succeeds(place.host(&["list", "--json"]))).unwrap();
    let metrics: Vec<&str> = listed["plugins"]
        .as_array()
        .unwrap()
        .iter()
        .flat_map(|plugin| plugin["metrics"].as_array().unwrap())
        .filter(|metric| metric["kind"] == "classification")
        .map(|metric| metric["name"].as_str().unwrap())
        .collect();
    assert!(metrics.len() >= 14, "{metrics:?}");
    for metric in metrics {
        succeeds(place.run(metric, &["--metric", metric]));
        assert_eq!(place.summary(metric)["metric"]["name"], metric);
    }
}
