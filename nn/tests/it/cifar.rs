//! The published ResNet-32 on the CIFAR-10 test images.
//!
//! The files are looked for in `shared/data` beside the repository or in it; without them the tests say that they are
//! skipped.

use metricopt_nn::{Film, NetworkName, Precision, Weights, build};
use metricopt_sdk::tch::{self, Device, Kind, Tensor, no_grad};
use std::io::Read;
use std::path::PathBuf;

#[expect(clippy::print_stderr, reason = "a test that is skipped says so")]
fn data(name: &str) -> Option<PathBuf> {
    let repository = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/.."));
    let places = [
        repository.join("../shared/data"),
        repository.join("shared/data"),
    ];
    let found = places
        .iter()
        .map(|place| place.join(name))
        .find(|path| path.exists());
    if found.is_none() {
        eprintln!("SKIPPED: `shared/data/{name}` is not there");
    }
    found
}

/// Labels, and images scaled to `0..1` `[N, 3, 32, 32]`.
fn records(file: &std::path::Path) -> (Vec<i64>, Tensor) {
    let mut bytes = Vec::new();
    let file = std::fs::File::open(file).unwrap();
    lzma_rust2::XzReader::new(std::io::BufReader::new(file), true)
        .read_to_end(&mut bytes)
        .unwrap();
    let records = bytes.chunks_exact(3073);
    let labels = records.clone().map(|record| i64::from(record[0])).collect();
    let pixels: Vec<u8> = records.flat_map(|record| &record[1..]).copied().collect();
    let images = Tensor::from_slice(&pixels).view([-1, 3, 32, 32]);
    (labels, images.to_kind(Kind::Float) / 255.0)
}

#[test]
fn resnet_32_has_the_sites_of_its_normalisations() {
    let Some(weights) = data("resnet32-cifar10.safetensors") else {
        return;
    };
    let weights = Weights::read(&weights).unwrap();
    let network = build(
        NetworkName::Resnet32,
        10,
        &weights,
        Device::Cpu,
        Precision::F32,
    )
    .unwrap();
    let names: Vec<&str> = network
        .sites()
        .iter()
        .map(|site| site.name.as_str())
        .collect();
    assert_eq!(names.len(), 31);
    assert_eq!(names[..3], ["bn1", "layer1.0.bn1", "layer1.0.bn2"]);
    assert_eq!(names[30], "layer3.4.bn2");
    assert_eq!(network.dimensions(), 2272);
}

#[test]
fn slow_resnet_32_errs_on_737_test_images() {
    let files = [
        data("resnet32-cifar10.safetensors"),
        data("cifar-10-batches-bin/test_batch.bin.xz"),
    ];
    let [Some(weights), Some(images)] = files else {
        return;
    };
    tch::set_num_threads(1);
    let weights = Weights::read(&weights).unwrap();
    let network = build(
        NetworkName::Resnet32,
        10,
        &weights,
        Device::Cpu,
        Precision::F32,
    )
    .unwrap();
    let (labels, images) = records(&images);
    let input = network.input();
    let [mean, std] =
        [&input.mean, &input.std].map(|values| Tensor::from_slice(values).view([1, 3, 1, 1]));
    let phi = Tensor::zeros([2272], (Kind::Float, Device::Cpu));
    let film = Film::of(&phi, network.sites()).unwrap();
    let mut errors = 0;
    for (block, labels) in labels.chunks(250).enumerate() {
        let images = images.narrow(0, 250 * block as i64, labels.len() as i64);
        let logits = no_grad(|| {
            let stem = network.stem(&((images - &mean) / &std)).unwrap();
            network.logits(&film, &stem).unwrap()
        });
        let found = Vec::<i64>::try_from(logits.argmax(1, false)).unwrap();
        errors += found
            .iter()
            .zip(labels)
            .filter(|(found, label)| found != label)
            .count();
    }
    // Measured in PyTorch on these files; rounding may turn a tie.
    assert!(errors.abs_diff(737) <= 2, "{errors} errors");
}
