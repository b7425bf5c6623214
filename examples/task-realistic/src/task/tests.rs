//! The task against the plain network, finite differences and itself.

use super::*;
use metricopt_sdk::{ErrorKind, tch};
use std::path::Path;

const CALL: Call<'static> = Call {
    threads: 1,
    cancelled: &|| false,
};

fn open(seed: u64, cache: Option<&Path>, call: Call<'_>) -> Result<Machines> {
    // As the host does: the last bits of a product depend on how many threads share it.
    tch::set_num_threads(1);
    let config = Config {
        readings: 3000,
        hidden: [12, 8],
        epochs: 3,
        ..Config::default()
    };
    let context = Context {
        device: Device::Cpu,
        seed,
        cache,
        progress: &|_, _, _| (),
        call,
    };
    Machines::open(config, &context)
}

/// Adapters that differ from each other; the first one is `phi = 0`.
fn adapters(count: i64) -> Tensor {
    let steps = Tensor::arange(count * 40, (Dtype::Float, Device::Cpu));
    let size = Tensor::arange(count, (Dtype::Float, Device::Cpu)) * 0.1;
    (steps * 0.7).sin().view([count, 40]) * size.unsqueeze(1)
}

fn batch<'a>(seed: u64, size: usize, class_weights: &'a [f32]) -> Batch<'a> {
    Batch {
        split: Split::Train,
        seed,
        step: 2,
        size,
        fraction: 0.5,
        class_weights,
    }
}

/// The scores of each candidate on a part of the validation split, as the host receives them.
fn predictions(task: &Machines, phis: &Tensor, part: Part) -> Result<Vec<Vec<f32>>> {
    let split = Split::Validation;
    let mut found = Vec::new();
    task.predict(phis, &Rows { split, part }, &CALL, &mut |first, views| {
        assert_eq!(first, found.len());
        for views in views {
            let labels = views.get("labels")?.i64()?;
            let rows = part.indices(task.splits[1].labels.len());
            let expected: Vec<i64> = rows
                .iter()
                .map(|&row| task.splits[1].labels[row as usize])
                .collect();
            assert_eq!(labels, expected);
            found.push(views.get("scores")?.f32()?.to_vec());
        }
        Ok(())
    })?;
    Ok(found)
}

#[test]
fn the_description_fits() -> Result<()> {
    let description = open(0, None, CALL)?.describe();
    assert_eq!(
        (description.dimensions(), description.units),
        (40, [1800, 600, 600])
    );
    Ok(())
}

/// The network as anybody would write it, without any adapter: the same to the last bit.
#[test]
fn the_adapter_zero_is_the_plain_network() -> Result<()> {
    let task = open(0, None, CALL)?;
    let [_, two, output] = &task.network.layers;
    let hidden = task.splits[1].first.relu();
    let hidden = (hidden.matmul(&two.matrix) + &two.bias).relu();
    let plain = (hidden.matmul(&output.matrix) + &output.bias)
        .sigmoid()
        .squeeze_dim(1);
    let found = predictions(&task, &adapters(1), Part::All)?;
    assert_eq!(found[0], Vec::<f32>::try_from(plain)?);
    Ok(())
}

/// Put in the place of the network, the folded one needs no adapter any more.
#[test]
fn folded_weights_give_the_same_scores_without_an_adapter() -> Result<()> {
    let mut task = open(0, None, CALL)?;
    let phis = adapters(4);
    let expected = predictions(&task, &phis, Part::All)?;
    let config = Config {
        readings: 3000,
        hidden: [12, 8],
        epochs: 3,
        ..Config::default()
    };
    let [_, validation, _] = data::splits(&config, 0)?;
    let folded: Vec<_> = (0..4)
        .map(|candidate| task.network.folded(&phis.get(candidate)))
        .collect::<Result<_>>()?;
    for (network, expected) in folded.into_iter().zip(&expected) {
        task.network = network;
        task.splits[1] = SplitData::new(&validation, &task.network, Device::Cpu)?;
        let found = predictions(&task, &adapters(1), Part::All)?;
        for (found, expected) in found[0].iter().zip(expected) {
            assert!((found - expected).abs() < 1e-5, "{found} {expected}");
        }
    }
    let tensors = task.fold(&adapters(1).get(0))?;
    let names: Vec<&str> = tensors.iter().map(|tensor| tensor.name.as_str()).collect();
    assert_eq!(
        names,
        ["matrix1", "bias1", "matrix2", "bias2", "matrix3", "bias3"]
    );
    Ok(())
}

