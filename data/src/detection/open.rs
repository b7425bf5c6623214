//! From a configuration to three parts of images with boxes.

use metricopt_sdk::{Error, Result};

use super::config::{DatasetConfig, DatasetName};
use super::scenes::Splits;
use crate::{Opening, coco, place, voc};

/// Reads or makes a data set. The result depends on the files, the configuration and the seed alone.
///
/// # Errors
///
/// If the configuration is wrong; if the data set is not there, with a hint how to get it; if a file is damaged, by name.
pub fn open(config: &DatasetConfig, opening: &Opening<'_>) -> Result<Splits> {
    let problems = config.problems();
    if !problems.is_empty() {
        return Err(Error::configuration(problems.join("; ")));
    }
    let name = config.dataset.name();
    let folder = match config.dataset {
        DatasetName::ScatteredDigits => return config.scattered.splits(opening.seed),
        DatasetName::Voc | DatasetName::Coco => None,
        DatasetName::Voc2007 => Some("VOC2007"),
        DatasetName::Voc2012 => Some("VOC2012"),
    };
    let root = place::named(name, config.root.as_deref())?;
    match config.dataset {
        DatasetName::Coco => coco::read(&root, config, opening),
        _ => voc::read(&root, folder, config, opening),
    }
}
