//! Detection: images are drawn again, each with the boxes found on it and the true ones.

use metricopt_sdk::{Call, Data, Detection, DynMetric, Predictions, Result, View, Views};

use super::Units;

/// Boxes of one sort, found or true.
struct Sort {
    corners: Vec<f32>,
    labels: Vec<i64>,
    images: Vec<i64>,
}

impl Sort {
    fn new(corners: &[[f32; 4]], labels: &[i64], images: &[i64]) -> Self {
        Self {
            corners: corners.as_flattened().to_vec(),
            labels: labels.to_vec(),
            images: images.to_vec(),
        }
    }

    /// The rows of the boxes on each of some images, which are ascending.
    fn on(&self, images: &[i64]) -> Vec<Vec<usize>> {
        let mut rows = vec![Vec::new(); images.len()];
        for (row, image) in self.images.iter().enumerate() {
            if let Ok(place) = images.binary_search(image) {
                rows[place].push(row);
            }
        }
        rows
    }

    /// The boxes at some rows, on the images of a sample.
    fn gather(&self, drawn: &[(i64, usize)]) -> Self {
        let corners = drawn.iter();
        let corners = corners.flat_map(|&(_, row)| &self.corners[4 * row..4 * row + 4]);
        Self {
            corners: corners.copied().collect(),
            labels: drawn.iter().map(|&(_, row)| self.labels[row]).collect(),
            images: drawn.iter().map(|&(image, _)| image).collect(),
        }
    }
}

/// The boxes that one model found, and the true ones.
pub struct Boxes {
    found: Sort,
    scores: Vec<f32>,
    truth: Sort,
    difficult: Vec<u8>,
}

/// The images that any model found a box on, or that have a true one, ascending.
pub fn images_of(models: &[Boxes]) -> Vec<i64> {
    let of_model = |boxes: &Boxes| [&boxes.found, &boxes.truth].map(|sort| sort.images.clone());
    let mut images: Vec<i64> = models.iter().flat_map(of_model).flatten().collect();
    images.sort_unstable();
    images.dedup();
    images
}

impl Boxes {
    /// Of the predictions of one model.
    ///
    /// # Errors
    ///
    /// If the tensors are none of detection.
    pub fn new(views: &Views<'_>) -> Result<Self> {
        let input = Detection::from_views(views)?;
        Ok(Self {
            found: Sort::new(input.boxes, input.labels, input.image_ids),
            scores: input.scores.to_vec(),
            truth: Sort::new(input.gt_boxes, input.gt_labels, input.gt_image_ids),
            difficult: input.gt_difficult.to_vec(),
        })
    }

    /// As units: these images, ascending, the same for all models.
    pub fn on(self, images: &[i64]) -> BoxesByImage {
        BoxesByImage {
            found: self.found.on(images),
            truth: self.truth.on(images),
            boxes: self,
        }
    }
}

/// The boxes of one model, by image.
pub struct BoxesByImage {
    boxes: Boxes,
    /// Rows of the boxes found on each image.
    found: Vec<Vec<usize>>,
    /// Rows of the true boxes on each image.
    truth: Vec<Vec<usize>>,
}

/// The rows of a sample, each with its image: one of its own for every unit, also where it was drawn before.
fn drawn(rows: &[Vec<usize>], sample: &[u32]) -> Vec<(i64, usize)> {
    let images = (0_i64..).zip(sample);
    let of_image =
        |(image, &unit): (i64, &u32)| rows[unit as usize].iter().map(move |&row| (image, row));
    images.flat_map(of_image).collect()
}

impl Units for BoxesByImage {
    fn count(&self) -> usize {
        self.truth.len()
    }

    fn evaluate(&self, sample: &[u32], metric: &dyn DynMetric, call: &Call<'_>) -> Result<f64> {
        let boxes = &self.boxes;
        let (found, truth) = (drawn(&self.found, sample), drawn(&self.truth, sample));
        let scores: Vec<f32> = found.iter().map(|&(_, row)| boxes.scores[row]).collect();
        let difficult: Vec<u8> = truth.iter().map(|&(_, row)| boxes.difficult[row]).collect();
        let (of_found, of_truth) = ([found.len(), 4], [truth.len(), 4]);
        let (found, truth) = (boxes.found.gather(&found), boxes.truth.gather(&truth));
        let views = [
            View::new("boxes", &of_found, Data::F32(&found.corners))?,
            View::new("scores", &of_found[..1], Data::F32(&scores))?,
            View::new("labels", &of_found[..1], Data::I64(&found.labels))?,
            View::new("image_ids", &of_found[..1], Data::I64(&found.images))?,
            View::new("gt_boxes", &of_truth, Data::F32(&truth.corners))?,
            View::new("gt_labels", &of_truth[..1], Data::I64(&truth.labels))?,
            View::new("gt_image_ids", &of_truth[..1], Data::I64(&truth.images))?,
            View::new("gt_difficult", &of_truth[..1], Data::U8(&difficult))?,
        ];
        metric.evaluate(&Views::new(&views), call)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metric_spec::MetricSpec;
    use crate::registry::Registry;

    const CALL: Call<'static> = Call {
        threads: 1,
        cancelled: &|| false,
    };

    /// One true box each on images 4, 7 and 9; the model finds that on 4, one elsewhere on 7 and one on image 5.
    #[test]
    fn an_image_comes_with_all_its_boxes_as_often_as_it_is_drawn() {
        let square = |at: f32| [at, at, at + 10.0, at + 10.0];
        let truth = [square(0.0), square(0.0), square(0.0)].concat();
        let found = [square(0.0), square(50.0), square(0.0)].concat();
        let tensors = [
            View::new("boxes", &[3, 4], Data::F32(&found)).unwrap(),
            View::new("scores", &[3], Data::F32(&[0.9, 0.8, 0.7])).unwrap(),
            View::new("labels", &[3], Data::I64(&[0; 3])).unwrap(),
            View::new("image_ids", &[3], Data::I64(&[4, 7, 5])).unwrap(),
            View::new("gt_boxes", &[3, 4], Data::F32(&truth)).unwrap(),
            View::new("gt_labels", &[3], Data::I64(&[0; 3])).unwrap(),
            View::new("gt_image_ids", &[3], Data::I64(&[9, 4, 7])).unwrap(),
            View::new("gt_difficult", &[3], Data::U8(&[0; 3])).unwrap(),
        ];
        let boxes = Boxes::new(&Views::new(&tensors)).unwrap();
        let images = images_of(std::slice::from_ref(&boxes));
        assert_eq!(images, [4, 5, 7, 9]);
        let units = boxes.on(&images);
        assert_eq!(units.count(), 4);
        let registry = Registry::built_in().unwrap();
        let spec = MetricSpec::parse("voc-map").unwrap();
        let (_, metric) = spec.create(&registry).unwrap();
        let on = |sample: &[u32]| units.evaluate(sample, metric.as_ref(), &CALL).unwrap();
        assert_eq!(on(&[0, 0]), 1.0);
        assert_eq!(on(&[2, 3]), 0.0);
        // The box on image 4 comes first: precision 1 at the six of eleven recalls up to one half.
        assert!((on(&[0, 3]) - 6.0 / 11.0).abs() < 1e-6);
        // Twice found, once not: 1 at the seven up to two thirds. Image 5 only adds a false box behind them.
        assert!((on(&[0, 0, 3, 1]) - 7.0 / 11.0).abs() < 1e-6);
    }
}
