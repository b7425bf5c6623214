//! The task on the built-in digits, held to the network itself, to finite differences and to itself.
#![expect(
    clippy::unwrap_used,
    reason = "what a test cannot go on without fails it"
)]

use metricopt_classification::config::Config;
use metricopt_classification::pretrain::Pretraining;
use metricopt_classification::task::Classification;
use metricopt_data::{Augmentation, DatasetConfig, Opening, Shares, Thinning};
use metricopt_nn::{NetworkName, Precision, Weights, build};
use metricopt_sdk::tch::{self, Device, Kind, Tensor, no_grad};
use metricopt_sdk::{
    Batch, Call, Classification as Scores, Context, Part, Predictions, Result, Rows, Split, Task,
    autograd,
};

fn call(threads: usize) -> Call<'static> {
    Call {
        threads,
        cancelled: &|| false,
    }
}

/// Few images and one epoch: opened in a fraction of a second.
fn quick() -> Config {
    Config {
        data: DatasetConfig {
            split: Shares {
                train_images: 300,
                validation_images: 290,
                ..Shares::default()
            },
            ..DatasetConfig::default()
        },
        pretraining: Pretraining {
            epochs: 2,
            ..Pretraining::default()
        },
        ..Config::default()
    }
}

fn try_open(config: Config, threads: usize) -> Result<Classification> {
    tch::set_num_threads(1);
    Classification::check(&config)?;
    Classification::open(
        config,
        &Context {
            device: Device::Cpu,
            seed: 5,
            cache: None,
            progress: &|_, _, _| (),
            call: call(threads),
        },
    )
}

fn open(config: Config) -> Classification {
    try_open(config, 2).unwrap()
}

/// Adapters `[count, D]` that differ from each other, the first one the identity.
fn adapters(task: &Classification, count: usize) -> Tensor {
    let dimensions = task.describe().dimensions();
    let values: Vec<f32> = (0..count * dimensions)
        .map(|index| match index {
            index if index < dimensions => 0.0,
            index => (index as f32 * 0.7).sin() * 0.2,
        })
        .collect();
    Tensor::from_slice(&values).view([count as i64, dimensions as i64])
}

/// Scores and labels of each candidate.
fn predictions(task: &Classification, phis: &Tensor, part: Part) -> Vec<(Vec<f32>, Vec<i64>)> {
    let mut found = Vec::new();
    let rows = Rows {
        split: Split::Validation,
        part,
    };
    task.predict(phis, &rows, &call(2), &mut |first, views| {
        assert_eq!(first, found.len());
        for views in views {
            let scores = Scores::from_views(views)?;
            assert_eq!(scores.classes(), 10);
            found.push((scores.scores().to_vec(), scores.labels().to_vec()));
        }
        Ok(())
    })
    .unwrap();
    found
}

#[track_caller]
fn assert_close(a: &[f32], b: &[f32], tolerance: f32) {
    assert_eq!(a.len(), b.len());
    let difference = a.iter().zip(b).map(|(a, b)| (a - b).abs());
    let largest = difference.fold(0.0, f32::max);
    assert!(largest <= tolerance, "they differ by {largest}");
}

fn batch(split: Split, step: u64, class_weights: &[f32]) -> Batch<'_> {
    Batch {
        split,
        seed: 11,
        step,
        size: 270,
        fraction: 0.5,
        class_weights,
    }
}

#[test]
fn scores_are_those_of_the_network_with_the_adapter_folded_in() {
    let config = quick();
    let splits = metricopt_data::open(&config.data, &Opening::quiet(5)).unwrap();
    let task = open(config);
    let phis = adapters(&task, 3);
    let found = predictions(&task, &phis, Part::All);
    assert_eq!(found.len(), 3);
    assert_ne!(found[0].0, found[1].0);
    // Bytes to numbers by hand: mean and deviation of `resnet8` are one half.
    let pixels: Vec<f32> = splits
        .validation
        .pixels
        .iter()
        .map(|&byte| (f32::from(byte) / 255.0 - 0.5) / 0.5)
        .collect();
    let images = Tensor::from_slice(&pixels).view([290, 1, 8, 8]);
    for (index, (scores, labels)) in (0..).zip(&found) {
        let folded = task.fold(&phis.get(index)).unwrap().into_iter();
        let folded = Weights::from_tensors(folded.map(|named| (named.name, named.tensor))).unwrap();
        let network = build(
            NetworkName::Resnet8,
            10,
            &folded,
            Device::Cpu,
            Precision::F32,
        )
        .unwrap();
        let logits = no_grad(|| {
            network
                .plain_logits(&network.stem(&images).unwrap())
                .unwrap()
        });
        let expected = Vec::<f32>::try_from(logits.softmax(-1, Kind::Float).view([-1])).unwrap();
        assert_close(scores, &expected, 1e-5);
        assert_eq!(labels, &splits.validation.labels);
    }
}

