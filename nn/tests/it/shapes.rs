//! Shapes of what networks give, and of what they refuse.

use crate::support::{images, lively, network, normal};
use metricopt_nn::{Film, NetworkName, initialise};
use metricopt_sdk::tch::{Device, Kind, Tensor, no_grad};

/// Number of sites, length of the adapter, and length of the embedding.
fn published(name: NetworkName) -> (usize, usize, i64) {
    match name {
        NetworkName::Conv4 => (4, 256, 32),
        NetworkName::Resnet8 => (7, 240, 32),
        // 6 n + 1 normalisations: 2 (16 + 2 n (16 + 32 + 64)) numbers.
        NetworkName::Resnet20 => (19, 1376, 64),
        NetworkName::Resnet32 => (31, 2272, 64),
        NetworkName::Resnet44 => (43, 3168, 64),
        NetworkName::Resnet56 => (55, 4064, 64),
        // Running statistics of torchvision's models: 4,800, 8,512 and 26,560 channels.
        NetworkName::Resnet18 => (20, 9600, 512),
        NetworkName::Resnet34 => (36, 17_024, 512),
        NetworkName::Resnet50 => (53, 53_120, 2048),
        // Counted in the PyTorch port.
        NetworkName::Nasnetamobile => (192, 36_738, 1056),
    }
}

#[test]
fn sites_and_embeddings_are_those_of_the_published_networks() {
    for name in NetworkName::ALL {
        let network = network(name, &lively(name));
        let images = images(&*network, 1);
        let phi = Tensor::zeros([network.dimensions() as i64], (Kind::Float, Device::Cpu));
        let film = Film::of(&phi, network.sites()).unwrap();
        let stem = no_grad(|| network.stem(&images)).unwrap();
        let features = no_grad(|| network.features(&film, &stem)).unwrap();
        let found = (
            network.sites().len(),
            network.dimensions(),
            features.size()[1],
        );
        assert_eq!(found, published(name), "{name}");
        let maps = no_grad(|| network.maps(&film, &stem)).unwrap();
        for pair in maps.windows(2) {
            let [fine, coarse] = [&pair[0], &pair[1]].map(|map| map.size()[2]);
            assert_eq!(coarse, (fine + 1) / 2, "{name}");
        }
    }
}

#[test]
fn the_number_of_weights_is_the_published_one() {
    // Parameters without running statistics, from the documentation of torchvision, of the PyTorch port (5,289,978, with
    // 1,000 classes) and of the CIFAR implementation whose weights the project is tested with.
    let counts = [
        (NetworkName::Resnet32, 10, 464_154),
        (NetworkName::Resnet18, 1000, 11_689_512),
        (NetworkName::Resnet34, 1000, 21_797_672),
        (NetworkName::Resnet50, 1000, 25_557_032),
        (NetworkName::Nasnetamobile, 1000, 5_289_978),
    ];
    for (name, classes, expected) in counts {
        let tensors = initialise(name, classes, 1).unwrap().into_tensors();
        let trained = tensors.filter(|(name, _)| !name.contains(".running_"));
        let count: usize = trained.map(|(_, tensor)| tensor.numel()).sum();
        assert_eq!(count, expected, "{name}");
    }
}

#[test]
fn images_and_adapters_that_do_not_fit_are_errors() {
    let small = network(NetworkName::Resnet8, &lively(NetworkName::Resnet8));
    for shape in [&[2, 3, 8, 8][..], &[1, 8, 8], &[2, 1, 8]] {
        let error = small.stem(&normal(shape, 1)).unwrap_err().to_string();
        assert!(error.contains("takes [N, 1, height, width]"), "{error}");
    }
    let other = network(NetworkName::Resnet20, &lively(NetworkName::Resnet20));
    let phi = normal(&[1376], 1);
    let film = Film::of(&phi, other.sites()).unwrap();
    let stem = small.stem(&images(&*small, 1)).unwrap();
    let error = small.logits(&film, &stem).unwrap_err().to_string();
    assert!(
        error.contains("19 FiLM sites") && error.contains("with 7"),
        "{error}"
    );
    let population = Film::of(&phi, other.sites()).unwrap();
    let stem = other.stem(&images(&*other, 1)).unwrap();
    let error = other.population_logits(&population, &stem).unwrap_err();
    assert!(error.to_string().contains("[P, D]"), "{error}");
}
