//! Training from scratch: it learns, and its bits do not depend on the number of threads.

use crate::support::normal;
use metricopt_nn::{Film, NetworkName, Start, Training, Weights, build, initialise, train};
use metricopt_sdk::tch::{Device, Kind, Tensor, no_grad};
use metricopt_sdk::{Call, Result};
use rayon::ThreadPoolBuilder;

const NAME: NetworkName = NetworkName::Resnet8;

/// Images of one of three patterns under noise, 32 a minibatch.
fn batch(step: u64) -> Result<(Tensor, Tensor)> {
    let labels: Vec<i64> = (0..32).map(|index| (index * 7 + step as i64) % 3).collect();
    let labels = Tensor::from_slice(&labels);
    let patterns = normal(&[3, 1, 8, 8], 1);
    let noise = normal(&[32, 1, 8, 8], 100 + step);
    Ok((patterns.index_select(0, &labels) + noise, labels))
}

fn trained(threads: usize, steps: u64, start: &Weights) -> (Weights, Vec<f64>) {
    metricopt_sdk::tch::set_num_threads(1);
    let start = Start {
        name: NAME,
        classes: 3,
        weights: start,
        device: Device::Cpu,
    };
    let call = Call {
        threads,
        cancelled: &|| false,
    };
    let mut losses = Vec::new();
    let pool = ThreadPoolBuilder::new()
        .num_threads(threads)
        .build()
        .unwrap();
    let mut heard = |_: u64, loss: f64| losses.push(loss);
    let training = Training::default();
    let weights = train(
        &start, &training, steps, &mut batch, &mut heard, &pool, &call,
    );
    (weights.unwrap(), losses)
}

#[test]
fn a_trained_network_tells_patterns_apart() {
    let (weights, losses) = trained(2, 60, &initialise(NAME, 3, 5).unwrap());
    assert_eq!(losses.len(), 60);
    assert!(losses[59] < 0.3 * losses[0], "{losses:?}");
    let network = build(NAME, 3, &weights, Device::Cpu).unwrap();
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

/// One step by hand: the published rule with the gradient of finite differences.
#[test]
fn the_first_step_goes_down_the_slope_of_the_loss() {
    let start = initialise(NAME, 3, 5).unwrap();
    let (after, losses) = trained(1, 1, &start);
    // The same minibatch through the network with one bias moved: its logit moves alone.
    let bias =
        |weights: &Weights| Vec::<f32>::try_from(weights.get("linear.bias").unwrap()).unwrap();
    let moved: f32 = bias(&after).iter().sum();
    assert!(losses[0] > 0.5 && bias(&start) == [0.0; 3]);
    // Cross-entropy does not change if all logits move together, so the slopes of the biases add up to zero.
    assert!(moved.abs() < 1e-6, "{:?}", bias(&after));
    assert!(bias(&after).iter().any(|value| value.abs() > 1e-4));
}
