//! Random networks and images that are the same in every run.

use metricopt_nn::{Film, Network, NetworkName, Precision, Weights, build, initialise};
use metricopt_sdk::tch::{Device, Tensor};
use rand::SeedableRng;
use rand_distr::{Distribution, StandardNormal};
use rand_pcg::Pcg64Mcg;

/// Draws from `N(0, 1)`.
pub(crate) fn normal(shape: &[i64], seed: u64) -> Tensor {
    let mut rng = Pcg64Mcg::seed_from_u64(seed);
    let count = shape.iter().product::<i64>();
    let values: Vec<f32> = (0..count)
        .map(|_| StandardNormal.sample(&mut rng))
        .collect();
    Tensor::from_slice(&values).view(shape)
}

/// Weights whose normalisations do something: random scales, shifts and statistics.
pub(crate) fn lively(name: NetworkName) -> Weights {
    let tensors = initialise(name, 10, 1).unwrap().into_tensors().enumerate();
    let tensors = tensors.map(|(seed, (key, tensor))| {
        let random = || normal(&tensor.size(), seed as u64);
        let tensor = if key.ends_with("running_var") {
            random().square() * 0.5 + 0.5
        } else if key.ends_with("running_mean") || key.ends_with(".bias") {
            random() * 0.3
        } else if tensor.dim() == 1 {
            random() * 0.2 + 0.7
        } else {
            tensor
        };
        (key, tensor)
    });
    Weights::from_tensors(tensors).unwrap()
}

pub(crate) fn network(name: NetworkName, weights: &Weights) -> Box<dyn Network> {
    metricopt_sdk::tch::set_num_threads(1);
    build(name, 10, weights, Device::Cpu, Precision::F32).unwrap()
}

/// Images of the size that the network expects, at most 64 x 64.
pub(crate) fn images(network: &dyn Network, count: i64) -> Tensor {
    let input = network.input();
    let [channels, height, width] = [input.channels, input.height, input.width].map(|x| x as i64);
    normal(&[count, channels, height.min(64), width.min(64)], 7)
}

pub(crate) fn logits(network: &dyn Network, phi: &Tensor, images: &Tensor) -> Tensor {
    let film = Film::of(phi, network.sites()).unwrap();
    network
        .logits(&film, &network.stem(images).unwrap())
        .unwrap()
}

/// The largest difference, relative to the largest number if that is above 1.
pub(crate) fn distance(a: &Tensor, b: &Tensor) -> f64 {
    let largest = |x: &Tensor| f64::try_from(x.abs().max()).unwrap();
    largest(&(a - b)) / largest(b).max(1.0)
}