#[test]
fn a_candidate_is_the_same_alone_and_a_row_the_same_in_a_part() {
    let task = open(quick());
    let phis = adapters(&task, 3);
    let all = predictions(&task, &phis, Part::All);
    let alone = predictions(&task, &phis.narrow(0, 2, 1), Part::All);
    assert_eq!(alone[0], all[2]);
    let fold = Part::Fold { index: 1, count: 3 };
    let rows = fold.indices(290);
    let part = predictions(&task, &phis, fold);
    for ((scores, labels), (some, some_labels)) in all.iter().zip(&part) {
        let picked: Vec<f32> = rows
            .iter()
            .flat_map(|&row| &scores[row as usize * 10..][..10])
            .copied()
            .collect();
        assert_close(&picked, some, 1e-5);
        let picked: Vec<i64> = rows.iter().map(|&row| labels[row as usize]).collect();
        assert_eq!(&picked, some_labels);
    }
}

#[test]
fn gradients_are_those_of_the_loss_on_any_number_of_threads() {
    let task = open(quick());
    let phis = adapters(&task, 2);
    let weights: Vec<f32> = (1..=10).map(|class| class as f32).collect();
    let batches = [
        batch(Split::Train, 0, &[]),
        batch(Split::Validation, 3, &weights),
    ];
    let found = task.gradients(&phis, &batches, &call(2)).unwrap();
    for (index, batch) in (0..).zip(&batches) {
        let phi = phis.get(index);
        let (loss, gradient) = autograd(&phi, |phi| task.loss(phi, batch)).unwrap();
        assert!((loss - found.losses[index as usize]).abs() < 1e-5);
        let [of_loss, of_all] = [gradient, found.gradients.get(index)]
            .map(|gradient| Vec::<f32>::try_from(gradient).unwrap());
        assert_close(&of_loss, &of_all, 1e-5);
        // Along the gradient, by central differences.
        let direction = found.gradients.get(index);
        let direction = &direction / direction.norm();
        let value = |step: f64| {
            let moved = &phi + &direction * step;
            no_grad(|| task.loss(&moved, batch).unwrap().double_value(&[]))
        };
        let slope = (value(1e-2) - value(-1e-2)) / 2e-2;
        let norm = found.gradients.get(index).norm().double_value(&[]);
        assert!((slope - norm).abs() < 0.05 * norm, "{slope} is not {norm}");
    }
    let one = try_open(quick(), 1).unwrap();
    let again = one.gradients(&phis, &batches, &call(1)).unwrap();
    assert_eq!(again.losses, found.losses);
    assert_eq!(again.gradients, found.gradients);
    assert_eq!(
        predictions(&one, &phis, Part::All),
        predictions(&task, &phis, Part::All)
    );
    assert!(
        task.gradients(&phis, &[batch(Split::Train, 0, &[1.0]); 2], &call(2))
            .is_err()
    );
}

