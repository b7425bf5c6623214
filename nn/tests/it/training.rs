//! Training from scratch: it learns, and its bits do not depend on the number of threads.

use crate::support::{distance, normal};
use metricopt_nn::{
    Film, Minibatch, NetworkName, Precision, SHARDS, Start, Training, Weights, build, initialise,
    train,
};
use metricopt_sdk::tch::{Device, Kind, Tensor, no_grad};
use metricopt_sdk::{Call, Result};
use rayon::ThreadPoolBuilder;

type Batches<'a> = dyn FnMut(u64) -> Result<Minibatch> + 'a;

const NAME: NetworkName = NetworkName::Resnet8;

/// Images of one of three patterns under noise, 32 a minibatch.
fn batch(step: u64) -> Result<Minibatch> {
    let labels: Vec<i64> = (0..32).map(|index| (index * 7 + step as i64) % 3).collect();
    let labels = Tensor::from_slice(&labels);
    let patterns = normal(&[3, 1, 8, 8], 1);
    let noise = normal(&[32, 1, 8, 8], 100 + step);
    Ok((patterns.index_select(0, &labels) + noise, labels))
}

fn trained(threads: usize, steps: u64, start: &Weights) -> (Weights, Vec<f64>) {
    trained_on(threads, steps, start, &mut batch)
}

fn trained_on(
    threads: usize,
    steps: u64,
    start: &Weights,
    batch: &mut Batches<'_>,
) -> (Weights, Vec<f64>) {
    let mut losses = Vec::new();
    let weights = attempt(threads, steps, start, batch, &mut losses).unwrap();
    (weights, losses)
}

fn attempt(
    threads: usize,
    steps: u64,
    start: &Weights,
    batch: &mut Batches<'_>,
    losses: &mut Vec<f64>,
) -> Result<Weights> {
    metricopt_sdk::tch::set_num_threads(1);
    let start = Start {
        name: NAME,
        classes: 3,
        weights: start,
        device: Device::Cpu,
        objective: None,
    };
    let call = Call {
        threads,
        cancelled: &|| false,
    };
    let pool = ThreadPoolBuilder::new().num_threads(threads);
    let pool = pool.build().unwrap();
    let training = Training::default();
    let mut heard = |_: u64, loss: f64| losses.push(loss);
    train(&start, &training, steps, batch, &mut heard, &pool, &call)
}

#[test]
fn a_trained_network_tells_patterns_apart() {
    let (weights, losses) = trained(2, 60, &initialise(NAME, 3, 5).unwrap());
    assert_eq!(losses.len(), 60);
    assert!(losses[59] < 0.3 * losses[0], "{losses:?}");
    let network = build(NAME, 3, &weights, Device::Cpu, Precision::F32).unwrap();
    let (images, labels) = batch(1000).unwrap();
    let phi = Tensor::zeros([network.dimensions() as i64], (Kind::Float, Device::Cpu));
    let film = Film::of(&phi, network.sites()).unwrap();
    let logits = no_grad(|| network.logits(&film, &network.stem(&images).unwrap())).unwrap();
    let right = logits.argmax(1, false).eq_tensor(&labels);
    let right = i64::try_from(right.sum(Kind::Int64)).unwrap();
    assert!(
        right >= 29,
        "{right} of 32, so the running statistics do not fit"
    );
}

#[test]
fn threads_change_no_bit() {
    let start = initialise(NAME, 3, 5).unwrap();
    let (one, losses) = trained(1, 5, &start);
    let (four, same) = trained(4, 5, &start);
    assert_eq!(losses, same);
    for (name, tensor) in one.into_tensors() {
        assert_eq!(Some(&tensor), four.get(&name), "{name}");
    }
}

/// What one step of rate 0.1 subtracted from a tensor, over the rate: gradient and weight decay.
fn direction(before: &Weights, after: &Weights, name: &str) -> Tensor {
    (before.get(name).unwrap() - after.get(name).unwrap()) / 0.1
}

