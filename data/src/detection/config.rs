//! What the user says about images with boxes.

use std::path::PathBuf;

use metricopt_sdk::prelude::*;

use super::generated::Scattered;

/// The smallest and the largest side of what a network sees.
const SIDES: std::ops::RangeInclusive<usize> = 32..=2048;

/// Where nobody says otherwise.
const SIDE: usize = 256;

/// Which images with boxes.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct DatasetConfig {
    /// The data set, or the layout of the folder.
    pub dataset: DatasetName,
    /// The folder with `Annotations`, `ImageSets/Main` and `JPEGImages`, or one of up to two levels above it, or a tar file with
    /// them, plain or compressed; of `coco` the folder with `annotations/instances_PART.json` and the images in `PART`, where a
    /// part is `train...`, `val...` or `test...`. If absent, the folder into which `host data fetch` puts `voc2007`; needed for
    /// `voc` and `coco`.
    pub root: Option<PathBuf>,
    /// Height in pixels to which images are brought, 32 to 2048. If absent, what the network is made for.
    pub height: Option<usize>,
    /// Width in pixels to which images are brought, 32 to 2048. If absent, what the network is made for.
    pub width: Option<usize>,
    /// How images of another shape are brought to that size.
    pub fit: Fit,
    /// The classes in their order; all that the training annotations name, if empty, in alphabetical order, of `coco` by their
    /// numbers. Objects of other classes are not looked at.
    pub classes: Vec<String>,
    /// What happens to an annotation that cannot be used: a file that is no XML or lacks something, a box without an area or
    /// outside its image, of `coco` an object of an image or a category that is not listed, and an image that is not there.
    pub on_bad_annotation: OnBadAnnotation,
    /// The built-in images.
    pub scattered: Scattered,
}

/// The data sets and layouts that are known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum DatasetName {
    /// The built-in optical digits at random places and scales on textured ground, 64 x 64 grey.
    #[default]
    ScatteredDigits,
    /// The layout of PASCAL VOC, any classes.
    Voc,
    /// PASCAL VOC 2007.
    Voc2007,
    /// PASCAL VOC 2012, whose `val` images become the test part.
    Voc2012,
    /// The layout of COCO, any classes; without annotations for `test` the `val` images become the test part. Regions with many
    /// objects (`iscrowd`) are taken as difficult objects: nobody has to find them, and to find them is no mistake.
    Coco,
}

/// How an image is brought to a size.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Fit {
    /// As large as it fits, in its own shape, with grey around it.
    #[default]
    Letterbox,
    /// Height and width each for itself.
    Stretch,
}

/// What happens to an annotation that cannot be used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum OnBadAnnotation {
    /// Nothing is read, and the file is named.
    #[default]
    Error,
    /// The object is left out, or the whole image if its file cannot be read, and how many is said.
    Skip,
}

impl DatasetName {
    /// The name as the user writes it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::ScatteredDigits => "scattered-digits",
            Self::Voc => "voc",
            Self::Voc2007 => "voc2007",
            Self::Voc2012 => "voc2012",
            Self::Coco => "coco",
        }
    }
}

impl DatasetConfig {
    /// Height and width in pixels to which images are brought.
    pub fn size(&self) -> [usize; 2] {
        [self.height, self.width].map(|side| side.unwrap_or(SIDE))
    }

    /// Complaints about values out of range, one sentence each.
    pub fn problems(&self) -> Vec<String> {
        let mut problems = self.scattered.problems();
        for (key, side) in ["height", "width"].into_iter().zip(self.size()) {
            if !SIDES.contains(&side) {
                problems.push(format!(
                    "`{key}` must be {} to {}",
                    SIDES.start(),
                    SIDES.end()
                ));
            }
        }
        if self.dataset == DatasetName::ScatteredDigits {
            if self.root.is_some() {
                problems
                    .push("`root` has no meaning for `scattered-digits`, which is built in".into());
            }
            if !self.classes.is_empty() {
                problems.push("`classes` has no meaning for `scattered-digits`".into());
            }
        }
        if self.dataset == DatasetName::Voc && self.root.is_none() {
            problems.push(
                "`voc` needs `root`, the folder or tar file in the layout of PASCAL VOC".into(),
            );
        }
        if self.dataset == DatasetName::Coco && self.root.is_none() {
            problems.push("`coco` needs `root`, the folder in the layout of COCO".into());
        }
        let mut names = self.classes.clone();
        names.sort_unstable();
        if let Some(pair) = names.windows(2).find(|pair| pair[0] == pair[1]) {
            problems.push(format!("`classes` names `{}` twice", pair[0]));
        }
        problems
    }
}
