//! What FiLM costs: images a second through ResNet-32 with and without it, and candidates of a population.
//!
//! `cargo bench -p metricopt-nn`. Everything runs on one thread.

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use metricopt_nn::{Film, NetworkName, Precision, build, initialise, population};
use metricopt_sdk::Call;
use metricopt_sdk::tch::{self, Device, Kind, Tensor, no_grad};

/// Images in a block: as many as population evaluation takes.
const IMAGES: i64 = 64;
const CANDIDATES: i64 = 8;

fn forward(criterion: &mut Criterion) {
    tch::set_num_threads(1);
    let weights = initialise(NetworkName::Resnet32, 10, 1).expect("weights of its own");
    let network = build(
        NetworkName::Resnet32,
        10,
        &weights,
        Device::Cpu,
        Precision::F32,
    )
    .expect("they fit the network");
    let float = (Kind::Float, Device::Cpu);
    let images = Tensor::randn([IMAGES, 3, 32, 32], float);
    let phis = Tensor::randn([CANDIDATES, network.dimensions() as i64], float) * 0.01;
    let phi = phis.get(0);
    let film = Film::of(&phi, network.sites()).expect("an adapter of this network");
    let stem = no_grad(|| network.stem(&images)).expect("images of the right shape");

    let mut group = criterion.benchmark_group("resnet32");
    group
        .sample_size(20)
        .throughput(Throughput::Elements(IMAGES as u64));
    group.bench_function("stem", |bencher| {
        bencher.iter(|| no_grad(|| network.stem(&images)));
    });
    group.bench_function("plain batch norm", |bencher| {
        bencher.iter(|| no_grad(|| network.plain_logits(&stem)));
    });
    group.bench_function("film", |bencher| {
        bencher.iter(|| no_grad(|| network.logits(&film, &stem)));
    });
    // A candidate a second is an image a second times the images.
    group.throughput(Throughput::Elements((IMAGES * CANDIDATES) as u64));
    let one = rayon::ThreadPoolBuilder::new().num_threads(1).build();
    let call = Call {
        threads: 1,
        cancelled: &|| false,
    };
    let blocks = population::Blocks {
        images: IMAGES as usize,
        size: IMAGES as usize,
    };
    let one = one.expect("one thread");
    let shared = std::sync::Mutex::new(images.shallow_clone());
    let stem_of = |_| network.stem(&shared.lock().expect("one thread"));
    group.bench_function("population of 8, stem shared", |bencher| {
        bencher.iter(|| population::logits(&*network, &phis, blocks, &stem_of, &one, &call));
    });
    let film = Film::of(&phis, network.sites()).expect("adapters of this network");
    group.bench_function("population of 8, one batch", |bencher| {
        bencher.iter(|| no_grad(|| network.population_logits(&film, &stem)));
    });
    group.finish();
}

criterion_group!(benches, forward);
criterion_main!(benches);
