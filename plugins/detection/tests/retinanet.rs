//! The task with a RetinaNet of random weights, held to the network itself and to itself on other threads.
#![expect(
    clippy::unwrap_used,
    reason = "what a test cannot go on without fails it"
)]

use metricopt_data::Opening;
use metricopt_data::detection::{DatasetConfig, Scattered, open as read};
use metricopt_detection::config::Config;
use metricopt_detection::task::Detection;
use metricopt_nn::Weights;
use metricopt_nn::detector::detect::detect;
use metricopt_nn::detector::retinanet::select_classes;
use metricopt_nn::detector::{Anchors, Detector, DetectorName, Shape};
use metricopt_sdk::tch::{self, Device, Kind, Tensor, no_grad};
use metricopt_sdk::{
    Batch, Call, Context, Detection as Found, Part, Predictions, Result, Rows, Split, Task,
};
use std::path::Path;
use tempfile::TempDir;

const NETWORK: DetectorName = DetectorName::RetinanetResnet18;

/// Validation images.
const IMAGES: usize = 3;

/// A score, a class and corners of an image.
type Row = (i64, i64, f32, [f32; 4]);

fn call(threads: usize) -> Call<'static> {
    Call {
        threads,
        cancelled: &|| false,
    }
}

/// Scores for the ten digits and, in front of them, background.
fn weights(folder: &TempDir) -> Weights {
    let path = folder.path().join("weights.safetensors");
    let weights = Shape::new(NETWORK, 3, 11).initialise(2).unwrap();
    weights.write(&path).unwrap();
    weights
}

fn config(folder: &Path, sites: &[&str]) -> Config {
    Config {
        data: DatasetConfig {
            scattered: Scattered {
                train_images: 6,
                validation_images: IMAGES,
                test_images: 1,
                ..Scattered::default()
            },
            ..DatasetConfig::default()
        },
        network: NETWORK,
        weights: Some(folder.join("weights.safetensors")),
        sites: sites.iter().map(|&site| site.to_owned()).collect(),
        ..Config::default()
    }
}

fn open(config: Config, threads: usize) -> Result<Detection> {
    tch::set_num_threads(1);
    Detection::check(&config)?;
    let context = Context {
        device: Device::Cpu,
        seed: 5,
        cache: None,
        progress: &|_, _, _| (),
        call: call(threads),
    };
    Detection::open(config, &context)
}

fn adapter(task: &Detection, scale: f64) -> Tensor {
    let dimensions = task.describe().dimensions() as i64;
    (Tensor::arange(dimensions, (Kind::Float, Device::Cpu)) * 0.7).sin() * scale
}

fn predictions(task: &Detection, phi: &Tensor) -> Vec<Row> {
    let rows = Rows {
        split: Split::Validation,
        part: Part::All,
    };
    let mut all = Vec::new();
    task.predict(&phi.unsqueeze(0), &rows, &call(2), &mut |_, views| {
        for views in views {
            let found = Found::from_views(views)?;
            let row = |at: usize| {
                let (image, label) = (found.image_ids[at], found.labels[at]);
                (image, label, found.scores[at], found.boxes[at])
            };
            all.extend((0..found.scores.len()).map(row));
        }
        Ok(())
    })
    .unwrap();
    all
}

fn gradient(task: &Detection, phi: &Tensor, threads: usize) -> (f64, Tensor) {
    let batch = Batch {
        split: Split::Train,
        seed: 11,
        step: 0,
        size: 4,
        fraction: 1.0,
        class_weights: &[],
    };
    let found = task
        .gradients(&phi.unsqueeze(0), &[batch], &call(threads))
        .unwrap();
    (found.losses[0], found.gradients.get(0))
}

/// What the network without FiLM finds on images normalised here by the statistics of ImageNet.
#[test]
fn at_zero_predictions_are_those_of_the_network_without_an_adapter() {
    let folder = TempDir::new().unwrap();
    let all = weights(&folder);
    let config = config(folder.path(), &[]);
    let scenes = read(&config.data, &Opening::quiet(5)).unwrap().validation;
    let task = open(config, 2).unwrap();
    let found = predictions(&task, &adapter(&task, 0.0));
    let grey: Vec<f32> = scenes
        .pixels
        .iter()
        .map(|&byte| f32::from(byte) / 255.0)
        .collect();
    let grey = Tensor::from_slice(&grey).view([IMAGES as i64, 1, 64, 64]);
    let [mean, deviation] = [[0.485_f32, 0.456, 0.406], [0.229, 0.224, 0.225]]
        .map(|values| Tensor::from_slice(&values).view([1, 3, 1, 1]));
    let images = (grey - mean) / deviation;
    let digits: Vec<usize> = (1..=10).collect();
    let digits = select_classes(all, &digits).unwrap();
    let detector = Detector::build(Shape::new(NETWORK, 3, 10), &digits, Device::Cpu).unwrap();
    let output = no_grad(|| detector.plain_output(&detector.stem(&images).unwrap())).unwrap();
    let anchors = Anchors::new(NETWORK, [64, 64]);
    let mut expected: Vec<Row> = Vec::new();
    for image in 0..IMAGES as i64 {
        let flat = |tensor: &Tensor| -> Vec<f32> {
            Vec::try_from(tensor.get(image).contiguous().view([-1])).unwrap()
        };
        let (logits, codes) = (flat(&output.logits), flat(&output.codes));
        for found in detect(&logits, &codes, &anchors, [64.0; 2], &NETWORK.keeping()) {
            let [x1, y1, x2, y2] = found.corners;
            let corners = [x1 + 1.0, y1 + 1.0, x2, y2];
            expected.push((image, i64::from(found.class), found.score, corners));
        }
    }
    assert!(found.len() > IMAGES, "{}", found.len());
    assert_eq!(found.len(), expected.len());
    for (found, expected) in found.iter().zip(&expected) {
        assert_eq!((found.0, found.1), (expected.0, expected.1));
        assert!(
            (found.2 - expected.2).abs() < 1e-3,
            "{found:?} {expected:?}"
        );
    }
}

#[test]
fn chosen_sites_have_their_part_of_the_gradient_on_any_number_of_threads() {
    let folder = TempDir::new().unwrap();
    weights(&folder);
    let task = open(config(folder.path(), &[]), 3).unwrap();
    let (loss, whole) = gradient(&task, &adapter(&task, 0.0), 3);
    let one = open(config(folder.path(), &[]), 1).unwrap();
    assert_eq!(
        gradient(&one, &adapter(&one, 0.0), 1),
        (loss, whole.shallow_clone())
    );
    let heads = open(config(folder.path(), &["head"]), 2).unwrap();
    let sites = heads.describe().sites;
    assert_eq!(sites.len(), 8);
    assert_eq!(sites[0].name, "head.classification_head.conv.0.0");
    let phi = adapter(&heads, 0.0);
    let (same, part) = gradient(&heads, &phi, 2);
    assert_eq!(same, loss);
    // The heads come last.
    let length = 8 * 2 * 256;
    assert_eq!(part, whole.narrow(0, whole.size()[0] - length, length));
    assert!(part.abs().max().double_value(&[]) > 0.0);
    assert_ne!(
        predictions(&heads, &phi),
        predictions(&heads, &adapter(&heads, 0.1))
    );
}