#[test]
fn sites_that_are_not_tuned_stay_the_identity() {
    let all = open(quick());
    let some = open(Config {
        sites: vec!["layer3".to_owned()],
        ..quick()
    });
    let sites = some.describe().sites;
    assert_eq!(
        sites.iter().map(|site| &*site.name).collect::<Vec<_>>(),
        ["layer3.0.bn1", "layer3.0.bn2"]
    );
    // The last sites of the network, so that their adapter stands at the end.
    let phis = adapters(&some, 2);
    let (whole, own) = (all.describe().dimensions(), some.describe().dimensions());
    let zeros = Tensor::zeros([2, (whole - own) as i64], (Kind::Float, Device::Cpu));
    let padded = Tensor::cat(&[&zeros, &phis], 1);
    assert_eq!(
        predictions(&some, &phis, Part::All),
        predictions(&all, &padded, Part::All)
    );
    let batches = [batch(Split::Train, 1, &[]); 2];
    let own_gradients = some.gradients(&phis, &batches, &call(2)).unwrap();
    let gradients = all.gradients(&padded, &batches, &call(2)).unwrap();
    let expected = gradients
        .gradients
        .narrow(1, (whole - own) as i64, own as i64);
    assert_eq!(own_gradients.gradients, expected);
}

#[test]
fn kept_activations_change_nothing() {
    let kept = open(quick());
    let anew = open(Config {
        stem_cache: 0,
        ..quick()
    });
    let phis = adapters(&kept, 2);
    let pairs = predictions(&kept, &phis, Part::All)
        .into_iter()
        .zip(predictions(&anew, &phis, Part::All));
    for ((a, _), (b, _)) in pairs {
        assert_close(&a, &b, 1e-5);
    }
    let batches = [batch(Split::Train, 1, &[]); 2];
    let [a, b] = [kept, anew].map(|task| task.gradients(&phis, &batches, &call(2)).unwrap());
    assert!((a.losses[1] - b.losses[1]).abs() < 1e-5);
}

#[test]
fn training_images_change_by_step_and_others_never() {
    let task = open(Config {
        augmentation: Augmentation {
            padding: 1,
            flip: false,
        },
        ..quick()
    });
    let plain = open(quick());
    let phi = adapters(&task, 1).get(0);
    let loss = |task: &Classification, split, step| {
        no_grad(|| {
            task.loss(&phi, &batch(split, step, &[]))
                .unwrap()
                .double_value(&[])
        })
    };
    assert_eq!(loss(&task, Split::Train, 4), loss(&task, Split::Train, 4));
    assert!((loss(&task, Split::Train, 4) - loss(&plain, Split::Train, 4)).abs() > 1e-3);
    assert_eq!(
        loss(&task, Split::Validation, 4),
        loss(&plain, Split::Validation, 4)
    );
}

#[test]
fn facts_name_data_network_and_rare_classes() {
    let mut config = quick();
    config.data.split.thin = Thinning {
        classes: vec!["3".to_owned()],
        keep: 0.1,
        everywhere: false,
    };
    config.data.split.train_images = 0;
    let description = open(config).describe();
    assert_eq!(description.classes, Some(10));
    let fact = |name: &str| {
        let mut facts = description.facts.iter();
        &facts.find(|fact| fact.0 == name).unwrap().1
    };
    assert!(fact("data").contains("optical digits"));
    assert_eq!(fact("images"), "8 x 8 pixels, 1 channel, 10 classes");
    assert!(
        fact("train").contains(" images, 9 to "),
        "{}",
        fact("train")
    );
    assert_eq!(
        fact("network"),
        "resnet8, 7 of 7 FiLM sites, trained here, 2 epochs, f32"
    );
}

#[test]
fn what_cannot_be_is_refused() {
    let refused = |config: Config| {
        let error = try_open(config, 1).err().unwrap();
        (error.to_string(), error.hints().join("; "))
    };
    let (message, hint) = refused(Config {
        sites: vec!["layer4".to_owned()],
        ..quick()
    });
    assert!(message.contains("`layer4`"), "{message}");
    assert!(hint.contains("`layer3`"), "{hint}");
    let (message, _) = refused(Config {
        pretraining: Pretraining {
            epochs: 0,
            momentum: 1.0,
            ..Pretraining::default()
        },
        stem_cache: usize::MAX,
        ..quick()
    });
    for key in [
        "`pretraining.epochs`",
        "`pretraining.momentum`",
        "`stem_cache`",
    ] {
        assert!(message.contains(key), "no {key} in {message}");
    }
    let (message, hint) = refused(Config {
        weights: Some("no-such-file.safetensors".into()),
        ..quick()
    });
    assert!(message.contains("no-such-file.safetensors"), "{message}");
    assert!(!hint.is_empty());
}
