//! What the user says about the data.

use std::path::PathBuf;

use metricopt_sdk::prelude::*;

use crate::{folder::Preparation, split::Shares};

/// The largest side that images may be resized or cropped to.
const MAX_SIDE: usize = 4096;

/// Which images, and how they are divided.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct DatasetConfig {
    /// The data set, or the layout of the folder.
    pub dataset: DatasetName,
    /// The folder with the files, or for `image-folder` also a tar file. If absent, the folder into which
    /// `host data fetch` puts this data set; needed for `image-folder` and `mnist`.
    pub root: Option<PathBuf>,
    /// Length in pixels that the shorter side of each image is resized to, 1 to 4096, for `image-folder` and `imagenet`.
    /// If absent: 256 for `imagenet`, no resizing for `image-folder`.
    pub resize: Option<usize>,
    /// Side in pixels of the square cut out of the middle after resizing, 1 to 4096, for `image-folder` and `imagenet`. If
    /// absent: 224 for `imagenet`, no cutting for `image-folder`, whose images must then have one size.
    pub crop: Option<usize>,
    /// How the images are divided.
    pub split: Shares,
}

/// The data sets and layouts that are known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum DatasetName {
    /// Optical digits, 8 x 8 grey, 1,797 images of 10 classes, no official parts. Built in.
    #[default]
    Digits,
    /// CIFAR-10, 32 x 32 colour, 50,000 and 10,000 images, binary version: plain, gzip or xz, or the official `.tar.gz`.
    Cifar10,
    /// CIFAR-100 with its 100 fine classes, in the same forms.
    Cifar100,
    /// MNIST, 28 x 28 grey, 60,000 and 10,000 images, IDX files, plain or gzip.
    Mnist,
    /// Fashion-MNIST, in the same form.
    FashionMnist,
    /// A folder or tar file with `train`, `val` and `test`, in each a folder of JPEG and PNG files for every class. `val` and
    /// `test` may be missing.
    ImageFolder,
    /// ImageNet: `train` and `val`, in each a folder for every class. `val` becomes the test part.
    Imagenet,
}

impl DatasetName {
    /// The name as the user writes it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Digits => "digits",
            Self::Cifar10 => "cifar10",
            Self::Cifar100 => "cifar100",
            Self::Mnist => "mnist",
            Self::FashionMnist => "fashion-mnist",
            Self::ImageFolder => "image-folder",
            Self::Imagenet => "imagenet",
        }
    }

    /// Whether the images are files to be decoded, of any size.
    pub const fn is_folder(self) -> bool {
        matches!(self, Self::ImageFolder | Self::Imagenet)
    }
}

impl DatasetConfig {
    /// Checks the values without looking at any file.
    ///
    /// # Errors
    ///
    /// Names all problems at once.
    pub fn check(&self) -> Result<()> {
        let mut problems = Vec::new();
        let name = self.dataset.name();
        for (key, side) in [("resize", self.resize), ("crop", self.crop)] {
            if side.is_some() && !self.dataset.is_folder() {
                problems.push(format!("`{key}` has no meaning for `{name}`"));
            } else if side.is_some_and(|side| !(1..=MAX_SIDE).contains(&side)) {
                problems.push(format!("`{key}` must be 1 to {MAX_SIDE}"));
            }
        }
        if self.root.is_some() && self.dataset == DatasetName::Digits {
            problems.push("`root` has no meaning for `digits`, which is built in".to_owned());
        }
        if self.root.is_none() && self.dataset == DatasetName::ImageFolder {
            problems.push("`image-folder` needs `root`, the folder with the images".to_owned());
        }
        problems.extend(self.split.problems());
        if problems.is_empty() {
            Ok(())
        } else {
            Err(Error::configuration(problems.join("; ")))
        }
    }

    /// How images of files are brought to one size.
    pub(crate) fn preparation(&self) -> Preparation {
        // 224 of 256 pixels, as the reference implementations evaluate on ImageNet.
        let default = |side| (self.dataset == DatasetName::Imagenet).then_some(side);
        Preparation {
            resize: self.resize.or(default(256)),
            crop: self.crop.or(default(224)),
        }
    }
}
