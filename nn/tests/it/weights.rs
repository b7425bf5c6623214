//! Weights from outside: what fits, what is converted, and what is refused by name.

use crate::support::lively;
use metricopt_nn::{NetworkName, Precision, Weights, build, initialise};
use metricopt_sdk::tch::{Device, Kind, Tensor};
use metricopt_sdk::{Error, ErrorKind};

const NAME: NetworkName = NetworkName::Resnet8;

fn refused(weights: &Weights, classes: usize) -> Error {
    match build(NAME, classes, weights, Device::Cpu, Precision::F32) {
        Ok(_) => panic!("weights that do not fit were taken"),
        Err(error) => error,
    }
}

/// The weights of a network with some of them changed: `None` leaves one out.
fn changed(change: impl Fn(&str, Tensor) -> Option<(String, Tensor)>) -> Weights {
    let tensors = lively(NAME).into_tensors();
    Weights::from_tensors(tensors.filter_map(|(name, tensor)| change(&name, tensor))).unwrap()
}

#[test]
fn every_difference_is_named() {
    let weights = changed(|name, tensor| match name {
        "conv1.weight" | "layer2.0.bn2.running_var" => None,
        "linear.bias" => Some(("fc.bias".to_owned(), tensor)),
        _ => Some((name.to_owned(), tensor)),
    });
    let error = refused(&weights, 7);
    assert_eq!(error.kind(), ErrorKind::Data);
    assert_eq!(
        error.to_string(),
        "weights do not fit resnet8 with 7 classes: \
         3 missing: conv1.weight, layer2.0.bn2.running_var, linear.bias; 1 unexpected: fc.bias; \
         1 of another shape: linear.weight [10, 32] instead of [7, 32]"
    );
    assert_eq!(error.hints().len(), 1);
}

#[test]
fn a_long_list_of_differences_is_cut() {
    let error = refused(&Weights::from_tensors([]).unwrap(), 10).to_string();
    // 7 convolutions, 7 normalisations of 4 tensors, 2 of the classifier.
    assert!(
        error.contains("37 missing: conv1.weight, bn1.weight,"),
        "{error}"
    );
    assert!(error.ends_with("and 17 more"), "{error}");
}

#[test]
fn wrappers_counters_and_other_precisions_are_taken() {
    let kinds = [Kind::Half, Kind::BFloat16, Kind::Double, Kind::Float];
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("weights.safetensors");
    let tensors = lively(NAME).into_tensors().enumerate();
    let mut wrapped: Vec<(String, Tensor)> = tensors
        .map(|(index, (name, tensor))| (format!("module.{name}"), tensor.to_kind(kinds[index % 4])))
        .collect();
    let counter = Tensor::from_slice(&[7_i64]);
    wrapped.push(("module.bn1.num_batches_tracked".to_owned(), counter));
    Tensor::write_safetensors(&wrapped, &path).unwrap();
    let read = Weights::read(&path).unwrap();
    assert!(build(NAME, 10, &read, Device::Cpu, Precision::F32).is_ok());
    for (name, original) in &wrapped {
        let Some(tensor) = read.get(name.trim_start_matches("module.")) else {
            assert!(name.ends_with("num_batches_tracked"), "{name}");
            continue;
        };
        assert_eq!(tensor, &original.to_kind(Kind::Float), "{name}");
    }
}

#[test]
fn values_that_are_no_numbers_are_named() {
    for value in [f64::NAN, f64::INFINITY, 1e300] {
        let tensors = initialise(NAME, 10, 1).unwrap().into_tensors();
        let poisoned = tensors.map(|(name, tensor)| {
            let tensor = tensor.to_kind(Kind::Double);
            if name == "layer1.0.conv2.weight" {
                let _ = tensor.get(3).get(1).fill_(value);
            }
            (name, tensor)
        });
        let error = Weights::from_tensors(poisoned).unwrap_err().to_string();
        assert_eq!(
            error,
            "weights: `layer1.0.conv2.weight` holds a value that is not finite"
        );
    }
    let whole = [("a".to_owned(), Tensor::from_slice(&[1_i32]))];
    let error = Weights::from_tensors(whole).unwrap_err().to_string();
    assert!(error.contains("`a` holds values of type Int"), "{error}");
}

#[test]
fn a_negative_variance_is_named() {
    let weights = changed(|name, tensor| {
        if name == "layer3.0.bn1.running_var" {
            let _ = tensor.get(2).fill_(-0.1);
        }
        Some((name.to_owned(), tensor))
    });
    assert_eq!(
        refused(&weights, 10).to_string(),
        "weights: `layer3.0.bn1.running_var` holds a negative variance"
    );
}

#[test]
fn files_that_are_no_weights_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("weights.safetensors");
    let error = Weights::read(&path).unwrap_err();
    assert!(
        error.to_string().starts_with("cannot read the weights `"),
        "{error}"
    );
    lively(NAME).write(&path).unwrap();
    let whole = std::fs::read(&path).unwrap();
    let mut huge = whole.clone();
    huge[..8].copy_from_slice(&u64::MAX.to_le_bytes());
    for bytes in [
        &[][..],
        b"PK\x03\x04 a pickle",
        &whole[..whole.len() - 1],
        &huge,
    ] {
        std::fs::write(&path, bytes).unwrap();
        let error = Weights::read(&path).unwrap_err();
        assert!(
            error.to_string().contains("is not a safetensors file"),
            "{error}"
        );
        assert_eq!(error.hints().len(), 1);
    }
}

#[test]
fn what_is_written_is_read_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("weights.safetensors");
    let weights = lively(NAME);
    weights.write(&path).unwrap();
    let read = Weights::read(&path).unwrap();
    assert!(weights.names().eq(read.names()));
    for name in weights.names() {
        assert_eq!(weights.get(name), read.get(name), "{name}");
    }
    // Nothing but the file stays behind.
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
}
