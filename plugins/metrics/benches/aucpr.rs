//! How long the hot metrics take on one thread: `cargo bench -p metricopt-metrics`.

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use metricopt_metrics::{Aucpr, F1};
use metricopt_sdk::{Classification, Metric};
use std::hint::black_box;

/// From a validation fold that is evaluated thousands of times to a large test set; 16281 is that of A9A.
const SIZES: [usize; 4] = [2048, 10_000, 16_281, 1_000_000];

/// Uniform scores in no order, of which the higher are the likelier positive; always the same.
fn predictions(samples: usize) -> (Vec<f32>, Vec<i64>) {
    let mut state = 1_u64;
    let mut uniform = || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 40) as f32 / (1 << 24) as f32
    };
    (0..samples)
        .map(|_| {
            let score = uniform();
            (score, i64::from(uniform() < score))
        })
        .unzip()
}

fn measure<M>(criterion: &mut Criterion, metric: &M)
where
    M: for<'a> Metric<Input<'a> = Classification<'a>>,
{
    let mut group = criterion.benchmark_group(M::NAME);
    for size in SIZES {
        let (scores, labels) = predictions(size);
        let input = Classification::binary(&scores, &labels).expect("probabilities and labels");
        group.bench_function(BenchmarkId::from_parameter(size), |bencher| {
            bencher.iter(|| metric.evaluate(black_box(input)));
        });
    }
}

fn metrics(criterion: &mut Criterion) {
    measure(criterion, &Aucpr {});
    measure(criterion, &F1 {});
}

criterion_group!(benches, metrics);
criterion_main!(benches);
