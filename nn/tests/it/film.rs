//! FiLM changes nothing at `phi = 0`, autograd reaches it, and folding it in gives an ordinary network.

use crate::support::{distance, images, lively, logits, network, normal};
use metricopt_nn::{Film, NetworkName};
use metricopt_sdk::autograd;
use metricopt_sdk::tch::{Device, Kind, Tensor, no_grad};

#[test]
fn an_adapter_of_zeros_leaves_every_bit_as_it_is() {
    for name in NetworkName::ALL {
        let network = network(name, &lively(name));
        let images = images(&*network, 2);
        let dimensions = network.dimensions() as i64;
        let phi = Tensor::zeros([dimensions], (Kind::Float, Device::Cpu));
        let plain = network
            .plain_logits(&network.stem(&images).unwrap())
            .unwrap();
        assert_eq!(logits(&*network, &phi, &images), plain, "{name}");
        assert!(f64::try_from(plain.std(true)).unwrap() > 0.0, "{name}");
    }
}

#[test]
fn a_folded_network_answers_like_its_adapter() {
    for name in NetworkName::ALL {
        let adapted = network(name, &lively(name));
        let images = images(&*adapted, 2);
        let phi = normal(&[adapted.dimensions() as i64], 3) * 0.1;
        let folded = network(name, &adapted.fold(&phi).unwrap());
        let plain = folded.plain_logits(&folded.stem(&images).unwrap()).unwrap();
        let distance = distance(&plain, &logits(&*adapted, &phi, &images));
        assert!(distance <= 1e-5, "{name}: {distance}");
    }
}

#[test]
fn a_population_answers_like_its_candidates() {
    for name in NetworkName::ALL {
        let network = network(name, &lively(name));
        let stem = network.stem(&images(&*network, 2)).unwrap();
        let phis = normal(&[3, network.dimensions() as i64], 3) * 0.1;
        let film = Film::of(&phis, network.sites()).unwrap();
        let batched = network.population_logits(&film, &stem).unwrap();
        for candidate in 0..3 {
            let phi = phis.get(candidate);
            let film = Film::of(&phi, network.sites()).unwrap();
            let alone = network.logits(&film, &stem).unwrap();
            let distance = distance(&batched.get(candidate), &alone);
            assert!(distance <= 1e-4, "{name}: {distance}");
        }
    }
}

#[test]
fn gradients_agree_with_finite_differences() {
    let network = network(NetworkName::Resnet20, &lively(NetworkName::Resnet20));
    let stem = network.stem(&images(&*network, 4)).unwrap();
    let dimensions = network.dimensions() as i64;
    let phi = normal(&[dimensions], 3) * 0.05;
    let labels = Tensor::from_slice(&[0_i64, 3, 5, 9]);
    // Logits in the hundreds would leave too few digits for differences.
    let temperature = 100.0;
    let loss = |phi: &Tensor| {
        let film = Film::of(phi, network.sites())?;
        let logits = network.logits(&film, &stem)?.to_kind(Kind::Double);
        Ok((logits / temperature).cross_entropy_for_logits(&labels))
    };
    let (_, gradient) = autograd(&phi, loss).unwrap();
    let gradient = Vec::<f32>::try_from(gradient).unwrap();
    // The steepest coordinate of each quarter of the adapter. The loss has kinks, so the step must be small.
    let step = 2e-3;
    let quarter = dimensions as usize / 4;
    for part in 0..4 {
        let steepness = |&coordinate: &usize| gradient[coordinate].abs();
        let coordinates = part * quarter..(part + 1) * quarter;
        let steepest = coordinates.max_by(|a, b| steepness(a).total_cmp(&steepness(b)));
        let coordinate = steepest.unwrap() as i64;
        let value = |sign: f64| {
            let moved = phi.copy();
            let _ = moved
                .get(coordinate)
                .fill_(phi.double_value(&[coordinate]) + sign * step);
            f64::try_from(no_grad(|| loss(&moved)).unwrap()).unwrap()
        };
        let slope = (value(1.0) - value(-1.0)) / (2.0 * step);
        let followed = f64::from(gradient[coordinate as usize]);
        assert!(
            (slope - followed).abs() <= 0.02 * slope.abs() + 1e-4,
            "coordinate {coordinate}: {slope} by differences, {followed} by autograd"
        );
    }
}

#[test]
fn an_adapter_of_another_length_is_refused() {
    let network = network(NetworkName::Resnet8, &lively(NetworkName::Resnet8));
    let phi = Tensor::zeros([7], (Kind::Float, Device::Cpu));
    let error = Film::of(&phi, network.sites()).unwrap_err().to_string();
    assert!(error.contains("[7]") && error.contains("[240]"), "{error}");
}
