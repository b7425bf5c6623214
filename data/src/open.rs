//! From a configuration to three parts of images.

use std::path::Path;

use metricopt_sdk::{Call, Error, Result};
use rayon::{ThreadPool, ThreadPoolBuilder};

use crate::{
    cifar::{self, Cifar},
    config::{DatasetConfig, DatasetName},
    digits, folder, idx,
    images::{Images, Pool, Splits},
    place,
    resize::CHANNELS,
};

const MNIST: &str = "MNIST (LeCun, Cortes and Burges 1998)";
const FASHION_MNIST: &str = "Fashion-MNIST (Xiao, Rasul and Vollgraf 2017, MIT)";

/// What opening a data set needs beside its configuration.
#[derive(Clone, Copy)]
pub struct Opening<'a> {
    /// Seed of the cuts, unless the configuration has one of its own.
    pub seed: u64,
    /// Folder for what can be computed again, here decoded images; `None` keeps nothing.
    pub cache: Option<&'a Path>,
    /// Hears about a phase: its name, how much is done, how much there is.
    pub progress: &'a dyn Fn(&str, u64, u64),
    /// Threads to decode with, and whether the user asked to stop.
    pub call: Call<'a>,
}

impl Opening<'static> {
    /// All cores, no cache, no progress.
    pub fn quiet(seed: u64) -> Self {
        Self {
            seed,
            cache: None,
            progress: &|_, _, _| {},
            call: Call {
                threads: std::thread::available_parallelism().map_or(1, usize::from),
                cancelled: &|| false,
            },
        }
    }
}

impl Opening<'_> {
    /// As many threads as the call allows.
    pub(crate) fn threads(&self) -> Result<ThreadPool> {
        ThreadPoolBuilder::new()
            .num_threads(self.call.threads)
            .build()
            .map_err(|error| Error::failed(format!("cannot start threads: {error}")))
    }
}

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
