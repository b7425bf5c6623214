//! From annotations and images to three parts.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use metricopt_sdk::{Error, Result};

use super::files::{self, Part};
use super::instances::{Annotation, Image};
use crate::decode::decode;
use crate::detection::assemble::{Decoded, HOW_TO_SKIP, PARTS, Skipped, parts, scenes};
use crate::detection::fit::fit;
use crate::detection::{DatasetConfig, Object, OnBadAnnotation, Scene, Splits};
use crate::opening::Opening;

/// An image with its annotations, not yet decoded.
struct Annotated<'a> {
    part: &'a Part,
    image: &'a Image,
    path: PathBuf,
    /// By their place in the file, with the index of their class.
    objects: Vec<(usize, &'a Annotation, usize)>,
}

/// The classes of the data.
struct Classes {
    names: Vec<String>,
    /// Their numbers in the annotations of the training images.
    numbers: Vec<i64>,
    /// Whether the user chose them, so that objects of others are not looked at.
    chosen: bool,
}

/// Reads a data set.
pub(crate) fn read(root: &Path, config: &DatasetConfig, opening: &Opening<'_>) -> Result<Splits> {
    if !root.join("annotations").is_dir() {
        return Err(Error::data(format!(
            "`{}` is not in the layout of COCO",
            root.display()
        ))
        .hint(
            "expected `annotations/instances_train2017.json`, `annotations/instances_val2017.json` and the folders \
             `train2017` and `val2017`; other names may stand in place of `2017`",
        ));
    }
    let found = |start| {
        (opening.progress)(&format!("reading annotations of {start}"), 0, 1);
        opening.call.check()?;
        Part::find(root, start)
    };
    let [train, val, test] = [found("train")?, found("val")?, found("test")?];
    let (Some(train), Some(val)) = (&train, &val) else {
        let lacking = if train.is_none() { "train" } else { "val" };
        return Err(Error::data(format!(
            "there is no file `instances_{lacking}...json` in `{}`",
            root.join("annotations").display()
        ))
        .hint("the parts are `train` and `val`, and `test` where there are annotations for it"));
    };
    let mut skipped = Skipped::default();
    let classes = Classes::of(train, config)?;
    let mut annotated = |part| annotated(part, &classes, config, &mut skipped);
    let [train, val] = [annotated(train)?, annotated(val)?];
    let test = test.as_ref().map(annotated).transpose()?;
    let parts = parts(train, val, test, opening.seed);
    let mut seen = BTreeSet::new();
    for image in parts.iter().flatten() {
        if !seen.insert(&image.path) {
            return Err(
                Error::data(format!("`{}` belongs to two parts", image.path.display()))
                    .hint("`train`, `val` and `test` share no image"),
            );
        }
    }
    let place = format!("`{}`", root.display());
    let mut read = |index: usize| {
        scenes(
            (PARTS[index], &place),
            &parts[index],
            &classes.names,
            config,
            opening,
            &mut skipped,
            &|image| one(image, config),
        )
    };
    let [train, validation, test] = [read(0)?, read(1)?, read(2)?];
    Ok(Splits {
        train,
        validation,
        test,
        source: format!("{} in {place}", config.dataset.name()),
        class_numbers: classes.usable_numbers(),
        skipped: skipped.sentence(),
    })
}

impl Classes {
    /// All categories by number, or those that the user chose.
    fn of(train: &Part, config: &DatasetConfig) -> Result<Self> {
        let known = train.instances.names();
        let named = |names: Vec<(i64, String)>, chosen| {
            let (numbers, names) = names.into_iter().unzip();
            Self {
                names,
                numbers,
                chosen,
            }
        };
        if known.is_empty() {
            return Err(Error::data(format!("{} has no categories", train.shown())));
        }
        if config.classes.is_empty() {
            let all = known.iter().map(|(&id, &name)| (id, name.to_owned()));
            return Ok(named(all.collect(), false));
        }
        let chosen = config.classes.iter().map(|wanted| {
            let number = known.iter().find(|(_, name)| **name == wanted.as_str());
            number.map(|(&id, _)| (id, wanted.clone())).ok_or_else(|| {
                let all: Vec<&str> = known.values().copied().collect();
                Error::configuration(format!(
                    "`classes` names `{wanted}`, which is no category of {}",
                    train.shown()
                ))
                .hint(format!("the categories are `{}`", all.join("`, `")))
            })
        });
        Ok(named(chosen.collect::<Result<_>>()?, true))
    }

