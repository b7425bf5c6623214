//! The task against a naive network, finite differences and itself.

use super::*;
use metricopt_sdk::Site;

const HIDDEN: [usize; 3] = [16, 8, 4];

fn open(threads: usize, cache: Option<&std::path::Path>) -> Tabular {
    let config = Config {
        network: Pretraining {
            hidden: HIDDEN.to_vec(),
            epochs: 1,
            ..Pretraining::default()
        },
        ..Config::default()
    };
    let context = Context {
        device: Device::Cpu,
        seed: 3,
        cache,
        progress: &|_, _, _| (),
        call: call(threads),
    };
    Tabular::open(config, &context).unwrap()
}

fn call(threads: usize) -> Call<'static> {
    Call {
        threads,
        cancelled: &|| false,
    }
}

/// Adapters that differ from each other and from the identity, the first one apart.
fn adapters(count: usize) -> Tensor {
    let dimensions = 2 * HIDDEN.iter().sum::<usize>();
    let values: Vec<f32> = (0..count * dimensions)
        .map(|index| {
            if index < dimensions {
                0.0
            } else {
                (index as f32 * 0.7).sin() * 0.2
            }
        })
        .collect();
    Tensor::from_slice(&values).view([count as i64, dimensions as i64])
}

fn predictions(
    task: &Tabular,
    phis: &Tensor,
    part: Part,
    threads: usize,
) -> Vec<(Vec<f32>, Vec<i64>)> {
    let mut found = Vec::new();
    let rows = Rows {
        split: Split::Validation,
        part,
    };
    task.predict(phis, &rows, &call(threads), &mut |first, views| {
        assert_eq!(first, found.len());
        for views in views {
            found.push((
                views.get("scores")?.f32()?.to_vec(),
                views.get("labels")?.i64()?.to_vec(),
            ));
        }
        Ok(())
    })
    .unwrap();
    found
}

/// The network as anybody would write it, in double precision.
fn naive(task: &Tabular, table: &Table, phi: &[f32], row: usize) -> f64 {
    let mut a: Vec<f64> = table.row(row).iter().map(|&x| f64::from(x)).collect();
    let mut film = phi;
    for (index, layer) in task.network.layers.iter().enumerate() {
        let z = |o: usize| {
            let sum: f64 = (0..layer.inputs)
                .map(|i| a[i] * f64::from(layer.matrix[i * layer.outputs + o]))
                .sum();
            sum + f64::from(layer.bias[o])
        };
        if index + 1 == task.network.layers.len() {
            return 1.0 / (1.0 + (-z(0)).exp());
        }
        let (scale, rest) = film.split_at(layer.outputs);
        let (shift, rest) = rest.split_at(layer.outputs);
        a = (0..layer.outputs)
            .map(|o| (z(o) * (1.0 + f64::from(scale[o])) + f64::from(shift[o])).max(0.0))
            .collect();
        film = rest;
    }
    unreachable!("the last layer returns")
}

#[test]
fn both_paths_equal_the_naive_network() {
    let task = open(2, None);
    let phis = adapters(3);
    let flat: Vec<Vec<f32>> = (0..3)
        .map(|p| Vec::try_from(phis.get(p)).unwrap())
        .collect();
    let splits = data::split(
        data::load(&Source::default()).unwrap(),
        &Shares::default(),
        3,
    )
    .unwrap();
    let rows = Part::Sample { seed: 5, size: 300 }.indices(splits.validation.rows());
    let data = &task.splits[Split::Validation as usize];
    let blocks = task.score_on_cpu(&phis, data, &rows, &call(2)).unwrap();
    let tensors = task.score_on_device(&phis, data, &rows, &call(2)).unwrap();
    for p in 0..3 {
        for (at, &row) in rows.iter().enumerate() {
            let expected = naive(&task, &splits.validation, &flat[p], row as usize);
            for found in [blocks[p][at], tensors[p][at]] {
                assert!(
                    (f64::from(found) - expected).abs() < 1e-5,
                    "{p} {row}: {found} {expected}"
                );
            }
        }
    }
}

/// As a reader of the file would: `torch.nn.Linear` is `x W^T + b`, with ReLU between layers.
#[test]
fn folded_weights_give_the_same_scores_without_film() {
    let task = open(2, None);
    let splits = data::split(
        data::load(&Source::default()).unwrap(),
        &Shares::default(),
        3,
    )
    .unwrap();
    let x =
        Tensor::from_slice(&splits.validation.features).view([splits.validation.rows() as i64, -1]);
    let phis = adapters(4) * 3.0;
    let whole = predictions(&task, &phis, Part::All, 2);
    for (index, (expected, _)) in whole.iter().enumerate() {
        let tensors = task.fold(&phis.get(index as i64)).unwrap();
        let names: Vec<&str> = tensors.iter().map(|tensor| tensor.name.as_str()).collect();
        assert_eq!(
            names,
            [
                "0.weight", "0.bias", "2.weight", "2.bias", "4.weight", "4.bias", "6.weight",
                "6.bias"
            ]
        );
        assert_eq!(tensors[0].tensor.size(), [16, 123]);
        let mut a = x.shallow_clone();
        for (layer, pair) in tensors.chunks(2).enumerate() {
            let z = a.matmul(&pair[0].tensor.transpose(0, 1)) + &pair[1].tensor;
            a = if layer < 3 { z.relu() } else { z.sigmoid() };
        }
        let found = Vec::<f32>::try_from(a.view([-1])).unwrap();
        assert_eq!(found.len(), expected.len());
        for (found, expected) in found.iter().zip(expected) {
            assert!((found - expected).abs() < 1e-5, "{found} {expected}");
        }
    }
    // The adapters differ enough for this to say something.
    let apart = whole[0].0.iter().zip(&whole[1].0);
    let apart = apart.map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    assert!(apart > 0.05, "{apart}");
}

