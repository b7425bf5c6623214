//! What the tests share.

use metricopt_sdk::{
    Call, Classification, Kind, Make, MetricEntry, OwnedClassification, Result, Views, abi,
    registrations,
};
use serde_json::Value;
use std::sync::LazyLock;

pub(crate) fn binary(scores: &[f32], labels: &[i64]) -> OwnedClassification {
    Classification::binary(scores, labels).unwrap().to_owned()
}

pub(crate) fn several(scores: &[f32], labels: &[i64], classes: usize) -> OwnedClassification {
    Classification::multiclass(scores, labels, classes)
        .unwrap()
        .to_owned()
}

/// The metrics of this crate, by name.
pub(crate) fn metrics() -> &'static [MetricEntry] {
    static METRICS: LazyLock<Vec<MetricEntry>> = LazyLock::new(|| {
        let makes = registrations().into_iter().map(|found| found.make);
        makes
            .filter_map(|make| match make {
                Make::Metric(make) => Some(make()),
                _ => None,
            })
            .collect()
    });
    &METRICS
}

/// Those that take predictions of that kind.
pub(crate) fn metrics_of(kind: Kind) -> impl Iterator<Item = &'static MetricEntry> {
    metrics().iter().filter(move |entry| entry.kind == kind)
}

/// The same metrics as a host sees them that loaded this crate from a library.
pub(crate) fn loaded() -> &'static [MetricEntry] {
    static LOADED: LazyLock<Vec<MetricEntry>> = LazyLock::new(|| {
        let offers = abi::in_process().unwrap();
        offers.into_iter().flat_map(|offer| offer.metrics).collect()
    });
    &LOADED
}

/// Predictions to evaluate a metric on.
pub(crate) trait Input {
    /// Calls `call` with the named tensors.
    fn with_views<T>(&self, call: impl FnOnce(&Views<'_>) -> Result<T>) -> Result<T>;
}

impl Input for OwnedClassification {
    fn with_views<T>(&self, call: impl FnOnce(&Views<'_>) -> Result<T>) -> Result<T> {
        OwnedClassification::with_views(self, call)
    }
}

impl Input for Views<'_> {
    fn with_views<T>(&self, call: impl FnOnce(&Views<'_>) -> Result<T>) -> Result<T> {
        call(self)
    }
}

/// The value of the metric of that name, through everything that stands between a host and it. It is computed both ways,
/// compiled in and through the tables of the ABI, which must agree to the last bit, or to the last word of the error.
#[track_caller]
pub(crate) fn evaluate(name: &str, config: &Value, input: &impl Input) -> Result<f64> {
    let [compiled_in, through_tables] = [metrics(), loaded()].map(|entries| {
        let entry = entries.iter().find(|entry| entry.name == name).unwrap();
        let metric = entry.create(config)?;
        let call = Call {
            threads: 1,
            cancelled: &|| false,
        };
        input.with_views(|views| metric.evaluate(views, &call))
    });
    let comparable = |outcome: &Result<f64>| {
        let parts = outcome.as_ref().map(|value| value.to_bits());
        parts.map_err(|error| {
            let text = (error.to_string(), error.hints().to_vec());
            (error.kind(), text, error.causes().to_vec())
        })
    };
    assert_eq!(
        comparable(&compiled_in),
        comparable(&through_tables),
        "{name} {config}"
    );
    compiled_in
}

#[track_caller]
pub(crate) fn assert_close(actual: f64, expected: f64, tolerance: f64, what: &str) {
    assert!(
        (actual - expected).abs() <= tolerance,
        "{what}: {actual} is not {expected}"
    );
}

/// Checks a table of values.
#[track_caller]
pub(crate) fn assert_values(input: &impl Input, tolerance: f64, expected: &[(&str, Value, f64)]) {
    for (name, config, expected) in expected {
        let actual = evaluate(name, config, input).unwrap();
        assert_close(actual, *expected, tolerance, &format!("{name} {config}"));
    }
}

/// Knuth's generator, the same in `golden.rs`'s Python.
pub(crate) struct Lcg(pub(crate) u64);

impl Lcg {
    /// 24 bits.
    pub(crate) fn bits(&mut self) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        self.0 >> 40
    }
}

/// About three in ten positive, at scores that are somewhat higher; ties wherever `levels` is small.
pub(crate) fn generate_binary(samples: usize, levels: u64, seed: u64) -> OwnedClassification {
    let mut random = Lcg(seed);
    let (scores, labels): (Vec<_>, Vec<_>) = (0..samples)
        .map(|_| {
            let label = u64::from(random.bits() < 5_000_000);
            let level = ((random.bits() * levels) >> 24) + label * (levels / 4);
            (level as f32 / (levels + levels / 4) as f32, label as i64)
        })
        .unzip();
    binary(&scores, &labels)
}

/// Probabilities of several classes, higher at the label.
pub(crate) fn generate_several(samples: usize, classes: u64, seed: u64) -> OwnedClassification {
    let mut random = Lcg(seed);
    let (mut scores, mut labels) = (Vec::new(), Vec::new());
    for _ in 0..samples {
        let label = (random.bits() * classes) >> 24;
        let weights: Vec<u64> = (0..classes)
            .map(|class| (1 + (random.bits() >> 19) + 8 * u64::from(class == label)).pow(2))
            .collect();
        let total: u64 = weights.iter().sum();
        scores.extend(weights.iter().map(|&weight| weight as f32 / total as f32));
        labels.push(label as i64);
    }
    several(&scores, &labels, classes as usize)
}
