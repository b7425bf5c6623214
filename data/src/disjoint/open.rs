//! From a configuration to three parts of images without a common class.

use metricopt_sdk::Result;
use std::collections::HashSet;

use super::{
    config::{Config, DatasetName},
    folder, omniglot,
    plan::{self, Class, Defaults},
    sop,
};
use crate::{
    digits,
    folder::{Listing, load},
    images::{Images, Splits},
    opening::Opening,
    place,
    resize::CHANNELS,
};

const DIGITS: Defaults = Defaults {
    validation: &["5", "6"],
    test: &["7", "8", "9"],
};

/// Reads a data set and divides its classes. The result depends on the files, the configuration and the seed alone.
///
/// # Errors
///
/// If the configuration is wrong; if the data set is not there; if a file is damaged, by name, and a list by its line.
pub fn open(config: &Config, opening: &Opening<'_>) -> Result<Splits> {
    config.check()?;
    let mut splits = match config.dataset {
        DatasetName::Digits => {
            let images = digits::embedded()?.images;
            let classes: Vec<Class> = images.classes.iter().map(|name| alone(name)).collect();
            divide(
                &images,
                &classes,
                Some(DIGITS),
                digits::SOURCE,
                config,
                opening,
            )?
        }
        DatasetName::Omniglot => {
            let (images, classes) = omniglot::read(config, opening)?;
            let splits = divide(
                &images,
                &classes,
                Some(omniglot::DEFAULTS),
                omniglot::SOURCE,
                config,
                opening,
            )?;
            without_common(splits)?
        }
        DatasetName::Sop => of_files(sop::list(&root(config)?)?, config, opening)?,
        DatasetName::ImageFolder => of_files(folder::list(&root(config)?)?, config, opening)?,
    };
    let seed = config.split.seed.unwrap_or(opening.seed);
    config.shift.apply(&mut splits.validation, seed);
    config.shift.apply(&mut splits.test, !seed);
    Ok(splits)
}

/// A class that is divided by its own name.
pub(super) fn alone(name: &str) -> Class {
    Class {
        group: name.to_owned(),
        side: None,
    }
}

fn root(config: &Config) -> Result<std::path::PathBuf> {
    let given = config.root.as_ref().and_then(|root| root.paths().first());
    place::named(config.dataset.name(), given.map(|path| path.as_path()))
}

fn divide(
    images: &Images,
    classes: &[Class],
    defaults: Option<Defaults>,
    source: &str,
    config: &Config,
    opening: &Opening<'_>,
) -> Result<Splits> {
    let sides = config.split.assign(classes, defaults, opening.seed)?;
    let seed = config.split.seed.unwrap_or(opening.seed);
    let [train, validation, test] = plan::order(&images.labels, &sides, seed);
    Ok(Splits {
        train: images.gather(&train)?,
        validation: images.gather(&validation)?,
        test: images.gather(&test)?,
        source: source.to_owned(),
    })
}

/// Classes are divided before their images are decoded.
fn of_files(
    (listing, classes): (Listing, Vec<Class>),
    config: &Config,
    opening: &Opening<'_>,
) -> Result<Splits> {
    let labels = listing.labels();
    let sides = config.split.assign(&classes, None, opening.seed)?;
    let seed = config.split.seed.unwrap_or(opening.seed);
    let gather = |rows: &[u32]| -> Result<Images> {
        let pixels = load(&listing, rows, config.preparation(), opening)?;
        let label = |&row: &u32| labels.get(row as usize).copied().unwrap_or_default();
        Ok(Images {
            pixels: pixels.bytes,
            channels: CHANNELS,
            height: pixels.height,
            width: pixels.width,
            labels: rows.iter().map(label).collect(),
            classes: listing.classes.clone(),
        })
    };
    let [train, validation, test] = plan::order(&labels, &sides, seed);
    let splits = Splits {
        train: gather(&train)?,
        validation: gather(&validation)?,
        test: gather(&test)?,
        source: format!("{} in `{}`", config.dataset.name(), listing.root.display()),
    };
    same_size(splits)
}

/// Parts are decoded one by one, and each only knows its own size.
fn same_size(splits: Splits) -> Result<Splits> {
    let size = |images: &Images| (images.height, images.width);
    for (part, name) in [(&splits.validation, "validation"), (&splits.test, "test")] {
        if size(part) != size(&splits.train) {
            let ((height, width), (h, w)) = (size(part), size(&splits.train));
            return Err(metricopt_sdk::Error::data(format!(
                "{name} images have {width} x {height} pixels, training images {w} x {h}"
            ))
            .hint("bring images to one size with `task.resize` and `task.crop`"));
        }
    }
    Ok(splits)
}

/// Leaves out of training what validates or tests too, and of validation what tests too, by the pixels.
fn without_common(splits: Splits) -> Result<Splits> {
    let mut seen: HashSet<Vec<u8>> = all(&splits.test).collect();
    let validation = unseen(&splits.validation, &seen)?;
    seen.extend(all(&splits.validation));
    Ok(Splits {
        train: unseen(&splits.train, &seen)?,
        validation,
        ..splits
    })
}

fn all(images: &Images) -> impl Iterator<Item = Vec<u8>> + '_ {
    (0..images.len()).filter_map(|row| images.image(row).map(<[u8]>::to_vec))
}

fn unseen(images: &Images, seen: &HashSet<Vec<u8>>) -> Result<Images> {
    let new = |&row: &u32| {
        images
            .image(row as usize)
            .is_some_and(|image| !seen.contains(image))
    };
    let rows: Vec<u32> = (0..images.len() as u32).filter(new).collect();
    images.gather(&rows)
}
