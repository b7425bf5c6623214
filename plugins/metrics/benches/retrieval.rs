//! How long exact retrieval takes: `cargo bench -p metricopt-metrics --bench retrieval`.
//!
//! The size of Stanford Online Products is `tests/memory.rs`.

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use metricopt_metrics::{Distance, MapAtR, RecallAtK};
use metricopt_sdk::{Call, Metric, Retrieval};
use std::hint::black_box;

/// Five items a class around a centre of their own, so far apart that the nearest item is mostly of the class; always the
/// same.
fn predictions(items: usize, dimensions: usize) -> (Vec<f32>, Vec<i64>) {
    let mut state = 1_u64;
    let mut uniform = || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 40) as f32 / (1 << 23) as f32 - 1.0
    };
    let classes = items.div_ceil(5);
    let centres: Vec<f32> = (0..classes * dimensions).map(|_| uniform()).collect();
    let labels: Vec<usize> = (0..items).map(|item| item % classes).collect();
    let embeddings = labels
        .iter()
        .flat_map(|&class| &centres[class * dimensions..][..dimensions]);
    let embeddings = embeddings.map(|x| x + 1.5 * uniform()).collect();
    (
        embeddings,
        labels.iter().map(|&class| class as i64).collect(),
    )
}

fn measure<M>(criterion: &mut Criterion, metric: &M, label: &str, items: usize, dimensions: usize)
where
    M: for<'a> Metric<Input<'a> = Retrieval<'a>>,
{
    let (embeddings, labels) = predictions(items, dimensions);
    let input = Retrieval::new(&embeddings, dimensions, &labels).expect("embeddings and labels");
    let mut group = criterion.benchmark_group(format!("{label} of {items} x {dimensions}"));
    group.sample_size(10);
    for threads in [1, 2] {
        let call = Call {
            threads,
            cancelled: &|| false,
        };
        group.bench_function(BenchmarkId::new("threads", threads), |bencher| {
            bencher.iter(|| metric.evaluate_many(black_box(&[input]), &call));
        });
    }
}

fn metrics(criterion: &mut Criterion) {
    let l2 = RecallAtK {
        distance: Distance::L2,
        ..RecallAtK::default()
    };
    measure(criterion, &RecallAtK::default(), "recall-at-k", 10_000, 128);
    measure(criterion, &l2, "recall-at-k by l2", 10_000, 128);
    measure(criterion, &MapAtR::default(), "map-at-r", 10_000, 128);
}

criterion_group!(benches, metrics);
criterion_main!(benches);
