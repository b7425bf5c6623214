//! What the readers of annotated images share: three parts, decoded side by side, and the count of what was left out.

use metricopt_sdk::{Error, Result};
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_pcg::Pcg64Mcg;
use rayon::prelude::*;

use super::{DatasetConfig, Scene, Scenes};
use crate::opening::Opening;
use crate::resize::CHANNELS;

/// Share of the training images that become validation images where there is no list for a third part.
const VALIDATION_SHARE: f64 = 0.2;

/// What the parts are called.
pub(crate) const PARTS: [&str; 3] = ["training", "validation", "test"];

/// What to do about an annotation that cannot be used.
pub(crate) const HOW_TO_SKIP: &str =
    "correct the file, or leave out what cannot be used with `--set task.on_bad_annotation=skip`";

/// What was left out.
#[derive(Default)]
pub(crate) struct Skipped {
    pub(crate) images: usize,
    pub(crate) objects: usize,
}

impl Skipped {
    pub(crate) fn sentence(&self) -> Option<String> {
        (self.images + self.objects > 0).then(|| {
            format!(
                "{} objects and {} images with annotations that cannot be used",
                self.objects, self.images
            )
        })
    }
}

/// Training, validation and test, each in random order. Without a list for test the one for validation is it, and validation
/// images are cut from those for training.
pub(crate) fn parts<T>(
    mut train: Vec<T>,
    mut val: Vec<T>,
    test: Option<Vec<T>>,
    seed: u64,
) -> [Vec<T>; 3] {
    let mut rng = Pcg64Mcg::seed_from_u64(seed);
    train.shuffle(&mut rng);
    val.shuffle(&mut rng);
    match test {
        Some(mut test) => {
            test.shuffle(&mut rng);
            [train, val, test]
        }
        None => {
            let cut = (train.len() as f64 * VALIDATION_SHARE).round() as usize;
            let validation = train.split_off(train.len() - cut);
            [train, validation, val]
        }
    }
}

/// An image as `one` gives it: its planes, what is on it, and the number of objects left out.
pub(crate) type Decoded = (Vec<u8>, Scene, usize);

/// Decodes the images of a part, which is `name` of the data set in `place`, by `one`.
///
/// # Errors
///
/// Those of `one`, if there are no images, or that the user asked to stop.
pub(crate) fn scenes<T: Sync>(
    (name, place): (&str, &str),
    part: &[T],
    classes: &[String],
    config: &DatasetConfig,
    opening: &Opening<'_>,
    skipped: &mut Skipped,
    one: &(dyn Fn(&T) -> Result<Decoded> + Sync),
) -> Result<Scenes> {
    let phase = format!("reading {name} images");
    (opening.progress)(&phase, 0, part.len() as u64);
    let call = opening.call;
    let decoded: Result<Vec<Decoded>> = opening.threads()?.install(|| {
        part.par_iter()
            .map(|image| {
                call.check()?;
                one(image)
            })
            .collect()
    });
    let [height, width] = config.size();
    let mut scenes = Scenes {
        pixels: Vec::with_capacity(part.len() * CHANNELS * height * width),
        channels: CHANNELS,
        height,
        width,
        scenes: Vec::with_capacity(part.len()),
        classes: classes.to_vec(),
    };
    for (planes, scene, dropped) in decoded? {
        scenes.pixels.extend(planes);
        scenes.scenes.push(scene);
        skipped.objects += dropped;
    }
    (opening.progress)(&phase, part.len() as u64, part.len() as u64);
    if scenes.scenes.is_empty() {
        return Err(Error::data(format!(
            "there are no {name} images in {place}"
        )));
    }
    Ok(scenes)
}