/// One candidate after the other, row by row in double precision: the layout of the adapter is the one promised.
#[test]
fn adapters_are_scale_and_then_shift_site_by_site() -> Result<()> {
    let task = open(0, None, CALL)?;
    let phis = adapters(3);
    let found = predictions(&task, &phis, Part::All)?;
    let [_, two, output] = &task.network.layers;
    let double = |tensor: &Tensor| tensor.to_kind(Dtype::Double);
    for (candidate, found) in (0..).zip(&found) {
        let phi = double(&phis.get(candidate));
        let film = |z: Tensor, start: i64, width: i64| {
            z * (phi.narrow(0, start, width) + 1.0) + phi.narrow(0, start + width, width)
        };
        let hidden = film(double(&task.splits[1].first), 0, 12).relu();
        let hidden = hidden.matmul(&double(&two.matrix)) + double(&two.bias);
        let hidden = film(hidden, 24, 8).relu();
        let logits = hidden.matmul(&double(&output.matrix)) + double(&output.bias);
        let expected = Vec::<f64>::try_from(logits.sigmoid().squeeze_dim(1))?;
        for (found, expected) in found.iter().zip(expected) {
            assert!((f64::from(*found) - expected).abs() < 1e-5);
        }
    }
    Ok(())
}

#[test]
fn predictions_do_not_depend_on_chunks_and_company() -> Result<()> {
    let task = open(0, None, CALL)?;
    let phis = adapters(4);
    let all = predictions(&task, &phis, Part::All)?;
    let close = |found: &[f32], expected: &[f32]| {
        assert_eq!(found.len(), expected.len());
        // Not to the last bit: the order of a sum depends on the shapes.
        let mut pairs = found.iter().zip(expected);
        assert!(pairs.all(|(found, expected)| (found - expected).abs() < 1e-6));
    };
    let data = &task.splits[1];
    let rows = Part::All.indices(data.labels.len());
    for chunk in [1, 7, 64, 599, 600, 10_000] {
        let found = task.scores(&phis, data, &rows, chunk, &CALL)?;
        for (found, all) in found.iter().zip(&all) {
            close(found, all);
        }
    }
    for part in [
        Part::Fold { index: 1, count: 3 },
        Part::Sample { seed: 9, size: 50 },
    ] {
        let rows = part.indices(data.labels.len());
        for (candidate, all) in (0..).zip(&all) {
            let alone = predictions(&task, &phis.narrow(0, candidate, 1), part)?;
            let expected: Vec<f32> = rows.iter().map(|&row| all[row as usize]).collect();
            close(&alone[0], &expected);
        }
    }
    Ok(())
}

#[test]
fn gradients_equal_finite_differences() -> Result<()> {
    let task = open(0, None, CALL)?;
    let phi = adapters(2).get(1);
    for weights in [&[][..], &[1.0, 4.0]] {
        let batch = batch(1, 512, weights);
        let (_, gradient) = autograd(&phi, |phi| task.loss(phi, &batch))?;
        for index in 0..40 {
            let loss = |by: f64| -> Result<f64> {
                let moved = phi.copy();
                let _ = moved.get(index).g_add_scalar_(by);
                Ok(f64::try_from(task.loss(&moved, &batch)?)?)
            };
            let numeric = (loss(5e-4)? - loss(-5e-4)?) / 1e-3;
            let found = gradient.double_value(&[index]);
            assert!((numeric - found).abs() < 2e-3, "{index}: {numeric} {found}");
        }
    }
    Ok(())
}

/// One pass for all adapters gives what one pass for each does, whether batches are alike or not.
#[test]
fn gradients_do_not_depend_on_company() -> Result<()> {
    let task = open(0, None, CALL)?;
    let phis = adapters(3);
    for sizes in [[64, 64, 64], [64, 32, 8]] {
        let weights = [&[][..], &[1.0, 3.0], &[2.0, 1.0]];
        let batches = [0, 1, 2].map(|index| batch(index as u64, sizes[index], weights[index]));
        let together = task.gradients(&phis, &batches, &CALL)?;
        for (index, batch) in batches.iter().enumerate() {
            let phi = phis.get(index as i64);
            let (loss, gradient) = autograd(&phi, |phi| task.loss(phi, batch))?;
            assert!((loss - together.losses[index]).abs() < 1e-6);
            let difference = together.gradients.get(index as i64) - gradient;
            assert!(difference.abs().max().double_value(&[]) < 1e-6);
        }
    }
    Ok(())
}

