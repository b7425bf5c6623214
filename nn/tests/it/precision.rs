//! bfloat16 inside, f32 outside: close to what f32 says, and exports lose nothing.

use crate::support::{images, lively, normal};
use metricopt_nn::{Film, Network, NetworkName, Precision, Weights, build};
use metricopt_sdk::autograd;
use metricopt_sdk::tch::{Device, Kind, Tensor, no_grad};

fn both(name: NetworkName) -> (Weights, [Box<dyn Network>; 2]) {
    let weights = lively(name);
    let networks = [Precision::F32, Precision::Bf16]
        .map(|precision| build(name, 10, &weights, Device::Cpu, precision).unwrap());
    (weights, networks)
}

fn adapter(network: &dyn Network) -> Tensor {
    normal(&[network.dimensions() as i64], 5) * 0.1
}

/// Cosine of the angle between two tensors, in [-1, 1].
fn cosine(a: &Tensor, b: &Tensor) -> f64 {
    let [a, b] = [a, b].map(|tensor| tensor.to_kind(Kind::Double).reshape([-1]));
    let length = |tensor: &Tensor| tensor.dot(tensor).sqrt();
    (a.dot(&b) / (length(&a) * length(&b))).double_value(&[])
}

#[test]
fn logits_embeddings_and_gradients_are_f32_and_point_the_same_way() {
    for name in [
        NetworkName::Conv4,
        NetworkName::Resnet8,
        NetworkName::Resnet20,
        NetworkName::Resnet18,
        NetworkName::Nasnetamobile,
    ] {
        let (_, networks) = both(name);
        let images = images(&*networks[0], 4);
        let phi = adapter(&*networks[0]);
        let [exact, coarse] = networks.map(|network| {
            let stem = network.stem(&images).unwrap();
            let sites = network.sites();
            let film = Film::of(&phi, sites).unwrap();
            let features = no_grad(|| network.features(&film, &stem)).unwrap();
            let logits = no_grad(|| network.logits(&film, &stem)).unwrap();
            let (_, gradient) = autograd(&phi, |phi| {
                let logits = network.logits(&Film::of(phi, sites)?, &stem)?;
                Ok(logits.f_pow_tensor_scalar(2)?.f_sum(Kind::Float)?)
            })
            .unwrap();
            let found = [stem, features, logits, gradient];
            assert!(found.iter().all(|tensor| tensor.kind() == Kind::Float));
            found
        });
        for ((what, least), (exact, coarse)) in [
            ("stem", 0.9999),
            ("features", 0.999),
            ("logits", 0.999),
            ("gradient", 0.99),
        ]
        .iter()
        .zip(exact.iter().zip(&coarse))
        {
            let cosine = cosine(exact, coarse);
            assert!(cosine > *least, "{name}, {what}: {cosine}");
            assert_ne!(exact, coarse, "{name}, {what}: nothing was rounded");
        }
    }
}

#[test]
fn a_population_in_one_pass_says_what_single_passes_say() {
    let (_, [_, network]) = both(NetworkName::Resnet8);
    let phis = normal(&[3, network.dimensions() as i64], 7) * 0.1;
    let stem = network.stem(&images(&*network, 5)).unwrap();
    let film = Film::of(&phis, network.sites()).unwrap();
    let together = no_grad(|| network.population_logits(&film, &stem)).unwrap();
    assert_eq!(together.kind(), Kind::Float);
    for candidate in 0..3 {
        let phi = phis.get(candidate);
        let film = Film::of(&phi, network.sites()).unwrap();
        let alone = no_grad(|| network.logits(&film, &stem)).unwrap();
        let cosine = cosine(&together.get(candidate), &alone);
        assert!(cosine > 0.999, "{cosine}");
    }
}

#[test]
fn exported_weights_are_not_rounded() {
    let (weights, [_, network]) = both(NetworkName::Resnet8);
    let zero = Tensor::zeros([network.dimensions() as i64], (Kind::Float, Device::Cpu));
    let folded = network.fold(&zero).unwrap();
    for name in weights.names() {
        assert_eq!(folded.get(name), weights.get(name), "{name}");
    }
}
