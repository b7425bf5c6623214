//! What a step of meta-testing costs on the embedded a9a, one thread.
//!
//! `cargo bench -p metricopt-host`. The times are of one step: a run of twenty steps, its four observations of the whole
//! validation split included, divided by twenty.

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use metricopt_host::engine::collect::collect;
use metricopt_host::engine::config::{EngineConfig, FinetuneConfig};
use metricopt_host::engine::finetune::{Candidate, Method, Setting, finetune};
use metricopt_host::engine::interpolation::interpolate_observations;
use metricopt_host::engine::observe::Observer;
use metricopt_host::engine::past::Past;
use metricopt_host::engine::random::{normals, stream};
use metricopt_host::engine::trajectory::diversify;
use metricopt_host::engine::value_function::train;
use metricopt_host::metric_spec::MetricSpec;
use metricopt_host::registry::Registry;
use metricopt_sdk::tch::Device;
use metricopt_sdk::{Call, Context, DynTask, Part, Result};
use std::cell::{Cell, RefCell};
use std::hint::black_box;
use std::time::{Duration, Instant};

const STEPS: usize = 20;

const CALL: Call<'static> = Call {
    threads: 1,
    cancelled: &|| false,
};

fn open(registry: &Registry) -> Result<Box<dyn DynTask>> {
    metricopt_sdk::tch::set_num_threads(1);
    let (_, task) = registry.choose_task(&["tabular".to_owned()], None)?;
    let context = Context {
        device: Device::Cpu,
        seed: 0,
        cache: None,
        progress: &|_, _, _| (),
        call: CALL,
    };
    task.open(&task.defaults.clone(), &context)
}

fn steps(criterion: &mut Criterion) -> Result<()> {
    let registry = Registry::built_in()?;
    let task = open(&registry)?;
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(1)
        .build()
        .expect("one thread can be started");
    let mut group = criterion.benchmark_group("step");
    for metric_name in ["f1", "aucpr"] {
        let (entry, metric) = MetricSpec::parse(metric_name)?.create(&registry)?;
        let observer = Observer {
            task: task.as_ref(),
            metric: metric.as_ref(),
            metric_label: metric_name.into(),
            direction: entry.direction,
            device: Device::Cpu,
            call: CALL,
            pool: &pool,
            queries: Cell::new(0),
            most_queries: None,
            evaluations: Cell::new(0),
            loss_gradients: Cell::new(0),
            keeper: RefCell::default(),
            past: Past::Nothing,
            memory: &(),
        };
        let config = EngineConfig::default();
        let settings = diversify(&config.trajectories, 1.0, Some(2), 0);
        let trajectories = collect(
            &observer,
            &config.trajectories,
            settings,
            5,
            0,
            &|_, _, _| (),
            &mut (),
        )?;
        let interpolation = interpolate_observations(&trajectories, entry.direction.sign());
        let everything: Vec<usize> = (0..trajectories.count()).collect();
        let (value, meta) = (&config.value_function, &config.meta_training);
        let trained = train(
            value,
            meta,
            &trajectories,
            &interpolation,
            &everything,
            0,
            |_| Ok(()),
        )?;
        let (function, set) = trained.expect("the metric varies along these trajectories");
        let phi = vec![0.0; trajectories.dimensions];
        let start = Candidate {
            validation: observer.validation(&phi)?,
            phi,
        };
        let finetune_config = FinetuneConfig {
            steps: STEPS,
            ..FinetuneConfig::default()
        };
        for (name, search) in [
            ("without search", None),
            ("with search", Some(&finetune_config.es)),
        ] {
            let run = || {
                let mut method = Method {
                    value: Some((function.clone(), &set, 1.0)),
                    search,
                    ..Method::loss_only("bench")
                };
                let setting = Setting {
                    start: &start,
                    candidates: std::slice::from_ref(&start),
                    width: 1.0,
                    radius: f64::INFINITY,
                    seed: 0,
                    acceptance: None,
                };
                let outcome = finetune(
                    &observer,
                    &finetune_config,
                    &mut method,
                    &setting,
                    &|_, _, _| (),
                    &mut (),
                );
                black_box(outcome.expect("the run is sound"));
            };
            group.bench_function(BenchmarkId::new(name, metric_name), |bencher| {
                bencher.iter_custom(|iterations| {
                    let started = Instant::now();
                    (0..iterations).for_each(|_| run());
                    started.elapsed() / STEPS as u32
                });
            });
        }
    }
    group.finish();
    Ok(())
}

fn candidates(criterion: &mut Criterion) -> Result<()> {
    let registry = Registry::built_in()?;
    let task = open(&registry)?;
    let dimensions = task.describe().dimensions();
    let mut group = criterion.benchmark_group("candidates");
    for (rows, count) in [(512, 8), (2048, 8), (6512, 32)] {
        let phis = normals(&mut stream(0, "bench", 0), count * dimensions, 0.02);
        let phis =
            metricopt_sdk::tch::Tensor::from_slice(&phis).view([count as i64, dimensions as i64]);
        let rows_asked = metricopt_sdk::Rows {
            split: metricopt_sdk::Split::Validation,
            part: Part::Sample {
                seed: 0,
                size: rows,
            },
        };
        let predict = |phis: &metricopt_sdk::tch::Tensor| {
            task.predict(phis, &rows_asked, &CALL, &mut |_, views| {
                black_box(views);
                Ok(())
            })
            .expect("the task predicts");
        };
        let shape = format!("{rows} rows x {count}");
        group.throughput(Throughput::Elements((rows * count) as u64));
        group.bench_function(BenchmarkId::new("population", &shape), |bencher| {
            bencher.iter(|| predict(&phis))
        });
        // One candidate at a time, the activations in front of the first FiLM site cached all the same.
        group.bench_function(BenchmarkId::new("cached loop", &shape), |bencher| {
            bencher.iter(|| (0..count as i64).for_each(|index| predict(&phis.narrow(0, index, 1))));
        });
    }
    group.finish();
    Ok(())
}

fn all(criterion: &mut Criterion) {
    steps(criterion).expect("the steps can be measured");
    candidates(criterion).expect("the candidates can be measured");
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(30).measurement_time(Duration::from_secs(4));
    targets = all
}
criterion_main!(benches);
