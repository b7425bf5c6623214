//! Some images of the test split with the boxes found on them before and after tuning, and what stands behind the metric:
//! for the eye. It is looked at after everything else, counts as no query, and nothing is selected by it.

use metricopt_sdk::{
    Details, Detection, DynMetric, Kind, Picture, Pictures, Predictions, Result, Split,
};
use rand::seq::index::sample;

use super::observe::Observer;
use super::random::stream;

/// How many images are shown.
const SHOWN: usize = 6;

/// What a model says of the test split, before and after tuning.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Samples {
    /// What stands behind the metric before and after, if the metric says.
    pub details: Option<[Details; 2]>,
    /// Names of the classes by their number; empty if they have none.
    pub classes: Vec<String>,
    /// Some images.
    pub images: Vec<Sample>,
}

/// An image with the boxes on it.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    /// The image.
    pub picture: Picture,
    /// The boxes found before and after tuning, and the true ones.
    pub boxes: [Vec<Marked>; 3],
}

/// A box on an image.
#[derive(Clone, Debug, PartialEq)]
pub struct Marked {
    /// `x1, y1, x2, y2` in the coordinates of the task.
    pub corners: [f32; 4],
    /// Number of its class.
    pub class: i64,
    /// How sure the model is; 1 for a true box.
    pub score: f32,
}

/// Looks at the network as it was and at the adapter that a run returns; `None` for tasks that find no boxes.
///
/// Images are drawn at random by the seed.
///
/// # Errors
///
/// Those of the task and the metric, or that the user asked to stop.
pub fn samples(
    observer: &Observer<'_>,
    kind: Kind,
    adapter: &[f32],
    seed: u64,
) -> Result<Option<Samples>> {
    if kind != Kind::Detection {
        return Ok(None);
    }
    let images = observer.task.describe().units[Split::Test as usize];
    let mut rng = stream(seed, "samples", 0);
    let mut rows = sample(&mut rng, images, images.min(SHOWN)).into_vec();
    rows.sort_unstable();
    let rows: Vec<u32> = rows.into_iter().map(|row| row as u32).collect();
    let Pictures { classes, pictures } = observer
        .task
        .pictures(Split::Test, &rows)?
        .unwrap_or_default();
    let mut shown: Vec<Sample> = pictures
        .into_iter()
        .map(|picture| Sample {
            picture,
            boxes: Default::default(),
        })
        .collect();
    let metric = observer.metric_on("the test split");
    let mut details = Vec::new();
    let phi_0 = vec![0.0; adapter.len()];
    for (model, phi) in [phi_0.as_slice(), adapter].into_iter().enumerate() {
        observer.on_test(phi, &mut |views| {
            details.extend(metric.details(views).transpose()?);
            let input = Detection::from_views(views)?;
            for (sample, &row) in shown.iter_mut().zip(&rows) {
                sample.boxes[model] = found(&input, row);
                sample.boxes[2] = truth(&input, row);
            }
            Ok(())
        })?;
    }
    Ok(Some(Samples {
        details: details.try_into().ok(),
        classes,
        images: shown,
    }))
}

/// The boxes found on an image. A task numbers its images by their rows.
fn found(input: &Detection<'_>, row: u32) -> Vec<Marked> {
    let boxes = input.boxes.iter().zip(input.scores).zip(input.labels);
    boxes
        .zip(input.image_ids)
        .filter(|&(_, &image)| image == i64::from(row))
        .map(|(((&corners, &score), &class), _)| Marked {
            corners,
            class,
            score,
        })
        .collect()
}

/// The true boxes on an image.
fn truth(input: &Detection<'_>, row: u32) -> Vec<Marked> {
    let boxes = input.gt_boxes.iter().zip(input.gt_labels);
    boxes
        .zip(input.gt_image_ids)
        .filter(|&(_, &image)| image == i64::from(row))
        .map(|((&corners, &class), _)| Marked {
            corners,
            class,
            score: 1.0,
        })
        .collect()
}
