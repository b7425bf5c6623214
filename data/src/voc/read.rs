//! From lists, annotations and images to three parts.

use std::collections::BTreeSet;
use std::path::Path;

use metricopt_sdk::{Error, Result};

use super::annotation::Annotation;
use super::tree::Tree;
use crate::decode::decode;
use crate::detection::assemble::{Decoded, HOW_TO_SKIP, PARTS, Skipped, parts, scenes};
use crate::detection::fit::fit;
use crate::detection::{DatasetConfig, Object, OnBadAnnotation, Scene, Splits};
use crate::opening::Opening;

/// An image with its annotation, not yet decoded.
struct Annotated {
    name: String,
    annotation: Annotation,
}

/// Reads a data set; `year` is the name of its folder where several may lie side by side.
pub(crate) fn read(
    root: &Path,
    year: Option<&str>,
    config: &DatasetConfig,
    opening: &Opening<'_>,
) -> Result<Splits> {
    let tree = Tree::open(root, year)?;
    let lists = lists(&tree, opening.seed)?;
    let mut skipped = Skipped::default();
    let mut parts = Vec::with_capacity(lists.len());
    for list in lists {
        parts.push(annotations(&tree, list, config, &mut skipped)?);
    }
    let classes = classes(&tree, config, &parts)?;
    let mut read = Vec::with_capacity(parts.len());
    for (part, name) in parts.iter().zip(PARTS) {
        read.push(scenes(
            (name, &tree.shown("")),
            part,
            &classes,
            config,
            opening,
            &mut skipped,
            &|image| one(&tree, image, &classes, config),
        )?);
    }
    let mut read = read.into_iter();
    let (Some(train), Some(validation), Some(test)) = (read.next(), read.next(), read.next())
    else {
        return Err(Error::failed("a data set without three parts"));
    };
    Ok(Splits {
        train,
        validation,
        test,
        source: format!("{} in `{}`", config.dataset.name(), root.display()),
        class_numbers: Vec::new(),
        skipped: skipped.sentence(),
    })
}

/// Names of the images of the three parts, each in random order.
fn lists(tree: &Tree, seed: u64) -> Result<[Vec<String>; 3]> {
    let [train, val, test] = ["train", "val", "test"].map(|part| list(tree, part));
    let (Some(train), Some(val)) = (train?, val?) else {
        return Err(Error::data(format!(
            "{} or `val.txt` beside it is not there",
            tree.shown("ImageSets/Main/train.txt")
        ))
        .hint("a list has the name of an image, without its ending, on each line"));
    };
    let parts = parts(train, val, test?, seed);
    let mut seen = BTreeSet::new();
    for name in parts.iter().flatten() {
        if !seen.insert(name) {
            return Err(Error::data(format!(
                "image `{name}` stands twice in the lists of {}",
                tree.shown("ImageSets/Main")
            ))
            .hint("the lists `train`, `val` and `test` share no image"));
        }
    }
    Ok(parts)
}

fn list(tree: &Tree, part: &str) -> Result<Option<Vec<String>>> {
    let file = format!("ImageSets/Main/{part}.txt");
    let Some(text) = tree.text(&file)? else {
        return Ok(None);
    };
    let mut names = Vec::new();
    for line in text.lines() {
        let Some(name) = line.split_whitespace().next() else {
            continue;
        };
        if name.contains(['/', '\\']) {
            return Err(Error::data(format!(
                "{}: `{name}` is no name of an image",
                tree.shown(&file)
            )));
        }
        names.push(name.to_owned());
    }
    Ok(Some(names))
}

/// The annotations of a list; those that cannot be used are left out where the user says so.
fn annotations(
    tree: &Tree,
    names: Vec<String>,
    config: &DatasetConfig,
    skipped: &mut Skipped,
) -> Result<Vec<Annotated>> {
    let mut annotated = Vec::with_capacity(names.len());
    for name in names {
        let file = format!("Annotations/{name}.xml");
        let parsed = tree.text(&file).and_then(|text| match text {
            Some(text) => {
                Annotation::parse(&text).map_err(|error| error.context(tree.shown(&file)))
            }
            None => Err(Error::data(format!("{} is not there", tree.shown(&file)))),
        });
        match parsed {
            Ok(annotation) => annotated.push(Annotated { name, annotation }),
            Err(_) if config.on_bad_annotation == OnBadAnnotation::Skip => skipped.images += 1,
            Err(error) => return Err(error.hint(HOW_TO_SKIP)),
        }
    }
    Ok(annotated)
}

