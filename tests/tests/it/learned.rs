//! The learned optimizer: trained by a run, kept, and used again.

use crate::support::{Place, fails, set, succeeds};
use std::fs;

const LEARNED: &str = "finetune.optimizer=learned";

#[test]
fn a_learned_optimizer_is_kept_and_used_again_to_the_same_bytes() {
    let place = Place::new();
    succeeds(place.run("first", &set(&[LEARNED])));
    // 13 rows of 3 times 8 columns, and a head of 9 rows and 2 columns.
    let weights = 13 * 24 + 9 * 2;
    assert_eq!(
        place.tensors("first", "optimizer.safetensors").shapes(),
        [
            "shape I64 [4]".to_owned(),
            format!("weights F32 [{weights}]")
        ]
    );
    let learnt = |run: &str| {
        let mut events = place.events(run).into_iter();
        events.find(|event| event["event"] == "optimizer-learned")
    };
    let changes = &learnt("first").unwrap()["objective_changes"];
    assert_eq!(changes.as_array().unwrap().len(), 5);
    let table = fs::read_to_string(place.path("first/metrics.csv")).unwrap();
    assert_eq!(table.matches("objective_change").count(), 5);

    let from = "finetune.learned.from=first/optimizer.safetensors";
    succeeds(place.run("second", &set(&[LEARNED, from])));
    assert!(learnt("second").is_none(), "it was trained again");
    for file in ["optimizer", "adapter", "report", "value_function"] {
        let read = |run: &str| fs::read(place.path(&format!("{run}/{file}.safetensors"))).unwrap();
        assert!(read("first") == read("second"), "{file}");
    }

    // Training it took no query, and it steps otherwise than the optimizer that it corrects.
    succeeds(place.run("adam", &[]));
    let queries = |run: &str| place.summary(run)["methods"][5]["queries"].clone();
    assert_eq!(queries("first"), queries("adam"));
    let last = |run: &str| place.summary(run)["acceptance"].clone();
    let path = |run: &str| place.tensors(run, "report.safetensors");
    assert_ne!(
        (last("first"), path("first").f64("path.metricopt")),
        (last("adam"), path("adam").f64("path.metricopt"))
    );
}

#[test]
fn the_same_bytes_on_any_number_of_threads() {
    let place = Place::new();
    for threads in ["1", "3"] {
        let run = [&set(&[LEARNED])[..], &["--threads", threads]].concat();
        succeeds(place.run(threads, &run));
    }
    for file in [
        "optimizer.safetensors",
        "adapter.safetensors",
        "events.jsonl",
    ] {
        let read = |run: &str| fs::read(place.path(run).join(file)).unwrap();
        assert!(read("1") == read("3"), "{file}");
    }
}

#[test]
fn without_a_value_function_there_is_nothing_to_learn() {
    let place = Place::new();
    // The metric is the same wherever the adapter is.
    let constant = ["--metric", "misbehaving:how=constant"];
    let run = [&constant[..], &set(&[LEARNED])].concat();
    succeeds(place.test_run("run", &run));
    assert!(
        !place
            .files("run")
            .contains(&"optimizer.safetensors".to_owned())
    );
    assert!(
        !place
            .files("run")
            .contains(&"value_function.safetensors".to_owned())
    );
}

#[test]
fn a_file_that_is_no_such_optimizer_is_refused_before_any_work() {
    let place = Place::new();
    succeeds(place.run("run", &set(&[LEARNED])));
    let good = fs::read(place.path("run/optimizer.safetensors")).unwrap();
    let with = |from: &str, to: &str| {
        assert_eq!(from.len(), to.len());
        let at = good.windows(from.len()).position(|w| w == from.as_bytes());
        let at = at.unwrap();
        let mut changed = good.clone();
        changed[at..at + to.len()].copy_from_slice(to.as_bytes());
        changed
    };
    place.write("newer", with("optimizer.1", "optimizer.2"));
    place.write("renamed", with("\"weights\"", "\"weighty\""));
    place.write("half", &good[..good.len() / 2]);
    // The head has its length, then the tensors follow in some order: the list of sizes begins with the number of weights.
    let sizes: Vec<u8> = [330_i64, 4, 8, 2]
        .iter()
        .flat_map(|n| n.to_le_bytes())
        .collect();
    let at = good.windows(sizes.len()).position(|w| w == sizes).unwrap();
    let mut wider = good.clone();
    wider[at + 16] = 9;
    place.write("wider", wider);
    let mut endless = good.clone();
    // Any weight becomes NaN.
    let at = if at + sizes.len() < good.len() {
        at + sizes.len()
    } else {
        at - 4
    };
    endless[at..at + 4].copy_from_slice(&f32::NAN.to_le_bytes());
    place.write("endless", endless);
    for (file, code, expected) in [
        ("nowhere", 2, "cannot read `nowhere`: "),
        (
            "table.csv",
            1,
            "cannot use `table.csv`: it is no safetensors file: ",
        ),
        ("half", 1, "cannot use `half`: it is no safetensors file: "),
        (
            "run/value_function.safetensors",
            1,
            "it has format `metricopt.value-function.1`, expected `metricopt.optimizer.1`",
        ),
        (
            "newer",
            1,
            "it has format `metricopt.optimizer.2`, expected `metricopt.optimizer.1`",
        ),
        ("renamed", 1, "it has no list `weights` of F32"),
        (
            "wider",
            1,
            "hidden units and outputs are [330, 4, 9, 2], expected [330, 4, 8, 2]",
        ),
        ("endless", 1, "of its 330 weights, some are not finite"),
    ] {
        let from = format!("finetune.learned.from={file}");
        for error in [
            fails(place.run("other", &set(&[&from])), code),
            fails(place.compare("other", &set(&[&from])), code),
        ] {
            assert!(error.contains(expected), "no `{expected}` in {error}");
            assert!(
                error.contains("finetune.learned.from"),
                "no hint in {error}"
            );
        }
        assert!(!place.path("other").exists());
    }
}

#[test]
fn another_optimizer_under_the_same_name_is_another_run() {
    let place = Place::new();
    for (run, seed) in [("one", "1"), ("two", "2")] {
        succeeds(place.run(run, &[&set(&[LEARNED])[..], &["--seed", seed]].concat()));
    }
    let copy = |run: &str| {
        let file = place.path(&format!("{run}/optimizer.safetensors"));
        fs::copy(file, place.path("mine")).unwrap();
    };
    copy("one");
    let from = set(&[LEARNED, "finetune.learned.from=mine"]);
    let compare = [&from[..], &["--seeds", "2"]].concat();
    succeeds(place.compare("out", &compare));
    copy("two");
    let error = fails(place.compare("out", &compare), 2);
    assert!(
        error.contains("`out` holds seeds of another comparison: `learned optimizer` is "),
        "{error}"
    );
}
