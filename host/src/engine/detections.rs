//! Boxes found and true boxes, image by image, so that images can be drawn again.

use metricopt_sdk::{Data, Detection, Result, View, Views};
use std::collections::{BTreeMap, BTreeSet};

/// What is on one image.
#[derive(Clone, Debug, Default)]
struct Image {
    /// Corners, score and class.
    found: Vec<([f32; 4], f32, i64)>,
    /// Corners, class and whether it is difficult.
    truth: Vec<([f32; 4], i64, u8)>,
}

/// The predictions of one model by image.
#[derive(Clone, Debug)]
pub struct Detections(BTreeMap<i64, Image>);

impl Detections {
    /// A copy of all boxes.
    pub fn of(input: Detection<'_>) -> Self {
        let mut images: BTreeMap<i64, Image> = BTreeMap::new();
        let found = input.boxes.iter().zip(input.scores).zip(input.labels);
        for (((&corners, &score), &class), &image) in found.zip(input.image_ids) {
            let found = &mut images.entry(image).or_default().found;
            found.push((corners, score, class));
        }
        let truth = input.gt_boxes.iter().zip(input.gt_labels);
        let truth = truth.zip(input.gt_difficult).zip(input.gt_image_ids);
        for (((&corners, &class), &difficult), &image) in truth {
            let truth = &mut images.entry(image).or_default().truth;
            truth.push((corners, class, difficult));
        }
        Self(images)
    }

    /// The images that some of the models or the truth has a box on, ascending: on all others there is nothing to count.
    pub fn images(models: &[Self]) -> Vec<i64> {
        let all: BTreeSet<i64> = models
            .iter()
            .flat_map(|model| model.0.keys())
            .copied()
            .collect();
        all.into_iter().collect()
    }

    /// Calls `call` with the tensors of the given images, as often as they stand there: each time is an image of its own.
    ///
    /// # Errors
    ///
    /// Those of `call`.
    pub fn with_images<T>(
        &self,
        images: impl Iterator<Item = i64>,
        call: impl FnOnce(&Views<'_>) -> Result<T>,
    ) -> Result<T> {
        let (mut boxes, mut scores, mut labels, mut ids) = (vec![], vec![], vec![], vec![]);
        let (mut gt_boxes, mut gt_labels, mut gt_ids, mut gt_difficult) =
            (vec![], vec![], vec![], vec![]);
        for (id, image) in (0_i64..).zip(images) {
            let Some(image) = self.0.get(&image) else {
                continue;
            };
            for &(corners, score, class) in &image.found {
                boxes.extend(corners);
                scores.push(score);
                labels.push(class);
                ids.push(id);
            }
            for &(corners, class, difficult) in &image.truth {
                gt_boxes.extend(corners);
                gt_labels.push(class);
                gt_difficult.push(difficult);
                gt_ids.push(id);
            }
        }
        let (found, truth) = ([scores.len(), 4], [gt_labels.len(), 4]);
        let tensors = [
            View::new("boxes", &found, Data::F32(&boxes))?,
            View::new("scores", &found[..1], Data::F32(&scores))?,
            View::new("labels", &found[..1], Data::I64(&labels))?,
            View::new("image_ids", &found[..1], Data::I64(&ids))?,
            View::new("gt_boxes", &truth, Data::F32(&gt_boxes))?,
            View::new("gt_labels", &truth[..1], Data::I64(&gt_labels))?,
            View::new("gt_image_ids", &truth[..1], Data::I64(&gt_ids))?,
            View::new("gt_difficult", &truth[..1], Data::U8(&gt_difficult))?,
        ];
        call(&Views::new(&tensors))
    }
}
