//! What the C boundary costs: one metric compiled in, and the same metric from its library.

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use metricopt_host::loader::Loader;
use metricopt_host::loader::search::SearchPath;
use metricopt_host::metric_spec::MetricSpec;
use metricopt_host::registry::Registry;
use metricopt_sdk::abi::Level;
use metricopt_sdk::{Call, Classification, Result};
use std::hint::black_box;
use std::sync::Arc;

/// The built-in plugins, and the same with the metrics from their library, which Cargo builds beside this benchmark.
fn registries() -> Result<[(&'static str, Registry); 2]> {
    let program =
        std::env::current_exe().map_err(|error| metricopt_sdk::Error::failed(error.to_string()))?;
    let library = program.with_file_name(format!(
        "{}metricopt_metrics{}",
        std::env::consts::DLL_PREFIX,
        std::env::consts::DLL_SUFFIX
    ));
    let loader = Loader {
        search: SearchPath::default(),
        allow_writable: true,
        lock: None,
        max_level: Level::Error,
        logger: Arc::new(|_, _, _| {}),
    };
    let mut loaded = Registry::built_in()?;
    for plugin in loader.load(&library)? {
        loaded.add(plugin)?;
    }
    Ok([("compiled in", Registry::built_in()?), ("loaded", loaded)])
}

fn boundary(criterion: &mut Criterion) -> Result<()> {
    let call = Call {
        threads: 1,
        cancelled: &|| false,
    };
    let registries = registries()?;
    for (name, rows) in [("mcr", 1), ("mcr", 512), ("aucpr", 512), ("mcr", 100_000)] {
        let scores: Vec<f32> = (0..rows)
            .map(|row| (row * 7919 % 1000) as f32 / 1000.0)
            .collect();
        let labels: Vec<i64> = (0..rows).map(|row| i64::from(row % 3 == 0)).collect();
        let input = Classification::binary(&scores, &labels)?.to_owned();
        let mut group = criterion.benchmark_group(format!("{name} of {rows} rows"));
        for (way, registry) in &registries {
            let (_, metric) = MetricSpec::parse(name)?.create(registry)?;
            group.bench_function(BenchmarkId::from_parameter(way), |bencher| {
                bencher
                    .iter(|| black_box(&input).with_views(|views| metric.evaluate(views, &call)));
            });
        }
        group.finish();
    }
    Ok(())
}

fn benches(criterion: &mut Criterion) {
    if let Err(error) = boundary(criterion) {
        panic!("{error}");
    }
}

criterion_group!(all, benches);
criterion_main!(all);