/// Class weights are brought to mean 1: equal ones change nothing, and only their ratio counts.
#[test]
fn class_weights_are_ratios() -> Result<()> {
    let task = open(0, None, CALL)?;
    let loss = |weights: &[f32]| -> Result<f64> {
        Ok(f64::try_from(
            task.loss(&adapters(2).get(1), &batch(1, 512, weights))?,
        )?)
    };
    assert!((loss(&[])? - loss(&[3.0, 3.0])?).abs() < 1e-6);
    assert!((loss(&[1.0, 2.0])? - loss(&[2.0, 4.0])?).abs() < 1e-6);
    assert!((loss(&[1.0, 9.0])? - loss(&[])?).abs() > 1e-3);
    Ok(())
}

#[test]
fn the_same_arguments_give_the_same_bits() -> Result<()> {
    let (one, other) = (open(3, None, CALL)?, open(3, None, CALL)?);
    let phis = adapters(3);
    let before = predictions(&one, &phis, Part::All)?;
    assert_eq!(before, predictions(&other, &phis, Part::All)?);
    let batches = [batch(1, 64, &[]); 3];
    let gradients = one.gradients(&phis, &batches, &CALL)?;
    assert_eq!(before, predictions(&one, &phis, Part::All)?);
    assert!(
        gradients
            .gradients
            .equal(&other.gradients(&phis, &batches, &CALL)?.gradients)
    );
    assert_ne!(
        before,
        predictions(&open(4, None, CALL)?, &phis, Part::All)?
    );
    Ok(())
}

#[test]
fn the_cache_changes_nothing_and_mends_itself() -> Result<()> {
    let folder = tempfile::tempdir().unwrap();
    let of = |task: Machines| predictions(&task, &adapters(2), Part::All);
    let trained = of(open(3, Some(folder.path()), CALL)?)?;
    let entries = std::fs::read_dir(folder.path().join("machines")).unwrap();
    let files: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    assert_eq!(files.len(), 1);
    // A cancelled run would fail if it had to train.
    let stopped = Call {
        cancelled: &|| true,
        ..CALL
    };
    assert_eq!(trained, of(open(3, Some(folder.path()), stopped)?)?);
    std::fs::write(&files[0], b"no network").unwrap();
    assert_eq!(trained, of(open(3, Some(folder.path()), CALL)?)?);
    assert!(std::fs::metadata(&files[0]).unwrap().len() > 500);
    Ok(())
}

#[test]
fn a_cache_that_cannot_be_written_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    std::fs::write(&file, "").unwrap();
    let error = open(3, Some(&file), CALL).err().unwrap();
    assert!(error.to_string().contains("cannot write the cache file"));
    assert!(error.hints()[0].contains("METRICOPT_CACHE"));
}

#[test]
fn a_wish_to_stop_is_heard() -> Result<()> {
    let stopped = Call {
        cancelled: &|| true,
        ..CALL
    };
    let kind = |error: Option<Error>| error.map(|error| error.kind());
    assert_eq!(
        kind(open(0, None, stopped).err()),
        Some(ErrorKind::Cancelled)
    );
    let task = open(0, None, CALL)?;
    let predicted = task.predict(
        &adapters(1),
        &Rows::all(Split::Test),
        &stopped,
        &mut |_, _| Ok(()),
    );
    assert_eq!(kind(predicted.err()), Some(ErrorKind::Cancelled));
    Ok(())
}

#[test]
fn bad_configurations_are_refused_at_once() {
    let config = Config {
        path: None,
        readings: 1,
        hidden: [0, 8],
        epochs: 0,
        learning_rate: f64::NAN,
    };
    let error = Machines::check(&config).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Configuration);
    for key in ["readings", "hidden", "epochs", "learning_rate"] {
        assert!(error.to_string().contains(key), "{error}");
    }
}
