//! Same seed, same bytes: whatever the threads, whatever the cache.

use crate::support::{Place, succeeds};
use serde_json::Value;
use std::fs;
use std::path::Path;

/// The bytes that must not change: the summary without its times, and everything else.
fn bytes(place: &Place, run: &str) -> Vec<Vec<u8>> {
    let mut summary = place.summary(run);
    for method in summary["methods"].as_array_mut().unwrap() {
        assert!(
            method
                .as_object_mut()
                .unwrap()
                .shift_remove("seconds")
                .is_some_and(|seconds| seconds.is_f64())
        );
    }
    let mut all = vec![serde_json::to_vec(&summary).unwrap()];
    for file in ["adapter", "trajectories", "value_function", "report"] {
        all.push(fs::read(place.path(run).join(format!("{file}.safetensors"))).unwrap());
    }
    for file in ["events.jsonl", "metrics.csv"] {
        all.push(fs::read(place.path(run).join(file)).unwrap());
    }
    for (name, contents) in place.event_files(run) {
        all.extend([name.into_bytes(), contents]);
    }
    all
}

#[test]
fn the_same_seed_gives_the_same_bytes_cold_warm_and_on_any_number_of_threads() {
    let place = Place::new();
    succeeds(place.run("cold", &["--threads", "1", "--seed", "7"]));
    succeeds(place.run("warm", &["--threads", "1", "--seed", "7"]));
    succeeds(place.run("threads", &["--threads", "2", "--seed", "7"]));
    let mut without = place.run("without", &["--threads", "3", "--seed", "7"]);
    without.env("METRICOPT_CACHE", "");
    succeeds(without);
    let cold = bytes(&place, "cold");
    for run in ["warm", "threads", "without"] {
        assert!(bytes(&place, run) == cold, "`{run}` differs");
    }
    succeeds(place.run("other", &["--threads", "1", "--seed", "8"]));
    assert!(bytes(&place, "other") != cold, "the seed has no effect");
}

#[test]
fn a_damaged_cache_is_made_anew() {
    let place = Place::new();
    succeeds(place.run("first", &[]));
    let damaged = damage(&place.path("cache"));
    assert!(damaged > 0, "nothing was cached");
    succeeds(place.run("second", &[]));
    assert!(bytes(&place, "first") == bytes(&place, "second"));
}

/// Cuts every file below a folder in half.
fn damage(folder: &Path) -> usize {
    let paths = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    paths
        .map(|path| {
            if path.is_dir() {
                return damage(&path);
            }
            let contents = fs::read(&path).unwrap();
            fs::write(&path, &contents[..contents.len() / 2]).unwrap();
            1
        })
        .sum()
}

#[test]
fn intervals_do_not_depend_on_threads_for_rank_metrics() {
    let place = Place::new();
    succeeds(place.run("one", &["--threads", "1", "--metric", "aucpr"]));
    succeeds(place.run("two", &["--threads", "2", "--metric", "aucpr"]));
    assert!(bytes(&place, "one") == bytes(&place, "two"));
    let interval: &Value = &place.summary("one")["methods"][5]["interval"];
    assert!(interval[0].is_f64());
}
