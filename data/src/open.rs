//! From a configuration to three parts of images.

use metricopt_sdk::Result;

use crate::{
    cifar::{self, Cifar},
    config::{DatasetConfig, DatasetName},
    digits, folder, idx,
    images::{Images, Pool, Splits},
    opening::Opening,
    place,
    resize::CHANNELS,
};

const MNIST: &str = "MNIST (LeCun, Cortes and Burges 1998)";
const FASHION_MNIST: &str = "Fashion-MNIST (Xiao, Rasul and Vollgraf 2017, MIT)";

/// Reads a data set and divides it. The result depends on the files, the configuration and the seed alone.
///
/// # Errors
///
/// If the configuration is wrong; if the data set is not there, with a hint how to get it; if a file is damaged, by name.
pub fn open(config: &DatasetConfig, opening: &Opening<'_>) -> Result<Splits> {
    config.check()?;
    let (pool, source) = match config.dataset {
        DatasetName::Digits => (digits::embedded()?, digits::SOURCE),
        DatasetName::Cifar10 => cifar(config, &cifar::CIFAR10, opening)?,
        DatasetName::Cifar100 => cifar(config, &cifar::CIFAR100, opening)?,
        DatasetName::Mnist => (
            idx::read(&place::root(config)?, idx::mnist_classes())?,
            MNIST,
        ),
        DatasetName::FashionMnist => (
            idx::read(&place::root(config)?, idx::fashion_classes())?,
            FASHION_MNIST,
        ),
        DatasetName::ImageFolder | DatasetName::Imagenet => return open_folder(config, opening),
    };
    let images = &pool.images;
    let plan = config
        .split
        .plan(&images.labels, pool.parts, &images.classes, opening.seed)?;
    pool.divide(&plan, source)
}

fn cifar(
    config: &DatasetConfig,
    kind: &Cifar,
    opening: &Opening<'_>,
) -> Result<(Pool, &'static str)> {
    let root = place::root(config)?;
    Ok((cifar::read(&root, kind, opening)?, kind.source))
}

/// Files are chosen before they are decoded, so that a part of a large data set costs no more than it must.
fn open_folder(config: &DatasetConfig, opening: &Opening<'_>) -> Result<Splits> {
    let listing = folder::list(&place::root(config)?)?;
    let plan = config.split.plan(
        &listing.labels(),
        listing.parts,
        &listing.classes,
        opening.seed,
    )?;
    // In the order of the listing, whatever the seed: the cache then serves every seed that takes all images.
    let mut chosen = [&plan.train[..], &plan.validation, &plan.test].concat();
    chosen.sort_unstable();
    let pixels = folder::load(&listing, &chosen, config.preparation(), opening)?;
    let label = |&index: &u32| {
        listing
            .files
            .get(index as usize)
            .map_or(0, |file| file.label)
    };
    let images = Images {
        pixels: pixels.bytes,
        channels: CHANNELS,
        height: pixels.height,
        width: pixels.width,
        labels: chosen.iter().map(label).collect(),
        classes: listing.classes.clone(),
    };
    let gather = |part: &[u32]| {
        let rows: Vec<u32> = part
            .iter()
            .filter_map(|index| chosen.binary_search(index).ok())
            .map(|row| row as u32)
            .collect();
        images.gather(&rows)
    };
    Ok(Splits {
        train: gather(&plan.train)?,
        validation: gather(&plan.validation)?,
        test: gather(&plan.test)?,
        source: format!("{} in `{}`", config.dataset.name(), listing.root.display()),
    })
}