fn classes(tree: &Tree, config: &DatasetConfig, parts: &[Vec<Annotated>]) -> Result<Vec<String>> {
    let named: BTreeSet<&str> = parts
        .iter()
        .take(1)
        .flatten()
        .flat_map(|image| &image.annotation.objects)
        .map(|object| object.name.as_str())
        .collect();
    if let Some(missing) = config
        .classes
        .iter()
        .find(|name| !named.contains(name.as_str()))
    {
        return Err(Error::configuration(format!(
            "`classes` names `{missing}`, which no training image has"
        ))
        .hint(format!(
            "the classes are `{}`",
            Vec::from_iter(named).join("`, `")
        )));
    }
    if named.is_empty() {
        return Err(Error::data(format!(
            "there are no objects on the training images of {}",
            tree.shown("Annotations")
        )));
    }
    Ok(if config.classes.is_empty() {
        named.into_iter().map(str::to_owned).collect()
    } else {
        config.classes.clone()
    })
}

/// Decodes an image and takes over its objects: planes, scene, and the number of objects left out.
fn one(
    tree: &Tree,
    image: &Annotated,
    classes: &[String],
    config: &DatasetConfig,
) -> Result<Decoded> {
    let file = ["jpg", "jpeg", "png"].map(|ending| format!("JPEGImages/{}.{ending}", image.name));
    let mut bytes = None;
    for file in &file {
        if let Some(found) = tree.read(file)? {
            bytes = Some((found, file));
            break;
        }
    }
    let annotation = format!("Annotations/{}.xml", image.name);
    let Some((bytes, file)) = bytes else {
        return Err(Error::data(format!(
            "{} is not there, but a list names it",
            tree.shown(&file[0])
        )));
    };
    let picture = decode(&bytes).map_err(|error| error.context(tree.shown(file)))?;
    let size = [picture.width, picture.height];
    let skip = config.on_bad_annotation == OnBadAnnotation::Skip;
    if let Some([width, height]) = image.annotation.size.filter(|said| *said != size && !skip) {
        return Err(Error::data(format!(
            "{} is of an image of {width} x {height} pixels, but {} has {} x {}",
            tree.shown(&annotation),
            tree.shown(file),
            size[0],
            size[1]
        ))
        .hint(HOW_TO_SKIP));
    }
    let mut objects = Vec::with_capacity(image.annotation.objects.len());
    let mut dropped = 0;
    for (index, object) in image.annotation.objects.iter().enumerate() {
        let Some(class) = classes.iter().position(|name| *name == object.name) else {
            if config.classes.is_empty() && !skip {
                return Err(Error::data(format!(
                    "{}: object {} is of class `{}`, which no training image has",
                    tree.shown(&annotation),
                    index + 1,
                    object.name
                ))
                .hint("name the classes with `task.classes`"));
            }
            dropped += usize::from(config.classes.is_empty());
            continue;
        };
        match object.complaint(size) {
            Some(_) if skip => dropped += 1,
            Some(complaint) => {
                return Err(Error::data(format!(
                    "{}: the box {:?} of object {} {complaint}",
                    tree.shown(&annotation),
                    object.pixels,
                    index + 1
                ))
                .hint(HOW_TO_SKIP));
            }
            None => objects.push(Object {
                pixels: object.pixels,
                class: class as i64,
                difficult: object.difficult,
                truncated: object.truncated,
            }),
        }
    }
    let (planes, frame) =
        fit(picture, config.fit, config.size()).map_err(|error| error.context(tree.shown(file)))?;
    let scene = Scene {
        name: image.name.clone(),
        frame,
        objects,
    };
    Ok((planes, scene, dropped))
}