#[test]
fn a_step_follows_the_slope_of_the_loss_and_the_weight_decay() {
    let start = initialise(NAME, 3, 5).unwrap();
    let (after, _) = trained(2, 1, &start);
    for name in [
        "conv1.weight",
        "bn1.bias",
        "layer3.0.bn2.weight",
        "linear.weight",
    ] {
        let gradient = direction(&start, &after, name) - start.get(name).unwrap() * 1e-4;
        let gradient = Vec::<f32>::try_from(gradient.reshape([-1])).unwrap();
        let steepest = (0..gradient.len()).max_by(|&a, &b| {
            let [a, b] = [a, b].map(|index: usize| gradient[index].abs());
            a.total_cmp(&b)
        });
        let steepest = steepest.unwrap();
        let loss = |moved: f64| {
            let tensors = initialise(NAME, 3, 5).unwrap().into_tensors();
            let tensors = tensors.map(|(key, tensor)| {
                if key == name {
                    let mut value = tensor.view([-1]).get(steepest as i64);
                    let _ = value.f_add_scalar_(moved).unwrap();
                }
                (key, tensor)
            });
            trained(1, 1, &Weights::from_tensors(tensors).unwrap()).1[0]
        };
        let slope = (loss(2e-3) - loss(-2e-3)) / 4e-3;
        let followed = f64::from(gradient[steepest]);
        assert!(
            (slope - followed).abs() <= 0.03 * slope.abs(),
            "{name}: {slope} by differences, {followed} by training"
        );
    }
}

#[test]
fn the_second_step_keeps_momentum_and_lowers_the_rate() {
    let start = initialise(NAME, 3, 5).unwrap();
    let (once, _) = trained(2, 1, &start);
    let (twice, _) = trained(2, 2, &start);
    // Of two steps the second has half the rate: the cosine at the middle of its way.
    let second = |name: &str| (once.get(name).unwrap() - twice.get(name).unwrap()) / 0.05;
    // Its own direction is what a run from there does first, but on the minibatch of the second step.
    let (other, _) = trained_on(2, 1, &once, &mut |step| batch(step + 1));
    for name in ["conv1.weight", "layer2.0.bn1.weight", "linear.bias"] {
        let expected = direction(&start, &once, name) * 0.9 + direction(&once, &other, name);
        let distance = distance(&second(name), &expected);
        assert!(distance < 1e-4, "{name}: {distance}");
    }
}

#[test]
fn running_statistics_take_in_a_tenth_of_those_of_the_parts() {
    let start = initialise(NAME, 3, 5).unwrap();
    let (after, _) = trained(2, 1, &start);
    let none: Option<Tensor> = None;
    let kernel = start.get("conv1.weight").unwrap();
    let activations = batch(0)
        .unwrap()
        .0
        .conv2d(kernel, none, [1, 1], [1, 1], [1, 1], 1);
    let mut mean = Tensor::zeros([8], (Kind::Float, Device::Cpu));
    let mut variance = mean.zeros_like();
    for part in activations.chunk(SHARDS as i64, 0) {
        let channels = part.transpose(0, 1).flatten(1, -1);
        mean += channels.mean_dim(1, false, Kind::Float) / SHARDS as f64;
        variance += channels.var_dim(1, true, false) / SHARDS as f64;
    }
    let found = after.get("bn1.running_mean").unwrap();
    assert!(distance(found, &(mean * 0.1)) < 1e-6);
    let found = after.get("bn1.running_var").unwrap();
    assert!(distance(found, &(variance * 0.1 + 0.9)) < 1e-5);
}

#[test]
fn training_that_diverges_or_has_nothing_to_learn_from_is_an_error() {
    let start = initialise(NAME, 3, 5).unwrap();
    let nan = &mut |step: u64| Ok((batch(step)?.0 * f64::NAN, batch(step)?.1));
    let none = &mut |_: u64| Ok((normal(&[0, 1, 8, 8], 1), Tensor::from_slice::<i64>(&[])));
    let strange = &mut |step: u64| Ok((batch(step)?.0, batch(step)?.1 + 3));
    let refused = |batch: &mut Batches<'_>, expected: &str| {
        let error = attempt(1, 1, &start, batch, &mut Vec::new()).unwrap_err();
        assert!(error.to_string().starts_with(expected), "{error}");
    };
    refused(nan, "training diverged: the loss of step 0 is NaN");
    refused(none, "a minibatch of images [0, 1, 8, 8] and labels [0]");
    refused(strange, "libtorch: Internal torch error: Target 3");
}
