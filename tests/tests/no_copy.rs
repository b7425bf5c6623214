//! No copy of the inputs is made on the way to a loaded metric: 100 MB of them in constant extra memory.
//!
//! A test program of its own: the peak of a process is one for all its threads.

#![cfg(target_os = "linux")]
#![expect(
    clippy::unwrap_used,
    reason = "what a test cannot go on without fails it"
)]

use metricopt_host::loader::Loader;
use metricopt_host::loader::search::SearchPath;
use metricopt_host::metric_spec::MetricSpec;
use metricopt_host::registry::Registry;
use metricopt_sdk::abi::Level;
use metricopt_sdk::{Call, Data, View, Views};
use std::fs;
use std::sync::Arc;

/// A line of `/proc/self/status`, in kilobytes.
fn memory(name: &str) -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with(name)).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

/// By how many kilobytes the peak rises above what is in use now.
fn rise(call: impl FnOnce()) -> u64 {
    // Sets the peak back to what is in use (proc(5)).
    fs::write("/proc/self/clear_refs", "5").unwrap();
    let before = memory("VmRSS:");
    call();
    memory("VmHWM:").saturating_sub(before)
}

#[test]
fn a_hundred_megabytes_cross_without_a_copy() {
    let tests = std::env::current_exe().unwrap();
    let loader = Loader {
        search: SearchPath::default(),
        allow_writable: true,
        lock: None,
        max_level: Level::Error,
        logger: Arc::new(|_, _, _| {}),
    };
    let mut loaded = Registry::built_in().unwrap();
    let library = tests.with_file_name("libmetricopt_metrics.so");
    for plugin in loader.load(&library).unwrap() {
        loaded.add(plugin).unwrap();
    }
    let rows = 100_000_000 / 12;
    let scores: Vec<f32> = (0..rows).map(|row| (row % 1000) as f32 / 1000.0).collect();
    let labels: Vec<i64> = (0..rows).map(|row| i64::from(row % 3 == 0)).collect();
    let shape = [rows];
    let tensors = [
        View::new("scores", &shape, Data::F32(&scores)).unwrap(),
        View::new("labels", &shape, Data::I64(&labels)).unwrap(),
    ];
    let views = Views::new(&tensors);
    let call = Call {
        threads: 1,
        cancelled: &|| false,
    };
    let create = |registry: &Registry, name: &str| {
        MetricSpec::parse(name).unwrap().create(registry).unwrap().1
    };
    let metric = create(&loaded, "mcr");
    let mut value = f64::NAN;
    let kilobytes = rise(|| value = metric.evaluate(&views, &call).unwrap());
    assert!(kilobytes < 1024, "the peak rose by {kilobytes} kB");
    let compiled_in = create(&Registry::built_in().unwrap(), "mcr");
    assert_eq!(value, compiled_in.evaluate(&views, &call).unwrap());

    // A metric that sorts needs memory of its own: the measure sees it.
    let metric = create(&loaded, "auroc");
    let kilobytes = rise(|| drop(metric.evaluate(&views, &call)));
    assert!(
        kilobytes > 10 * 1024,
        "the peak rose by {kilobytes} kB only"
    );
}
