//! The task on the built-in digits and on a generated data set.

use metricopt_data::Augmentation;
use metricopt_data::disjoint::{self, DatasetName, Roots};
use metricopt_nn::{NetworkName, Precision, Weights, build};
use metricopt_retrieval::config::Config;
use metricopt_retrieval::loss::Surrogate;
use metricopt_retrieval::pretrain::Pretraining;
use metricopt_retrieval::task::Retrieval;
use metricopt_sdk::tch::{self, Device, Kind, Tensor, no_grad};
use metricopt_sdk::{
    Batch, Call, Context, Part, Predictions, Result, Retrieval as Embeddings, Rows, Split, Task,
};
use std::fmt::Write;

fn call(threads: usize) -> Call<'static> {
    Call {
        threads,
        cancelled: &|| false,
    }
}

/// Hardly trained: opened in a fraction of a second.
fn quick() -> Config {
    Config {
        pretraining: Pretraining {
            steps: 10,
            batch_size: 32,
            ..Pretraining::default()
        },
        ..Config::default()
    }
}

fn try_open(config: Config, threads: usize) -> Result<Retrieval> {
    tch::set_num_threads(1);
    Retrieval::check(&config)?;
    Retrieval::open(
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

/// Adapters `[count, D]`, the first one the identity.
fn adapters(task: &Retrieval, count: usize) -> Tensor {
    let dimensions = task.describe().dimensions();
    let values: Vec<f32> = (0..count * dimensions)
        .map(|index| match index {
            index if index < dimensions => 0.0,
            index => (index as f32 * 0.7).sin() * 0.2,
        })
        .collect();
    Tensor::from_slice(&values).view([count as i64, dimensions as i64])
}

/// Embeddings, labels and rows of the queries of each candidate.
type Found = (Vec<f32>, Vec<i64>, Option<Vec<i64>>);

fn predictions(task: &Retrieval, phis: &Tensor, part: Part) -> Vec<Found> {
    let mut found = Vec::new();
    let rows = Rows {
        split: Split::Validation,
        part,
    };
    task.predict(phis, &rows, &call(2), &mut |first, views| {
        assert_eq!(first, found.len());
        for views in views {
            let view = Embeddings::from_views(views)?;
            found.push((
                view.embeddings().to_vec(),
                view.labels().to_vec(),
                view.query_rows().map(<[i64]>::to_vec),
            ));
        }
        Ok(())
    })
    .unwrap();
    found
}

fn batch(step: u64) -> Batch<'static> {
    Batch {
        split: Split::Train,
        seed: 11,
        step,
        size: 40,
        fraction: 0.5,
        class_weights: &[],
    }
}

#[test]
fn folds_search_the_whole_split_and_are_runs_of_classes() {
    let task = try_open(quick(), 2).unwrap();
    let phis = adapters(&task, 2);
    let all = predictions(&task, &phis, Part::All);
    assert!(all[0].2.is_none() && all[0].0 != all[1].0);
    // Two classes, one after the other.
    assert_eq!(all[0].1.chunk_by(|a, b| a == b).count(), 2);
    let mut rows = Vec::new();
    for index in 0..4 {
        let part = Part::Fold { index, count: 4 };
        let fold = predictions(&task, &phis, part);
        for (whole, fold) in all.iter().zip(&fold) {
            assert_eq!((&whole.0, &whole.1), (&fold.0, &fold.1));
        }
        rows.extend(fold[0].2.clone().unwrap());
    }
    assert_eq!(rows, (0..all[0].1.len() as i64).collect::<Vec<_>>());
}

#[test]
fn a_sample_has_several_images_of_several_classes() {
    let task = try_open(quick(), 2).unwrap();
    let sample =
        |seed| predictions(&task, &adapters(&task, 1), Part::Sample { seed, size: 40 }).remove(0);
    let (embeddings, labels, queries) = sample(1);
    assert_eq!(
        (labels.len(), embeddings.len(), queries),
        (40, 40 * 64, None)
    );
    let first = labels.iter().filter(|&&label| label == labels[0]).count();
    assert_eq!(first, 20);
    assert_eq!(sample(1).0, embeddings);
    assert_ne!(sample(2).0, embeddings);
}

#[test]
fn embeddings_are_those_of_the_folded_network() {
    let task = try_open(quick(), 2).unwrap();
    let splits = disjoint::open(&quick().data, &metricopt_data::Opening::quiet(5)).unwrap();
    let phis = adapters(&task, 2);
    let found = predictions(&task, &phis, Part::All);
    let folded = task.fold(&phis.get(1)).unwrap().into_iter();
    let folded = Weights::from_tensors(folded.map(|named| (named.name, named.tensor))).unwrap();
    let network = build(NetworkName::Conv4, 64, &folded, Device::Cpu, Precision::F32).unwrap();
    let pixels: Vec<f32> = splits
        .validation
        .pixels
        .iter()
        .map(|&byte| (f32::from(byte) / 255.0 - 0.5) / 0.5)
        .collect();
    let images = Tensor::from_slice(&pixels).view([-1, 1, 8, 8]);
    let expected = no_grad(|| {
        let outputs = network
            .plain_logits(&network.stem(&images).unwrap())
            .unwrap();
        let length = outputs
            .square()
            .sum_dim_intlist(-1, true, Kind::Float)
            .sqrt();
        outputs / length
    });
    let expected = Vec::<f32>::try_from(expected.view([-1])).unwrap();
    let apart = found[1].0.iter().zip(&expected).map(|(a, b)| (a - b).abs());
    assert!(apart.fold(0.0, f32::max) < 1e-5);
    assert_eq!(found[1].1, splits.validation.labels);
}

#[test]
fn gradients_are_the_same_alone_side_by_side_and_on_any_threads() {
    for loss in [Surrogate::SupervisedContrastive, Surrogate::ProxyNca] {
        let config = Config { loss, ..quick() };
        let task = try_open(config.clone(), 1).unwrap();
        let other = try_open(config, 3).unwrap();
        let phis = adapters(&task, 2);
        let both = task
            .gradients(&phis, &[batch(0), batch(1)], &call(1))
            .unwrap();
        let again = other
            .gradients(&phis, &[batch(0), batch(1)], &call(3))
            .unwrap();
        assert_eq!(
            (&both.losses, &both.gradients),
            (&again.losses, &again.gradients)
        );
        let alone = task
            .gradients(&phis.narrow(0, 1, 1), &[batch(1)], &call(1))
            .unwrap();
        assert_eq!(alone.gradients.get(0), both.gradients.get(1));
        assert!(both.losses[0] != both.losses[1]);
    }
}

/// Losses of triples take memory by the third power of the rows, and the engine measures its width on many.
#[test]
fn every_loss_bears_as_many_rows_as_the_calibration_takes() {
    let defaults = Retrieval::engine_defaults();
    let rows = defaults["calibration"]["rows"].as_u64().unwrap();
    for loss in [Surrogate::SmoothAp, Surrogate::Triplet] {
        let task = try_open(Config { loss, ..quick() }, 1).unwrap();
        let batch = Batch {
            split: Split::Validation,
            size: rows as usize,
            ..batch(0)
        };
        let phis = adapters(&task, 2).narrow(0, 1, 1);
        let found = task.gradients(&phis, &[batch], &call(1)).unwrap();
        assert!(found.losses[0].is_finite() && found.losses[0] > 0.0);
    }
}

#[test]
fn what_is_out_of_range_is_named() {
    let mut config = Config {
        dimension: 0,
        per_class: 1,
        ..quick()
    };
    config.pretraining.loss = Surrogate::ProxyNca;
    let error = try_open(config, 1).err().unwrap().to_string();
    for key in ["`dimension`", "`per_class`", "`pretraining.loss`"] {
        assert!(error.contains(key), "{error}");
    }
}

/// Three alphabets of two characters with four drawings each.
fn characters(folder: &std::path::Path) {
    for (at, alphabet) in ["Alpha", "Beta", "Gamma"].iter().enumerate() {
        for character in 0..2 {
            let place = folder.join(alphabet).join(format!("character{character}"));
            std::fs::create_dir_all(&place).unwrap();
            for drawing in 0..4 {
                let ink = |x: u32, y: u32| {
                    let stroke = (x + y * (at as u32 + 1) + drawing) % 9 < 2 + character;
                    image::Luma([if stroke { 0 } else { 255 }])
                };
                let picture = image::GrayImage::from_fn(28, 28, ink);
                picture.save(place.join(format!("{drawing}.png"))).unwrap();
            }
        }
    }
}

#[test]
fn characters_are_moved_about_in_pre_training_unless_it_is_said_otherwise() {
    let folder = tempfile::tempdir().unwrap();
    characters(folder.path());
    let weights = |augmentation: Option<Augmentation>| {
        let config = Config {
            data: disjoint::Config {
                dataset: DatasetName::Omniglot,
                root: Some(Roots::One(folder.path().to_owned())),
                split: disjoint::ClassShares {
                    validation: vec!["Beta".to_owned()],
                    test: vec!["Gamma".to_owned()],
                    ..disjoint::ClassShares::default()
                },
                ..disjoint::Config::default()
            },
            pretraining: Pretraining {
                steps: 3,
                batch_size: 8,
                augmentation,
                ..Pretraining::default()
            },
            ..Config::default()
        };
        let task = try_open(config, 1).unwrap();
        let folded = task.fold(&adapters(&task, 1).get(0)).unwrap();
        let first = folded
            .into_iter()
            .find(|named| named.name == "conv1.weight");
        Vec::<f32>::try_from(first.unwrap().tensor.reshape([-1])).unwrap()
    };
    let moved = Augmentation {
        padding: 2,
        flip: false,
    };
    let usual = weights(None);
    assert_eq!(usual, weights(Some(moved)));
    let still = Some(Augmentation::default());
    assert_ne!(usual, weights(still));
}

/// A data set in the layout of Stanford Online Products: products of two images of one colour each.
#[test]
fn five_hundred_products_from_lists() {
    let folder = tempfile::tempdir().unwrap();
    let header = "image_id class_id super_class_id path\n".to_owned();
    let mut lists = [header.clone(), header];
    for product in 0..500_u32 {
        for view in 0..2 {
            let colour = [product % 8 * 30, product / 8 % 8 * 30, product / 64 * 30];
            let colour = colour.map(|value| value as u8 + view);
            let name = format!("bicycle_final/{product}_{view}.png");
            let path = folder.path().join(&name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            image::RgbImage::from_pixel(16, 16, image::Rgb(colour))
                .save(path)
                .unwrap();
            let list = &mut lists[usize::from(product >= 250)];
            writeln!(
                list,
                "{} {} 1 {name}",
                product * 2 + u32::from(view) + 1,
                product + 1
            )
            .unwrap();
        }
    }
    std::fs::write(folder.path().join("Ebay_train.txt"), &lists[0]).unwrap();
    std::fs::write(folder.path().join("Ebay_test.txt"), &lists[1]).unwrap();
    let config = Config {
        data: disjoint::Config {
            dataset: DatasetName::Sop,
            root: Some(Roots::One(folder.path().to_owned())),
            resize: Some(16),
            crop: Some(16),
            ..disjoint::Config::default()
        },
        network: Some(NetworkName::Resnet20),
        pretraining: Pretraining {
            steps: 3,
            batch_size: 16,
            ..Pretraining::default()
        },
        ..Config::default()
    };
    let task = try_open(config, 2).unwrap();
    assert_eq!(task.describe().units, [450, 50, 500]);
    let found = predictions(
        &task,
        &adapters(&task, 1),
        Part::Fold { index: 1, count: 5 },
    );
    assert_eq!(found[0].1.len(), 50);
    assert_eq!(found[0].2.as_ref().unwrap().len(), 10);
}
