//! The task on the built-in digits, held to the network itself, to its own parts and to itself on other threads.
#![expect(
    clippy::unwrap_used,
    reason = "what a test cannot go on without fails it"
)]

use metricopt_data::Opening;
use metricopt_data::detection::{DatasetConfig, DatasetName, Scattered, open as read};
use metricopt_detection::config::{Boxes, Config, SurrogateLoss};
use metricopt_detection::pretrain::Pretraining;
use metricopt_detection::task::Detection;
use metricopt_nn::Weights;
use metricopt_nn::detector::detect::{Keeping, detect};
use metricopt_nn::detector::{Anchors, Detector, DetectorName, Shape};
use metricopt_sdk::tch::{self, Device, Kind, Tensor, no_grad};
use metricopt_sdk::{
    Batch, Call, Context, Detection as Found, Part, Predictions, Result, Rows, Split, Task,
    autograd,
};

const IMAGES: usize = 40;

fn call(threads: usize) -> Call<'static> {
    Call {
        threads,
        cancelled: &|| false,
    }
}

/// Few images and epochs: opened in a second or two.
fn quick() -> Config {
    Config {
        data: DatasetConfig {
            scattered: Scattered {
                train_images: 64,
                validation_images: IMAGES,
                test_images: 8,
                digits: 2,
                ..Scattered::default()
            },
            ..DatasetConfig::default()
        },
        pretraining: Pretraining {
            epochs: 8,
            ..Pretraining::default()
        },
        // A network of so few epochs is sure of nothing.
        boxes: Boxes {
            least_score: 0.01,
            ..Boxes::default()
        },
        ..Config::default()
    }
}

