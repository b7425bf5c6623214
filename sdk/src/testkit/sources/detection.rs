//! Boxes found and boxes true.

use super::{FOLDS, Scorer, Source, are_distinct, increasing, sigmoid};
use crate::testkit::Sample;
use crate::testkit::draws::Draws;

/// Boxes on a set of images.
#[derive(Clone, Copy)]
pub(crate) struct Boxes;

const CLASSES: usize = 3;
const IMAGES: usize = 12;

/// A box on an image: predicted if it has a score, true otherwise.
#[derive(Clone, Copy)]
struct Box4 {
    corners: [f32; 4],
    label: i64,
    image: i64,
}

/// Predicted boxes with their scores, and true boxes with whether they are difficult.
#[derive(Clone, Default)]
struct Scene {
    found: Vec<(Box4, f32)>,
    truth: Vec<(Box4, bool)>,
}

impl Scene {
    fn sample(&self, name: &str) -> Sample {
        let corners = |boxes: &mut dyn Iterator<Item = Box4>| -> Vec<f32> {
            boxes.flat_map(|box4| box4.corners).collect()
        };
        let found = || self.found.iter().map(|(box4, _)| *box4);
        let truth = || self.truth.iter().map(|(box4, _)| *box4);
        let difficult = self.truth.iter().map(|(_, difficult)| u8::from(*difficult));
        Sample::new(name)
            .f32("boxes", self.found.len(), Some(4), corners(&mut found()))
            .f32(
                "scores",
                self.found.len(),
                None,
                self.found.iter().map(|(_, score)| *score).collect(),
            )
            .i64("labels", found().map(|box4| box4.label).collect())
            .i64("image_ids", found().map(|box4| box4.image).collect())
            .f32("gt_boxes", self.truth.len(), Some(4), corners(&mut truth()))
            .i64("gt_labels", truth().map(|box4| box4.label).collect())
            .i64("gt_image_ids", truth().map(|box4| box4.image).collect())
            .u8("gt_difficult", difficult.collect())
    }

    fn counted(&self) -> Sample {
        self.sample(&format!(
            "boxes, {} found and {} true",
            self.found.len(),
            self.truth.len()
        ))
    }
}

impl Boxes {
    fn anywhere(self, draws: &mut Draws, image: i64) -> Box4 {
        let mut extent = || {
            let low = 400.0 * draws.uniform();
            (low as f32, (low + 30.0 + 70.0 * draws.uniform()) as f32)
        };
        let ((x1, x2), (y1, y2)) = (extent(), extent());
        Box4 {
            corners: [x1, y1, x2, y2],
            label: draws.below(CLASSES) as i64,
            image,
        }
    }

    fn truth(self, draws: &mut Draws) -> Vec<(Box4, bool)> {
        let mut truth = Vec::new();
        for image in 0..IMAGES {
            for _ in 0..=draws.below(4) {
                truth.push((self.anywhere(draws, image as i64), draws.uniform() < 0.1));
            }
        }
        truth
    }

    /// Most true boxes found, some of them badly, and as many that are none.
    fn found(self, draws: &mut Draws, truth: &[(Box4, bool)]) -> Vec<(Box4, f32)> {
        let mut found = Vec::new();
        for (box4, _) in truth {
            let mut near = *box4;
            let noise = 12.0 * draws.uniform();
            for corner in &mut near.corners {
                *corner += (noise * draws.normal()) as f32;
            }
            if draws.uniform() < 0.1 {
                near.label = draws.below(CLASSES) as i64;
            }
            if draws.uniform() < 0.85 {
                found.push((
                    near,
                    sigmoid(1.0 + 1.2 * draws.normal() - 0.1 * noise) as f32,
                ));
            }
            let wrong = self.anywhere(draws, box4.image);
            found.push((wrong, sigmoid(-0.5 + 1.2 * draws.normal()) as f32));
        }
        found
    }

    fn scene(self, draws: &mut Draws) -> Scene {
        let truth = self.truth(draws);
        Scene {
            found: self.distinct(draws, &truth),
            truth,
        }
    }

    fn distinct(self, draws: &mut Draws, truth: &[(Box4, bool)]) -> Vec<(Box4, f32)> {
        let mut found = Vec::new();
        // Equal scores are rare in 32 bits.
        for _ in 0..100 {
            found = self.found(draws, truth);
            let scores: Vec<f32> = found.iter().map(|(_, score)| *score).collect();
            if are_distinct(&scores, 1) {
                break;
            }
        }
        found
    }
}

impl Source for Boxes {
    fn name(&self) -> String {
        "detection".to_owned()
    }

    fn ordinary(&self, draws: &mut Draws) -> Sample {
        self.scene(draws).counted()
    }

    fn on_grid(&self, draws: &mut Draws, steps: usize) -> Sample {
        let mut scene = self.scene(draws);
        for (_, score) in &mut scene.found {
            *score = (*score * steps as f32).floor().max(1.0) / steps as f32;
        }
        scene.counted()
    }

    fn graded(&self, seed: u64, share: f64) -> Sample {
        let mut draws = Draws::new(seed, "graded boxes", 0);
        let truth = self.truth(&mut draws);
        let mut found = Vec::new();
        for &(box4, _) in &truth {
            let random = self.anywhere(&mut draws, box4.image);
            let score = 0.9 * draws.uniform();
            let right = 0.9 + 0.1 * draws.uniform();
            found.push(if draws.uniform() < share {
                (box4, right as f32)
            } else {
                (random, score as f32)
            });
        }
        Scene { found, truth }.counted()
    }

