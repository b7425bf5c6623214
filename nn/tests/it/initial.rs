//! Names of networks, and the weights that training starts from.

use metricopt_nn::{NetworkName, initialise};
use metricopt_sdk::tch::Kind;

#[test]
fn the_name_in_a_configuration_is_the_name_in_messages() {
    for name in NetworkName::ALL {
        assert_eq!(serde_json::to_value(name).unwrap(), name.name());
        let read: NetworkName = serde_json::from_value(name.name().into()).unwrap();
        assert_eq!(read, name);
    }
}

#[test]
fn initial_weights_follow_their_seed() {
    let [one, same, other] = [1, 1, 2].map(|seed| initialise(NetworkName::Resnet20, 10, seed));
    let [one, same, other] = [one.unwrap(), same.unwrap(), other.unwrap()];
    for name in one.names() {
        assert_eq!(one.get(name), same.get(name), "{name}");
    }
    assert_ne!(one.get("conv1.weight"), other.get("conv1.weight"));
}

/// He et al., ICCV 2015: variance 2 over the number of inputs.
#[test]
fn initial_convolutions_keep_the_variance_of_activations() {
    let weights = initialise(NetworkName::Resnet20, 10, 1).unwrap();
    let kernel = weights.get("layer3.1.conv2.weight").unwrap();
    let variance = f64::try_from(kernel.square().mean(Kind::Double)).unwrap();
    let expected = 2.0 / (64.0 * 9.0);
    // 36,864 draws: the variance has a relative standard error of 0.7 %.
    assert!((variance / expected - 1.0).abs() < 0.03, "{variance}");
    let mean = f64::try_from(kernel.mean(Kind::Double)).unwrap();
    assert!(mean.abs() < 4.0 * (expected / 36_864.0).sqrt(), "{mean}");
}
