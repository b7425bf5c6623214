//! Exact search takes memory for a copy of the embeddings and a block of queries, never for queries by items.
//!
//! A test program of its own: the peak of a process is one for all its threads.

#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
#![expect(clippy::print_stdout, reason = "a figure of the README")]

use metricopt_metrics::{MapAtR, RecallAtK};
use metricopt_sdk::{Call, Metric, Retrieval};
use std::fs;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

const CALL: Call<'_> = Call {
    threads: 2,
    cancelled: &|| false,
};

/// One test at a time, for they share the peak.
static ALONE: Mutex<()> = Mutex::new(());

/// A line of `/proc/self/status`, in kilobytes.
fn memory(name: &str) -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with(name)).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

/// By how many megabytes the peak rises above what is in use now.
fn rise(call: impl FnOnce()) -> u64 {
    // Sets the peak back to what is in use (proc(5)).
    fs::write("/proc/self/clear_refs", "5").unwrap();
    let before = memory("VmRSS:");
    call();
    memory("VmHWM:").saturating_sub(before) / 1024
}

/// Items around the centres of so many classes; always the same.
fn embeddings(items: usize, classes: usize, dimensions: usize) -> (Vec<f32>, Vec<i64>) {
    let mut state = 1_u64;
    let mut uniform = || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 40) as f32 / (1 << 23) as f32 - 1.0
    };
    let centres: Vec<f32> = (0..classes * dimensions).map(|_| uniform()).collect();
    let labels: Vec<usize> = (0..items).map(|item| item % classes).collect();
    let centre = |&class: &usize| &centres[class * dimensions..][..dimensions];
    let embeddings = labels.iter().flat_map(centre);
    let embeddings = embeddings.map(|x| x + 1.5 * uniform()).collect();
    let labels = labels.iter().map(|&class| class as i64).collect();
    (embeddings, labels)
}

/// All distances at once would take 576 MB.
#[test]
fn no_matrix_of_distances() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let (embeddings, labels) = embeddings(12_000, 40, 32);
    let input = Retrieval::new(&embeddings, 32, &labels).unwrap();
    let inputs = [input, input];
    let mut values = Vec::new();
    let megabytes = rise(|| values = MapAtR::default().evaluate_many(&inputs, &CALL).unwrap());
    assert!(megabytes < 24, "the peak rose by {megabytes} MB");
    assert!(values[0] > 0.1 && values[0] == values[1], "{values:?}");
}

/// The test split of Stanford Online Products: 60,502 items of 11,316 classes. All distances at once would take 14.6 GB.
#[test]
#[ignore = "slow: 3.7 trillion operations"]
fn the_size_of_stanford_online_products() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let (embeddings, labels) = embeddings(60_502, 11_316, 512);
    let input = Retrieval::new(&embeddings, 512, &labels).unwrap();
    let start = Instant::now();
    let mut values = Vec::new();
    let megabytes = rise(|| {
        values = RecallAtK::default().evaluate_many(&[input], &CALL).unwrap();
    });
    let seconds = start.elapsed().as_secs_f64();
    println!("recall@1 {values:?} in {seconds:.1} s on 2 threads; the peak rose by {megabytes} MB");
    assert!(megabytes < 256, "the peak rose by {megabytes} MB");
    assert!(values[0] > 0.5, "{values:?}");
}
