//! Boxes found and boxes true, made up.

use metricopt_sdk::{Data, Detection, Result, View, Views};

use crate::support::{Input, Lcg};

/// Owned tensors of a `Detection`.
#[derive(Clone, Debug, Default)]
pub(crate) struct Scene {
    pub(crate) boxes: Vec<[f32; 4]>,
    pub(crate) scores: Vec<f32>,
    pub(crate) labels: Vec<i64>,
    pub(crate) image_ids: Vec<i64>,
    pub(crate) gt_boxes: Vec<[f32; 4]>,
    pub(crate) gt_labels: Vec<i64>,
    pub(crate) gt_image_ids: Vec<i64>,
    pub(crate) gt_difficult: Vec<u8>,
}

/// How a scene is made up.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Recipe {
    pub(crate) seed: u64,
    pub(crate) images: u64,
    pub(crate) classes: u64,
    /// Steps of the scores, a power of two: few of them make ties.
    pub(crate) levels: u64,
    /// Most boxes found anywhere on an image.
    pub(crate) noise: u64,
    /// Whether a fifth of the objects is difficult.
    pub(crate) difficult: bool,
}

impl Scene {
    /// Up to four objects on each image, up to two boxes found near each, and noise. Corners are whole numbers. The same
    /// as `generate` of `reference.py`.
    pub(crate) fn generate(recipe: Recipe) -> Self {
        let Recipe {
            images,
            classes,
            levels,
            ..
        } = recipe;
        let mut random = Lcg(recipe.seed);
        let mut below = |n: u64| (random.bits() * n) >> 24;
        let mut scene = Self::default();
        for image in 0..images {
            let image_id = 3 * (images - image) as i64;
            for _ in 0..below(5) {
                let (label, box4) = (below(classes) as i64, anywhere(&mut below));
                let difficult = below(5) == 0 && recipe.difficult;
                scene.truth(box4.map(|c| c as f32), label, image_id, difficult);
                for _ in 0..below(3) {
                    let near = box4.map(|corner| (corner + below(17) as i64 - 8) as f32);
                    let other = below(10) == 0;
                    let label = if other { below(classes) as i64 } else { label };
                    let score = (levels + below(levels)) as f32 / (2 * levels) as f32;
                    scene.found(near, score, label, image_id);
                }
            }
            for _ in 0..below(recipe.noise + 1) {
                let (label, box4) = (below(classes) as i64, anywhere(&mut below));
                let score = below(levels) as f32 / levels as f32;
                scene.found(box4.map(|c| c as f32), score, label, image_id);
            }
        }
        scene
    }

    /// Adds an object.
    pub(crate) fn truth(&mut self, box4: [f32; 4], label: i64, image: i64, difficult: bool) {
        self.gt_boxes.push(box4);
        self.gt_labels.push(label);
        self.gt_image_ids.push(image);
        self.gt_difficult.push(u8::from(difficult));
    }

    /// Adds a box found.
    pub(crate) fn found(&mut self, box4: [f32; 4], score: f32, label: i64, image: i64) {
        self.boxes.push(box4);
        self.scores.push(score);
        self.labels.push(label);
        self.image_ids.push(image);
    }

    pub(crate) fn view(&self) -> Detection<'_> {
        Detection {
            boxes: &self.boxes,
            scores: &self.scores,
            labels: &self.labels,
            image_ids: &self.image_ids,
            gt_boxes: &self.gt_boxes,
            gt_labels: &self.gt_labels,
            gt_image_ids: &self.gt_image_ids,
            gt_difficult: &self.gt_difficult,
        }
    }

    /// The same boxes, both kinds in the order of image and corners.
    pub(crate) fn by_content(&self) -> Self {
        let order = |images: &[i64], boxes: &[[f32; 4]], difficult: &[u8]| {
            let mut rows: Vec<usize> = (0..boxes.len()).collect();
            rows.sort_by(|&a, &b| {
                let hard = |row: usize| difficult.get(row).copied();
                let by_box = boxes[a].partial_cmp(&boxes[b]).unwrap();
                let by_image = images[a].cmp(&images[b]);
                by_image.then(by_box).then(hard(a).cmp(&hard(b)))
            });
            rows
        };
        let mut scene = Self::default();
        for row in order(&self.image_ids, &self.boxes, &[]) {
            let (score, label) = (self.scores[row], self.labels[row]);
            scene.found(self.boxes[row], score, label, self.image_ids[row]);
        }
        for row in order(&self.gt_image_ids, &self.gt_boxes, &self.gt_difficult) {
            let (label, image) = (self.gt_labels[row], self.gt_image_ids[row]);
            let difficult = self.gt_difficult[row] != 0;
            scene.truth(self.gt_boxes[row], label, image, difficult);
        }
        scene
    }
}

fn anywhere(below: &mut impl FnMut(u64) -> u64) -> [i64; 4] {
    let (x, y) = (below(400), below(400));
    let (width, height) = (20 + below(80), 20 + below(80));
    [x, y, x + width, y + height].map(|corner| corner as i64)
}

impl Input for Scene {
    fn with_views<T>(&self, call: impl FnOnce(&Views<'_>) -> Result<T>) -> Result<T> {
        let (found, truth) = (self.boxes.len(), self.gt_boxes.len());
        let tensors = [
            (
                "boxes",
                vec![found, 4],
                Data::F32(self.boxes.as_flattened()),
            ),
            ("scores", vec![found], Data::F32(&self.scores)),
            ("labels", vec![found], Data::I64(&self.labels)),
            ("image_ids", vec![found], Data::I64(&self.image_ids)),
            (
                "gt_boxes",
                vec![truth, 4],
                Data::F32(self.gt_boxes.as_flattened()),
            ),
            ("gt_labels", vec![truth], Data::I64(&self.gt_labels)),
            ("gt_image_ids", vec![truth], Data::I64(&self.gt_image_ids)),
            ("gt_difficult", vec![truth], Data::U8(&self.gt_difficult)),
        ];
        let views: Vec<View<'_>> = tensors
            .iter()
            .map(|(name, shape, data)| View::new(name, shape, *data).unwrap())
            .collect();
        call(&Views::new(&views))
    }
}
