//! The true boxes of a split: for the loss as roles of anchors, for the metric as rows.

use metricopt_data::detection::{Scene, Scenes};
use metricopt_nn::detector::Anchors;
use metricopt_nn::detector::matching::{Object, Role, assign};
use rayon::prelude::*;

/// What the network should see on an image.
pub(crate) fn objects(scene: &Scene) -> Vec<Object> {
    let object = |object: &metricopt_data::detection::Object| Object {
        corners: scene.frame.inward(object.pixels),
        class: object.class,
        ignored: object.difficult,
    };
    scene.objects.iter().map(object).collect()
}

/// The roles of the anchors of each image.
pub(crate) fn roles(
    scenes: &Scenes,
    anchors: &Anchors,
    pool: &rayon::ThreadPool,
) -> Vec<Vec<Role>> {
    pool.install(|| {
        let images = scenes.scenes.par_iter();
        images
            .map(|scene| assign(anchors.boxes(), &objects(scene)))
            .collect()
    })
}

/// Anchors with an object, of some images.
pub(crate) fn answering(images: &[&[Role]]) -> f64 {
    let roles = images.iter().copied().flatten();
    roles
        .filter(|role| matches!(role, Role::Object(..)))
        .count() as f64
}

/// True boxes as a metric wants them.
#[derive(Debug, Default)]
pub(crate) struct TrueBoxes {
    pub(crate) boxes: Vec<f32>,
    pub(crate) labels: Vec<i64>,
    pub(crate) image_ids: Vec<i64>,
    pub(crate) difficult: Vec<u8>,
}

impl TrueBoxes {
    /// Of some images.
    pub(crate) fn of(scenes: &Scenes, rows: &[u32]) -> Self {
        let mut all = Self::default();
        for &row in rows {
            for object in &scenes.scenes[row as usize].objects {
                all.boxes.extend(object.pixels);
                all.labels.push(object.class);
                all.image_ids.push(i64::from(row));
                all.difficult.push(u8::from(object.difficult));
            }
        }
        all
    }
}
