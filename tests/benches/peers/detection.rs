//! Mean average precision of about as many boxes as there are in the test of VOC 2007.

use anyhow::Result;
use metricopt_metrics::{CocoMap, VocMap};
use metricopt_sdk::{Call, Detection, Metric};
use std::rc::Rc;

use crate::inputs::{Array, Uniform};
use crate::row::Row;

const IMAGES: u64 = 5000;
const CLASSES: u64 = 20;
const FOUND: usize = 22_500;

#[derive(Default)]
struct Boxes {
    corners: Vec<[f32; 4]>,
    scores: Vec<f32>,
    labels: Vec<i64>,
    image_ids: Vec<i64>,
}

impl Boxes {
    fn push(&mut self, corners: [f32; 4], score: f32, label: u64, image: u64) {
        self.corners.push(corners);
        self.scores.push(score);
        self.labels.push(label as i64);
        self.image_ids.push(image as i64);
    }
}

struct Scene {
    truth: Boxes,
    found: Boxes,
    difficult: Vec<u8>,
}

impl Scene {
    /// One to four objects on each image, most of them found with some error, and boxes that are wrong.
    fn new() -> Self {
        let mut uniform = Uniform(1);
        let anywhere = |uniform: &mut Uniform| {
            let [x, y] = [300.0, 200.0].map(|side| side * uniform.next());
            let [width, height] = [30.0, 30.0].map(|least| least + 170.0 * uniform.next());
            [x, y, x + width, y + height]
        };
        let (mut truth, mut found, mut difficult) =
            (Boxes::default(), Boxes::default(), Vec::new());
        for image in 0..IMAGES {
            for _ in 0..=uniform.below(4) {
                let (corners, label) = (anywhere(&mut uniform), uniform.below(CLASSES));
                truth.push(corners, 0.0, label, image);
                difficult.push(u8::from(uniform.below(5) == 0));
                if uniform.below(5) > 0 && found.labels.len() < FOUND {
                    let near = corners.map(|corner| corner + 24.0 * (uniform.next() - 0.5));
                    let score = 0.2 + 0.8 * uniform.next();
                    found.push(near, score, label, image);
                }
            }
        }
        while found.labels.len() < FOUND {
            let (corners, label) = (anywhere(&mut uniform), uniform.below(CLASSES));
            let image = uniform.below(IMAGES);
            found.push(corners, 0.8 * uniform.next(), label, image);
        }
        Self {
            truth,
            found,
            difficult,
        }
    }

    fn view(&self) -> Detection<'_> {
        let Self {
            truth,
            found,
            difficult,
        } = self;
        Detection {
            boxes: &found.corners,
            scores: &found.scores,
            labels: &found.labels,
            image_ids: &found.image_ids,
            gt_boxes: &truth.corners,
            gt_labels: &truth.labels,
            gt_image_ids: &truth.image_ids,
            gt_difficult: difficult,
        }
    }
}

pub(crate) fn arrays() -> Vec<Array> {
    let scene = Scene::new();
    let view = scene.view();
    let boxes =
        |name: &str, boxes: &[[f32; 4]]| Array::f32(name, &[boxes.len(), 4], boxes.as_flattened());
    vec![
        boxes("boxes", view.boxes),
        Array::f32("scores", &[view.scores.len()], view.scores),
        Array::i64("labels", view.labels),
        Array::i64("image_ids", view.image_ids),
        boxes("gt_boxes", view.gt_boxes),
        Array::i64("gt_labels", view.gt_labels),
        Array::i64("gt_image_ids", view.gt_image_ids),
        Array::u8("gt_difficult", view.gt_difficult),
    ]
}

pub(crate) fn rows<'a>(call: &'a Call<'a>) -> Result<Vec<Row<'a>>> {
    let scene = Rc::new(Scene::new());
    Ok(vec![
        row(
            "coco-map",
            "pycocotools",
            None,
            CocoMap::default(),
            &scene,
            call,
        ),
        row(
            "coco-map",
            "faster-coco-eval",
            Some(10.0),
            CocoMap::default(),
            &scene,
            call,
        ),
        row(
            "voc-map",
            "NumPy loop",
            Some(10.0),
            VocMap::default(),
            &scene,
            call,
        ),
    ])
}

fn row<'a, M>(
    what: &str,
    peer: &'static str,
    target: Option<f64>,
    metric: M,
    scene: &Rc<Scene>,
    call: &'a Call<'a>,
) -> Row<'a>
where
    M: for<'i> Metric<Input<'i> = Detection<'i>> + 'a,
{
    let scene = scene.clone();
    Row {
        what: what.to_owned(),
        peer,
        target,
        tolerance: 1e-6,
        // Ours indexes the true boxes each time; theirs was given an index.
        ours: Box::new(move || {
            Ok(metric
                .evaluate_many(&[scene.view()], call)?
                .first()
                .copied())
        }),
    }
}