fn try_open(config: Config, threads: usize) -> Result<Detection> {
    tch::set_num_threads(1);
    Detection::check(&config)?;
    Detection::open(
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

fn open(config: Config) -> Detection {
    try_open(config, 2).unwrap()
}

/// Adapters `[count, D]` that differ from each other, the first one the identity.
fn adapters(task: &Detection, count: usize) -> Tensor {
    let dimensions = task.describe().dimensions();
    let values: Vec<f32> = (0..count * dimensions)
        .map(|index| match index {
            index if index < dimensions => 0.0,
            index => (index as f32 * 0.7).sin() * 0.1,
        })
        .collect();
    Tensor::from_slice(&values).view([count as i64, dimensions as i64])
}

/// A box found: image, class, score, corners.
type Row = (i64, i64, f32, [f32; 4]);

/// What a candidate finds, row by row, and the images and classes of the true boxes.
type Answer = (Vec<Row>, Vec<(i64, i64)>);

/// What each candidate finds.
fn predictions(task: &Detection, phis: &Tensor, part: Part) -> Vec<Answer> {
    let mut all = Vec::new();
    let rows = Rows {
        split: Split::Validation,
        part,
    };
    task.predict(phis, &rows, &call(2), &mut |first, views| {
        assert_eq!(first, all.len());
        for views in views {
            let found = Found::from_views(views)?;
            let row = |at: usize| -> Row {
                let corners = found.boxes[at];
                (
                    found.image_ids[at],
                    found.labels[at],
                    found.scores[at],
                    corners,
                )
            };
            let truth = found.gt_image_ids.iter().zip(found.gt_labels);
            all.push((
                (0..found.scores.len()).map(row).collect(),
                truth.map(|(&image, &label)| (image, label)).collect(),
            ));
        }
        Ok(())
    })
    .unwrap();
    all
}

#[track_caller]
fn assert_near(a: &[Row], b: &[Row]) {
    assert_eq!(a.len(), b.len());
    for (a, b) in a.iter().zip(b) {
        assert_eq!((a.0, a.1), (b.0, b.1));
        assert!((a.2 - b.2).abs() < 1e-5, "{a:?} {b:?}");
        let corners = a.3.iter().zip(&b.3);
        // Corners of boxes of some ten pixels are a hundred times coarser than scores.
        assert!(
            corners.clone().all(|(a, b)| (a - b).abs() < 1e-3),
            "{a:?} {b:?}"
        );
    }
}

fn batch(split: Split, step: u64, class_weights: &[f32]) -> Batch<'_> {
    Batch {
        split,
        seed: 11,
        step,
        size: 40,
        fraction: 0.8,
        class_weights,
    }
}

/// At `phi = 0` these are the predictions of the network as it was trained, and at others of the network with the adapter in its
/// weights: nothing but a network without FiLM is asked here.
#[test]
fn predictions_are_those_of_the_network_with_the_adapter_folded_in() {
    let config = quick();
    let scenes = read(&config.data, &Opening::quiet(5)).unwrap().validation;
    let task = open(config);
    let phis = adapters(&task, 3);
    let all = predictions(&task, &phis, Part::All);
    assert!(all[0].0.len() > IMAGES, "{}", all[0].0.len());
    assert_ne!(all[0].0, all[1].0);
    let pixels: Vec<f32> = scenes
        .pixels
        .iter()
        .map(|&byte| f32::from(byte) / 127.5 - 1.0)
        .collect();
    let images = Tensor::from_slice(&pixels).view([IMAGES as i64, 1, 64, 64]);
    let anchors = Anchors::new(DetectorName::Tiny, [64, 64]);
    let keeping = Keeping {
        least_score: 0.01,
        candidates: 300,
        overlap: 0.5,
        limit: 100,
    };
    for (index, (found, truth)) in (0..).zip(&all) {
        let folded = task.fold(&phis.get(index)).unwrap().into_iter();
        let folded = Weights::from_tensors(folded.map(|named| (named.name, named.tensor))).unwrap();
        let shape = Shape::new(DetectorName::Tiny, 1, 10);
        let detector = Detector::build(shape, &folded, Device::Cpu).unwrap();
        let output = no_grad(|| detector.plain_output(&detector.stem(&images).unwrap())).unwrap();
        let flat = |tensor: &Tensor| Vec::<f32>::try_from(tensor.contiguous().view([-1])).unwrap();
        let (logits, codes) = (flat(&output.logits), flat(&output.codes));
        let (logits, codes) = (
            logits.chunks_exact(logits.len() / IMAGES),
            codes.chunks_exact(codes.len() / IMAGES),
        );
        let mut expected: Vec<Row> = Vec::new();
        for (image, (logits, codes)) in (0..).zip(logits.zip(codes)) {
            for found in detect(logits, codes, &anchors, [64.0, 64.0], &keeping) {
                let [x1, y1, x2, y2] = found.corners;
                // Counted from 1, and the last pixel is the one in front of the right border.
                let corners = [x1 + 1.0, y1 + 1.0, x2, y2];
                expected.push((image, i64::from(found.class), found.score, corners));
            }
        }
        assert_near(found, &expected);
        let objects = scenes.scenes.iter().zip(0..);
        let objects = objects.flat_map(|(scene, image)| {
            scene
                .objects
                .iter()
                .map(move |object| (image, object.class))
        });
        assert_eq!(truth, &objects.collect::<Vec<_>>());
    }
}

#[test]
fn folds_share_out_the_images_and_change_no_prediction() {
    let task = open(quick());
    let phis = adapters(&task, 2);
    let all = predictions(&task, &phis, Part::All);
    let folds: Vec<_> = (0..3)
        .map(|index| predictions(&task, &phis, Part::Fold { index, count: 3 }))
        .collect();
    for (candidate, (found, truth)) in all.iter().enumerate() {
        let joined = |index: usize| folds[index][candidate].clone();
        let (rows, objects): (Vec<_>, Vec<_>) = (0..3).map(joined).unzip();
        assert_eq!(&objects.concat(), truth);
        assert_near(&rows.concat(), found);
    }
    let alone = predictions(&task, &phis.narrow(0, 1, 1), Part::All);
    assert_eq!(alone[0], all[1]);
}

#[test]
fn any_number_of_threads_gives_the_same_bits() {
    for loss in [SurrogateLoss::Focal, SurrogateLoss::ApLoss] {
        let [one, three] = [1, 3].map(|threads| {
            let task = try_open(Config { loss, ..quick() }, threads).unwrap();
            let phis = adapters(&task, 2);
            let weights: Vec<f32> = (1..=10).map(|class| class as f32).collect();
            let batches = [
                batch(Split::Train, 0, &[]),
                batch(Split::Validation, 3, &weights),
            ];
            let found = task.gradients(&phis, &batches, &call(threads)).unwrap();
            let found_boxes = predictions(&task, &phis, Part::All);
            (found.losses, found.gradients, found_boxes)
        });
        assert_eq!(one.0, three.0);
        assert_eq!(one.1, three.1);
        assert_eq!(one.2, three.2);
    }
}

#[test]
fn gradients_are_those_of_the_loss() {
    for loss in [SurrogateLoss::Focal, SurrogateLoss::ApLoss] {
        let task = open(Config { loss, ..quick() });
        let phis = adapters(&task, 2);
        let weights: Vec<f32> = (1..=10).map(|class| class as f32).collect();
        let batches = [
            batch(Split::Train, 0, &[]),
            batch(Split::Validation, 3, &weights),
        ];
        let found = task.gradients(&phis, &batches, &call(2)).unwrap();
        for (index, batch) in (0..).zip(&batches) {
            let phi = phis.get(index);
            let (value, gradient) = autograd(&phi, |phi| task.loss(phi, batch)).unwrap();
            assert!((value - found.losses[index as usize]).abs() < 1e-5);
            let difference = (&gradient - found.gradients.get(index)).abs().max();
            assert!(difference.double_value(&[]) < 1e-5, "{loss:?}");
            assert!(gradient.norm().double_value(&[]) > 1e-3, "{loss:?}");
        }
        let wrong = task.gradients(&phis, &[batch(Split::Train, 0, &[1.0]); 2], &call(2));
        let error = wrong.err().unwrap().to_string();
        assert!(error.contains("1 class weights for 10 classes"), "{error}");
    }
}

/// The error-driven update has no derivative to be held to: following it has to make the ranking better.
#[test]
fn following_ap_loss_ranks_better() {
    let task = open(Config {
        loss: SurrogateLoss::ApLoss,
        ..quick()
    });
    let batch = batch(Split::Train, 0, &[]);
    let mut phi = adapters(&task, 1);
    let mut losses = Vec::new();
    for _ in 0..20 {
        let found = task.gradients(&phi, &[batch], &call(2)).unwrap();
        losses.push(found.losses[0]);
        let unit = &found.gradients / found.gradients.norm();
        phi -= unit * 0.1;
    }
    let (first, last) = (losses[0], losses[19]);
    assert!(last < first - 0.05, "{losses:?}");
}

#[test]
fn kept_activations_change_nothing() {
    let kept = open(quick());
    let anew = open(Config {
        stem_cache: 0,
        ..quick()
    });
    let phis = adapters(&kept, 2);
    let [a, b] = [&kept, &anew].map(|task| predictions(task, &phis, Part::All));
    for (a, b) in a.iter().zip(&b) {
        assert_near(&a.0, &b.0);
    }
}

#[test]
fn digits_are_not_mirrored_unless_asked_for() {
    let losses = [None, Some(false), Some(true)].map(|flip| {
        let mut config = quick();
        config.pretraining.flip = flip;
        let task = open(config);
        let phi = Tensor::zeros(
            [task.describe().dimensions() as i64],
            (Kind::Float, Device::Cpu),
        );
        let loss = no_grad(|| task.loss(&phi, &batch(Split::Train, 0, &[]))).unwrap();
        loss.double_value(&[])
    });
    assert_eq!(losses[0], losses[1]);
    assert_ne!(losses[0], losses[2]);
}

#[test]
fn a_data_set_that_is_not_there_is_asked_for_by_its_files() {
    for (dataset, name, files) in [
        (
            DatasetName::Voc2007,
            "voc2007",
            &["VOCtrainval_06-Nov-2007.tar", "VOCtest_06-Nov-2007.tar"][..],
        ),
        (
            DatasetName::Voc2012,
            "voc2012",
            &["VOCtrainval_11-May-2012.tar"],
        ),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("devkit");
        let config = Config {
            data: DatasetConfig {
                dataset,
                root: Some(root.clone()),
                ..DatasetConfig::default()
            },
            ..Config::default()
        };
        let error = try_open(config, 1).err().unwrap();
        let text = error.to_string();
        let shown = root.display().to_string();
        assert!(text.contains(&shown), "{text}");
        let hints = error.hints().join("\n");
        for part in files {
            let url = format!("http://host.robots.ox.ac.uk/pascal/VOC/{name}/{part}");
            assert!(hints.contains(&url), "no `{url}` in {hints}");
        }
        for part in [&format!("host data fetch {name}"), &shown] {
            assert!(hints.contains(part), "no `{part}` in {hints}");
        }
    }
}

#[test]
fn pictures_are_the_images_and_boxes_lie_on_them() {
    let task = open(quick());
    let found = task.pictures(Split::Test, &[2, 0]).unwrap().unwrap();
    assert_eq!(found.classes.len(), 10);
    let [third, first] = found.pictures.as_slice() else {
        panic!("two pictures")
    };
    assert!(third.check().is_ok() && first.check().is_ok());
    assert_ne!(third.pixels, first.pixels);
    // Generated scenes are not resized: pixels counted from 1.
    let [_, height, width] = third.shape.map(|extent| extent as f32);
    assert_eq!(third.corners, [1.0, 1.0, width, height]);
    let error = task.pictures(Split::Test, &[8]).unwrap_err();
    assert!(error.to_string().contains("no image 8"), "{error}");
}