    /// The numbers, unless one cannot be the place of a score.
    fn usable_numbers(&self) -> Vec<usize> {
        let numbers = self
            .numbers
            .iter()
            .map(|&number| usize::try_from(number).ok());
        numbers.collect::<Option<_>>().unwrap_or_default()
    }
}

/// The images of a part with their annotations; what cannot be used is left out where the user says so.
fn annotated<'a>(
    part: &'a Part,
    classes: &Classes,
    config: &DatasetConfig,
    skipped: &mut Skipped,
) -> Result<Vec<Annotated<'a>>> {
    let skip = config.on_bad_annotation == OnBadAnnotation::Skip;
    let mut images = BTreeMap::new();
    let mut lost = BTreeSet::new();
    for image in &part.instances.images {
        match part.image(&image.file_name) {
            Ok(path) => {
                let annotated = Annotated {
                    part,
                    image,
                    path,
                    objects: Vec::new(),
                };
                images.insert(image.id, annotated);
            }
            Err(_) if skip => {
                skipped.images += 1;
                lost.insert(image.id);
            }
            Err(error) => return Err(error.hint(HOW_TO_SKIP)),
        }
    }
    let categories = part.instances.names();
    for (index, annotation) in part.instances.annotations.iter().enumerate() {
        let complaint = |what: String| {
            Error::data(format!(
                "{}: {} {what}",
                part.shown(),
                annotation.title(index)
            ))
        };
        let Some(image) = images.get_mut(&annotation.image_id) else {
            if skip {
                // The objects of an image that was left out went with it.
                skipped.objects += usize::from(!lost.contains(&annotation.image_id));
                continue;
            }
            let what = format!("is of image {}, which is not listed", annotation.image_id);
            return Err(complaint(what).hint(HOW_TO_SKIP));
        };
        let Some(name) = categories.get(&annotation.category_id) else {
            if skip {
                skipped.objects += 1;
                continue;
            }
            let what = format!(
                "of `{}` is of category {}, which is not listed",
                image.image.file_name, annotation.category_id
            );
            return Err(complaint(what).hint(HOW_TO_SKIP));
        };
        match classes.names.iter().position(|class| class == name) {
            Some(class) => image.objects.push((index, annotation, class)),
            None if classes.chosen => {}
            None if skip => skipped.objects += 1,
            None => {
                let what =
                    format!("is of category `{name}`, which the training images do not have");
                return Err(complaint(what).hint("name the classes with `task.classes`"));
            }
        }
    }
    Ok(images.into_values().collect())
}

/// Decodes an image and takes over its objects.
fn one(image: &Annotated<'_>, config: &DatasetConfig) -> Result<Decoded> {
    let shown = format!("`{}`", image.path.display());
    let in_file = |error: Error| error.context(shown.clone());
    let picture = decode(&files::image(&image.path)?).map_err(in_file)?;
    let size = [picture.width, picture.height];
    let skip = config.on_bad_annotation == OnBadAnnotation::Skip;
    let said = [
        image.image.width.unwrap_or(size[0]),
        image.image.height.unwrap_or(size[1]),
    ];
    if said != size && !skip {
        return Err(Error::data(format!(
            "{} says that `{}` has {} x {} pixels, but it has {} x {}",
            image.part.shown(),
            image.image.file_name,
            said[0],
            said[1],
            size[0],
            size[1]
        ))
        .hint(HOW_TO_SKIP));
    }
    let mut objects = Vec::with_capacity(image.objects.len());
    let mut dropped = 0;
    for &(index, annotation, class) in &image.objects {
        match annotation.pixels(size) {
            Ok(pixels) => objects.push(Object {
                pixels,
                class: class as i64,
                difficult: annotation.is_crowd(),
                truncated: false,
            }),
            Err(_) if skip => dropped += 1,
            Err(error) => {
                let place = format!(
                    "{}: {} of `{}`",
                    image.part.shown(),
                    annotation.title(index),
                    image.image.file_name
                );
                return Err(error.context(place).hint(HOW_TO_SKIP));
            }
        }
    }
    let (planes, frame) = fit(picture, config.fit, config.size()).map_err(in_file)?;
    let scene = Scene {
        name: image.image.file_name.clone(),
        frame,
        objects,
    };
    Ok((planes, scene, dropped))
}
