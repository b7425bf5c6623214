//! What the user says about data for retrieval.

use metricopt_sdk::prelude::*;
use std::path::PathBuf;

use super::plan::ClassShares;
use crate::{folder::Preparation, shift::Shift};

/// The largest side that images may be resized or cropped to.
const MAX_SIDE: usize = 4096;

/// Side in pixels that characters are reduced to if nothing is said.
const CHARACTER_SIDE: usize = 28;

/// Which images, and how their classes are divided.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The data set, or the layout of the folder.
    pub dataset: DatasetName,
    /// The folder with the files; for `omniglot` folders or zip files, one or a list. If absent, the folder of that name among
    /// the data sets; needed for `image-folder`.
    pub root: Option<Roots>,
    /// Length in pixels that the shorter side of each image is resized to, 1 to 4096. If absent: 28 for `omniglot`, 256 for
    /// `sop`, no resizing for `image-folder`.
    pub resize: Option<usize>,
    /// Side in pixels of the square cut out of the middle after resizing, 1 to 4096. If absent: 224 for `sop`, otherwise no
    /// cutting.
    pub crop: Option<usize>,
    /// How the classes are divided.
    pub split: ClassShares,
    /// How validation and test images are made worse; training images stay as they are.
    pub shift: Shift,
}

/// One place or several.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Roots {
    /// A folder or file.
    One(PathBuf),
    /// Several, which are read as one.
    Many(Vec<PathBuf>),
}

impl Roots {
    /// All of them.
    pub fn paths(&self) -> &[PathBuf] {
        match self {
            Self::One(path) => std::slice::from_ref(path),
            Self::Many(paths) => paths,
        }
    }
}

/// The data sets and layouts that are known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum DatasetName {
    /// Optical digits, 8 x 8 grey, built in: 0 to 4 train, 5 and 6 validate, 7 to 9 test.
    #[default]
    Digits,
    /// Omniglot: `ALPHABET/CHARACTER/*.png` in folders or zip files, at any depth. A class is a character; whole alphabets are
    /// divided: Greek and Latin validate, Japanese_(katakana), Sanskrit and Tagalog test, and all others train.
    Omniglot,
    /// Stanford Online Products: `Ebay_train.txt`, `Ebay_test.txt` and the images that they list. Validation classes are cut
    /// from the training classes.
    Sop,
    /// Any folder with `CLASS/*.jpg` or `.png`, or with `train`, `val` and `test` and classes of their own in each, as CUB and
    /// Cars are usually laid out.
    ImageFolder,
}

impl DatasetName {
    /// The name as the user writes it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Digits => "digits",
            Self::Omniglot => "omniglot",
            Self::Sop => "sop",
            Self::ImageFolder => "image-folder",
        }
    }
}

impl Config {
    /// Checks the values without looking at any file.
    ///
    /// # Errors
    ///
    /// Names all problems at once.
    pub fn check(&self) -> Result<()> {
        let mut problems = Vec::new();
        let (dataset, name) = (self.dataset, self.dataset.name());
        for (key, side, meant) in [
            ("resize", self.resize, dataset != DatasetName::Digits),
            (
                "crop",
                self.crop,
                matches!(dataset, DatasetName::Sop | DatasetName::ImageFolder),
            ),
        ] {
            if side.is_some() && !meant {
                problems.push(format!("`{key}` has no meaning for `{name}`"));
            } else if side.is_some_and(|side| !(1..=MAX_SIDE).contains(&side)) {
                problems.push(format!("`{key}` must be 1 to {MAX_SIDE}"));
            }
        }
        let roots = self.root.as_ref().map_or(0, |root| root.paths().len());
        match dataset {
            DatasetName::Digits if self.root.is_some() => {
                problems.push("`root` has no meaning for `digits`, which is built in".to_owned());
            }
            DatasetName::ImageFolder if roots != 1 => problems
                .push("`image-folder` needs one `root`, the folder with the images".to_owned()),
            DatasetName::Sop if roots > 1 => {
                problems.push("`sop` takes one `root`, not several".to_owned());
            }
            DatasetName::Omniglot if self.root.is_some() && roots == 0 => {
                problems.push("`root` is an empty list".to_owned());
            }
            _ => {}
        }
        problems.extend(self.split.problems());
        problems.extend(self.shift.problems());
        if problems.is_empty() {
            Ok(())
        } else {
            Err(Error::configuration(problems.join("; ")))
        }
    }

    /// How images of files are brought to one size.
    pub(super) fn preparation(&self) -> Preparation {
        // 224 of 256 pixels, as published results on this data set are evaluated.
        let default = |side| (self.dataset == DatasetName::Sop).then_some(side);
        Preparation {
            resize: self.resize.or(default(256)),
            crop: self.crop.or(default(224)),
        }
    }

    /// The side of characters.
    pub(super) fn character_side(&self) -> usize {
        self.resize.unwrap_or(CHARACTER_SIDE)
    }
}