    fn candidates(&self, draws: &mut Draws, count: usize) -> Vec<Sample> {
        let truth = self.truth(draws);
        (0..count)
            .map(|_| {
                let scene = Scene {
                    found: self.distinct(draws, &truth),
                    truth: truth.clone(),
                };
                scene.counted()
            })
            .collect()
    }

    fn transformed(&self, sample: &Sample, index: usize) -> Option<Sample> {
        let mut sample = sample.clone();
        for score in sample.f32_mut("scores") {
            *score = increasing(index, *score);
        }
        Some(sample)
    }

    fn degenerate(&self) -> Vec<Sample> {
        let box4 = |corners: [f32; 4], label: i64, image: i64| Box4 {
            corners,
            label,
            image,
        };
        let square = |image: i64| box4([10.0, 10.0, 50.0, 60.0], image % 3, image);
        let truth: Vec<(Box4, bool)> = (0..6).map(|image| (square(image), false)).collect();
        let right: Vec<(Box4, f32)> = truth.iter().map(|(box4, _)| (*box4, 0.9)).collect();
        // Every predicted box of a right answer changed.
        let changed = |change: &dyn Fn(usize, &mut Box4, &mut f32)| {
            let mut found = right.clone();
            for (at, (box4, score)) in found.iter_mut().enumerate() {
                change(at, box4, score);
            }
            Scene {
                found,
                truth: truth.clone(),
            }
        };
        let difficult = truth.iter().map(|(box4, _)| (*box4, true)).collect();
        let huge = |scale: f32, mut scene: Scene| {
            let found = scene.found.iter_mut().map(|(box4, _)| box4);
            let truth = scene.truth.iter_mut().map(|(box4, _)| box4);
            for box4 in found.chain(truth) {
                box4.corners = box4.corners.map(|corner| corner * scale);
            }
            scene
        };
        let flat = |mut scene: Scene| {
            let found = scene.found.iter_mut().map(|(box4, _)| box4);
            let truth = scene.truth.iter_mut().map(|(box4, _)| box4);
            for box4 in found.chain(truth) {
                box4.corners[2] = box4.corners[0];
            }
            scene
        };
        let scenes = [
            ("no box at all", Scene::default()),
            (
                "no box found",
                Scene {
                    truth: truth.clone(),
                    ..Scene::default()
                },
            ),
            (
                "no box true",
                Scene {
                    found: right.clone(),
                    ..Scene::default()
                },
            ),
            (
                "one box, found",
                Scene {
                    found: right[..1].to_vec(),
                    truth: truth[..1].to_vec(),
                },
            ),
            (
                "all true boxes difficult",
                Scene {
                    found: right.clone(),
                    truth: difficult,
                },
            ),
            ("everything right, all scores equal", changed(&|_, _, _| {})),
            (
                "scores 0 and 1",
                changed(&|at, _, score| *score = (at % 2) as f32),
            ),
            (
                "all boxes of the wrong class",
                changed(&|_, box4, _| box4.label = (box4.label + 1) % 3),
            ),
            (
                "a class without a true box",
                changed(&|_, box4, _| box4.label = 77),
            ),
            (
                "an image without a true box",
                changed(&|_, box4, _| box4.image = 1000),
            ),
            (
                "every box found twice",
                Scene {
                    found: right.iter().chain(&right).copied().collect(),
                    truth: truth.clone(),
                },
            ),
            ("boxes without area", flat(changed(&|_, _, _| {}))),
            (
                "corners the wrong way round",
                changed(&|_, box4, _| box4.corners.swap(0, 2)),
            ),
            ("huge boxes", huge(1e30, changed(&|_, _, _| {}))),
            ("tiny boxes", huge(1e-42, changed(&|_, _, _| {}))),
            (
                "scores that are no probabilities",
                changed(&|at, _, score| *score = if at % 2 == 0 { f32::MAX } else { f32::MIN }),
            ),
        ];
        scenes
            .iter()
            .map(|(name, scene)| scene.sample(name))
            .collect()
    }

    fn scorer(&self, draws: &mut Draws) -> Box<dyn Scorer> {
        Box::new(Head {
            folds: (0..FOLDS).map(|_| self.scene(draws)).collect(),
        })
    }
}

/// Boxes that are shifted and scaled, and scores that are scaled and shifted class by class, by the adapter.
struct Head {
    folds: Vec<Scene>,
}

impl Scorer for Head {
    fn dimensions(&self) -> usize {
        4 + 2 * CLASSES
    }

    fn predict(&self, phi: &[f64], fold: usize) -> Sample {
        let mut scene = self.folds[fold].clone();
        let (place, classes) = phi.split_at(4);
        for (box4, score) in &mut scene.found {
            let label = box4.label as usize % CLASSES;
            let logit = (f64::from(*score) / (1.0 - f64::from(*score)).max(1e-9))
                .max(1e-9)
                .ln();
            *score = sigmoid(logit * (1.0 + classes[label]) + classes[CLASSES + label]) as f32;
            for axis in 0..2 {
                let (low, high) = (box4.corners[axis], box4.corners[axis + 2]);
                let middle = f64::from(low + high) / 2.0 + 10.0 * place[axis];
                let half = f64::from(high - low) / 2.0 * (1.0 + 0.3 * place[axis + 2]);
                box4.corners[axis] = (middle - half) as f32;
                box4.corners[axis + 2] = (middle + half) as f32;
            }
        }
        scene.counted()
    }
}