#[test]
fn an_adapter_of_another_length_is_not_folded() {
    let error = open(1, None)
        .fold(&Tensor::from_slice(&[0.5_f32; 55]))
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "the adapter has 55 values, the network takes 56"
    );
}

#[test]
fn parts_agree_with_the_whole() {
    let task = open(2, None);
    let phis = adapters(2);
    let whole = predictions(&task, &phis, Part::All, 2);
    for part in [
        Part::Fold { index: 1, count: 3 },
        Part::Sample { seed: 9, size: 200 },
    ] {
        let rows = part.indices(whole[0].0.len());
        for (p, (scores, labels)) in predictions(&task, &phis, part, 2).into_iter().enumerate() {
            assert_eq!(
                labels,
                rows.iter()
                    .map(|&row| whole[p].1[row as usize])
                    .collect::<Vec<_>>()
            );
            for (score, &row) in scores.iter().zip(&rows) {
                assert!((score - whole[p].0[row as usize]).abs() < 1e-6);
            }
        }
    }
}

#[test]
fn threads_and_the_cache_change_no_bit() {
    let folder = tempfile::tempdir().unwrap();
    let trained = open(1, Some(folder.path()));
    let cached = open(4, Some(folder.path()));
    assert!(trained.network == cached.network);
    let phis = adapters(5);
    let everything = |task, threads| predictions(task, &phis, Part::All, threads);
    assert!(everything(&trained, 1) == everything(&cached, 4));
    let batch = Batch {
        split: Split::Train,
        seed: 1,
        step: 2,
        size: 64,
        fraction: 0.5,
        class_weights: &[1.0, 3.0],
    };
    let gradients =
        |task: &Tabular, threads| task.gradients(&phis, &[batch; 5], &call(threads)).unwrap();
    let (one, four) = (gradients(&trained, 1), gradients(&cached, 4));
    assert_eq!(one.losses, four.losses);
    assert!(one.gradients.equal(&four.gradients));
}

#[test]
fn a_damaged_cache_file_is_made_again() {
    let folder = tempfile::tempdir().unwrap();
    let trained = open(1, Some(folder.path()));
    let file = std::fs::read_dir(folder.path().join("tabular"))
        .unwrap()
        .next()
        .unwrap()
        .unwrap()
        .path();
    std::fs::write(&file, b"no network").unwrap();
    assert!(open(1, Some(folder.path())).network == trained.network);
    assert!(std::fs::read(&file).unwrap().len() > 1000);
}

#[test]
fn gradients_equal_finite_differences() {
    let task = open(1, None);
    let batch = Batch {
        split: Split::Validation,
        seed: 4,
        step: 0,
        size: 512,
        fraction: 1.0,
        class_weights: &[1.0, 2.0],
    };
    let phi = adapters(2).get(1);
    let (_, gradient) = autograd(&phi, |phi| task.loss(phi, &batch)).unwrap();
    let gradient = Vec::<f32>::try_from(gradient).unwrap();
    let at = Vec::<f32>::try_from(&phi).unwrap();
    let h = 1e-2;
    for index in (0..at.len()).step_by(7) {
        let loss = |by: f32| {
            let mut moved = at.clone();
            moved[index] += by;
            f64::try_from(task.loss(&Tensor::from_slice(&moved), &batch).unwrap()).unwrap()
        };
        let numeric = (loss(h) - loss(-h)) / f64::from(2.0 * h);
        assert!(
            (numeric - f64::from(gradient[index])).abs() < 1e-3,
            "{index}: {numeric} {}",
            gradient[index]
        );
    }
}

/// Minibatches of two sizes, with and without class weights, as many at a time as a device would take.
#[test]
fn gradients_in_one_pass_are_those_of_each() {
    let mut task = open(1, None);
    let phis = adapters(4);
    let batch = |step: u64, size, class_weights| Batch {
        split: Split::Train,
        seed: 4,
        step,
        size,
        fraction: 1.0,
        class_weights,
    };
    let batches = [
        batch(0, 256, &[][..]),
        batch(1, 256, &[1.0, 2.0]),
        batch(2, 256, &[]),
        batch(3, 100, &[]),
    ];
    let expected = task.gradients(&phis, &batches, &call(1)).unwrap();
    // 256 rows of 16 + 8 + 4 + 1 values: room for one minibatch, two or all.
    for fits in [1, 2, 3] {
        task.memory = DeviceMemory::new(fits * 256 * 29);
        let found = task.gradients_on_device(&phis, &batches, &call(1)).unwrap();
        for (found, expected) in found.losses.iter().zip(&expected.losses) {
            assert!((found - expected).abs() < 1e-6, "{found} {expected}");
        }
        assert_eq!(found.gradients.size(), phis.size());
        let off = (&found.gradients - &expected.gradients).abs().max();
        assert!(f64::try_from(off).unwrap() < 1e-6, "{fits}");
    }
}

#[test]
fn the_description_fits() {
    let description = open(1, None).describe();
    assert_eq!(description.dimensions(), 56);
    assert_eq!(description.units, [26_049, 6_512, 16_281]);
    let site = |name: &str, channels| Site {
        name: name.to_owned(),
        channels,
    };
    assert_eq!(
        description.sites,
        [site("hidden1", 16), site("hidden2", 8), site("hidden3", 4)]
    );
}
