//! Candidates side by side, as on a GPU, held to one after the other.
use super::*;
use crate::config::Boxes;
use crate::pretrain::Pretraining;
use metricopt_data::detection::{DatasetConfig, Scattered};
use metricopt_sdk::DeviceMemory;

const CALL: Call<'static> = Call {
    threads: 2,
    cancelled: &|| false,
};

/// Few images and epochs, and a threshold for a network that is sure of nothing.
fn open(loss: SurrogateLoss) -> Detection {
    metricopt_sdk::tch::set_num_threads(1);
    let config = Config {
        data: DatasetConfig {
            scattered: Scattered {
                train_images: 64,
                validation_images: 40,
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
        boxes: Boxes {
            least_score: 0.01,
            ..Boxes::default()
        },
        loss,
        ..Config::default()
    };
    let context = Context {
        device: Device::Cpu,
        seed: 5,
        cache: None,
        progress: &|_, _, _| (),
        call: CALL,
    };
    Detection::open(config, &context).unwrap()
}

/// Adapters `[count, D]` that differ from each other.
fn adapters(task: &Detection, count: i64) -> Tensor {
    let dimensions = task.describe().dimensions() as i64;
    let steps = Tensor::arange(count * dimensions, (Dtype::Float, Device::Cpu));
    ((steps * 0.7).sin() * 0.1).view([count, dimensions])
}

/// Room for three images of three candidates at a time, and for all.
#[test]
fn the_same_boxes_are_found() {
    let mut task = open(SurrogateLoss::Focal);
    let phis = adapters(&task, 3);
    let chosen: Vec<u32> = (0..40).filter(|row| row % 3 != 1).collect();
    let part = &task.parts[Split::Validation as usize];
    let expected = task.find_one_by_one(&phis, part, &chosen, &CALL).unwrap();
    let rows = |blocks: &[Vec<FoundBoxes>], candidate: usize| -> Vec<(i64, i64, [f32; 5])> {
        let of_block = |block: &Vec<FoundBoxes>| {
            let found = &block[candidate];
            let places = 0..found.scores.len();
            let row = |at: usize| {
                let [x1, y1, x2, y2] = [0, 1, 2, 3].map(|side| found.boxes[4 * at + side]);
                let numbers = [found.scores[at] * 100.0, x1, y1, x2, y2];
                (found.image_ids[at], found.labels[at], numbers)
            };
            places.map(row).collect::<Vec<_>>()
        };
        blocks.iter().flat_map(of_block).collect()
    };
    let values = task.entrance.stem_values();
    for (room, passes) in [(9, 9), (1000, 1)] {
        task.entrance.memory = DeviceMemory::new(room * values);
        let part = &task.parts[Split::Validation as usize];
        let found = task.find_side_by_side(&phis, part, &chosen, &CALL).unwrap();
        assert_eq!(found.len(), passes);
        for candidate in 0..3 {
            let (found, expected) = (rows(&found, candidate), rows(&expected, candidate));
            assert_eq!(found.len(), expected.len());
            assert!(found.len() > 10, "{}", found.len());
            for (a, b) in found.iter().zip(&expected) {
                assert_eq!((a.0, a.1), (b.0, b.1));
                let near = a.2.iter().zip(b.2).all(|(a, b)| (a - b).abs() < 1e-2);
                assert!(near, "{a:?} {b:?}");
            }
        }
    }
}

/// Minibatches of several pieces, one with class weights; room for one piece at a time, for two, and for all.
#[test]
fn the_same_gradients_are_found() {
    for loss in [SurrogateLoss::Focal, SurrogateLoss::ApLoss] {
        let mut task = open(loss);
        let phis = adapters(&task, 3);
        let weights: Vec<f32> = (1..=10).map(|class| class as f32).collect();
        let batch = |step, size, class_weights| Batch {
            split: Split::Train,
            seed: 11,
            step,
            size,
            fraction: 1.0,
            class_weights,
        };
        let batches = [
            batch(0, 40, &[][..]),
            batch(1, 40, &weights),
            batch(2, 30, &[]),
        ];
        let expected = task.gradients(&phis, &batches, &CALL).unwrap();
        let sites = task.entrance.detector.sites().len();
        let piece = task.entrance.block() * task.entrance.stem_values() * sites;
        for room in [1, 2, 100] {
            task.entrance.memory = DeviceMemory::new(room * piece);
            let minibatches: Result<Vec<_>> = batches.iter().map(|b| task.minibatch(b)).collect();
            let minibatches = minibatches.unwrap();
            let entrance = &task.entrance;
            let found =
                side_by_side::gradients(entrance, &minibatches, &phis, &task.pool, &CALL).unwrap();
            for (found, expected) in found.losses.iter().zip(&expected.losses) {
                assert!(
                    (found - expected).abs() < 1e-5 * expected,
                    "{found} {expected}"
                );
            }
            let off = (&found.gradients - &expected.gradients).abs().max();
            let largest = expected.gradients.abs().max();
            let off = (off / largest).double_value(&[]);
            assert!(off < 1e-4, "{loss:?} {room}: {off}");
        }
    }
}
