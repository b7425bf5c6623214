//! Which images train, which validate, which test: pure functions of the labels, the shares and a seed.

use metricopt_sdk::prelude::*;
use rand::{SeedableRng, seq::SliceRandom};
use rand_pcg::Pcg64Mcg;

/// How a data set is divided.
///
/// Official parts stay what they are. An official validation part without a test part becomes the test part. Without an
/// official validation part one is cut from the training or the test images; without any parts, both are cut. Every cut takes
/// the same share of each class.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Shares {
    /// Which official part the validation images are cut from: `train` if absent. Take `test` for a network that has seen all
    /// training images.
    pub validation_from: Option<CutFrom>,
    /// Share of that part that validates, in (0, 1). If absent: 0.1 of the training images, 0.5 of the test images, 0.25 of data
    /// without official parts.
    pub validation_share: Option<f64>,
    /// Share of the images that test, in (0, 1), for data without official parts; 0.25 if absent.
    pub test_share: Option<f64>,
    /// Seed of the cuts; the seed of the run if absent. Give one to compare runs of several seeds on the same images.
    pub seed: Option<u64>,
    /// Classes made rare on purpose.
    pub thin: Thinning,
    /// Largest number of training images, 0 for all; the others are left out at random, before they are decoded.
    pub train_images: usize,
    /// Largest number of validation images, in the same way.
    pub validation_images: usize,
    /// Largest number of test images, in the same way.
    pub test_images: usize,
}

/// The official part that validation images are cut from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum CutFrom {
    /// The training images.
    Train,
    /// The test images: what is left of them still tests.
    Test,
}

/// Keeps only a share of the images of some classes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Thinning {
    /// Names of the classes made rare; none if empty.
    pub classes: Vec<String>,
    /// Share of their images that is kept, in (0, 1]; at least one image of each class stays.
    pub keep: f64,
    /// Whether validation and test images are made rare too, and not only the training images.
    pub everywhere: bool,
}

impl Default for Thinning {
    fn default() -> Self {
        Self {
            classes: Vec::new(),
            keep: 0.1,
            everywhere: false,
        }
    }
}

/// How many images belong to each official part; they stand in this order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Parts {
    /// Training images.
    pub train: usize,
    /// Validation images, 0 if there is no such part.
    pub validation: usize,
    /// Test images, 0 if there is no such part.
    pub test: usize,
}

/// Which images make up each part, in random order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// Fits the network.
    pub train: Vec<u32>,
    /// Observes the metric and selects.
    pub validation: Vec<u32>,
    /// Reports.
    pub test: Vec<u32>,
}

impl Shares {
    /// What is wrong with the values, if anything.
    pub(crate) fn problems(&self) -> Vec<String> {
        let outside = |share: f64| !(share > 0.0 && share < 1.0);
        let shares = [
            ("validation_share", self.validation_share),
            ("test_share", self.test_share),
        ];
        let mut problems: Vec<String> = shares
            .into_iter()
            .filter_map(|(name, share)| Some((name, share.filter(|&share| outside(share))?)))
            .map(|(name, share)| format!("`{name}` must be above 0 and below 1, not {share}"))
            .collect();
        if !(self.thin.keep > 0.0 && self.thin.keep <= 1.0) {
            problems.push(format!(
                "`thin.keep` must be above 0 and at most 1, not {}",
                self.thin.keep
            ));
        }
        problems
    }

    /// Divides images with these labels, which stand in the order of `parts`; the same for the same seed.
    ///
    /// # Errors
    ///
    /// If an option has no meaning for these official parts, if a class to be thinned is unknown, or if a part ends up empty.
    pub fn plan(
        &self,
        labels: &[i64],
        parts: Parts,
        classes: &[String],
        seed: u64,
    ) -> Result<Plan> {
        let problems = self.problems();
        if !problems.is_empty() {
            return Err(Error::configuration(problems.join("; ")));
        }
        let count = u32::try_from(labels.len())
            .map_err(|_| Error::data(format!("{} images are too many", labels.len())))?;
        if parts.train + parts.validation + parts.test != labels.len() {
            return Err(Error::failed("the official parts do not cover the images"));
        }
        let (first, second) = (parts.train, parts.train + parts.validation);
        let (first, second) = (first as u32, second as u32);
        let mut cut = Cut {
            labels,
            classes: classes.len(),
            rng: Pcg64Mcg::seed_from_u64(self.seed.unwrap_or(seed)),
        };
        let mut train: Vec<u32> = (0..first).collect();
        let mut validation: Vec<u32> = (first..second).collect();
        let mut test: Vec<u32> = (second..count).collect();
        if test.is_empty() {
            std::mem::swap(&mut test, &mut validation);
        }
        let without_parts = test.is_empty();
        self.refuse_meaningless(!validation.is_empty(), without_parts)?;
        if without_parts {
            let validation_share = self.validation_share.unwrap_or(0.25);
            let test_share = self.test_share.unwrap_or(0.25);
            if validation_share + test_share >= 1.0 {
                return Err(Error::configuration(format!(
                    "`validation_share` {validation_share} and `test_share` {test_share} leave no images for training"
                )));
            }
            test = cut.take(&mut train, test_share);
            // A share of all images, of which some are gone.
            validation = cut.take(&mut train, validation_share / (1.0 - test_share));
        } else if validation.is_empty() {
            validation = match self.validation_from.unwrap_or(CutFrom::Train) {
                CutFrom::Train => cut.take(&mut train, self.validation_share.unwrap_or(0.1)),
                CutFrom::Test => cut.take(&mut test, self.validation_share.unwrap_or(0.5)),
            };
        }
        let rare = self.thin.labels(classes)?;
        let mut plan = Plan {
            train,
            validation,
            test,
        };
        for (part, limit, thin) in [
            (&mut plan.train, self.train_images, true),
            (
                &mut plan.validation,
                self.validation_images,
                self.thin.everywhere,
            ),
            (&mut plan.test, self.test_images, self.thin.everywhere),
        ] {
            if thin && !rare.is_empty() {
                cut.thin(part, &rare, self.thin.keep);
            }
            part.shuffle(&mut cut.rng);
            if limit > 0 {
                part.truncate(limit);
            }
        }
        for (part, name) in [
            (&plan.train, "training"),
            (&plan.validation, "validation"),
            (&plan.test, "test"),
        ] {
            if part.is_empty() {
                return Err(
                    Error::data(format!("there are no {name} images left")).hint(
                        "the shares of `split` are shares of every class: give larger ones, or more images",
                    ),
                );
            }
        }
        Ok(plan)
    }

    /// Refuses options that the official parts leave without an effect.
    fn refuse_meaningless(&self, official_validation: bool, without_parts: bool) -> Result<()> {
        let refuse = |key: &str, why: &str| {
            Err(Error::configuration(format!(
                "`split.{key}` has no meaning for data {why}"
            )))
        };
        if official_validation && self.validation_share.is_some() {
            return refuse("validation_share", "with an official validation part");
        }
        if official_validation && self.validation_from.is_some() {
            return refuse("validation_from", "with an official validation part");
        }
        if without_parts && self.validation_from == Some(CutFrom::Test) {
            return refuse("validation_from", "without an official test part");
        }
        if !without_parts && self.test_share.is_some() {
            return refuse("test_share", "with an official test part");
        }
        Ok(())
    }
}

impl Thinning {
    /// The labels of the classes made rare, ascending.
    fn labels(&self, classes: &[String]) -> Result<Vec<i64>> {
        let label = |name: &String| {
            classes
                .iter()
                .position(|class| class == name)
                .map(|label| label as i64)
                .ok_or_else(|| {
                    let shown: Vec<String> = classes
                        .iter()
                        .take(20)
                        .map(|class| format!("`{class}`"))
                        .collect();
                    let more = if classes.len() > 20 { ", ..." } else { "" };
                    Error::configuration(format!(
                        "`split.thin.classes` names `{name}`, which is no class of this data set"
                    ))
                    .hint(format!("the classes are {}{more}", shown.join(", ")))
                })
        };
        let mut labels: Vec<i64> = self.classes.iter().map(label).collect::<Result<_>>()?;
        labels.sort_unstable();
        labels.dedup();
        Ok(labels)
    }
}

/// Draws class by class.
struct Cut<'a> {
    labels: &'a [i64],
    classes: usize,
    rng: Pcg64Mcg,
}

impl Cut<'_> {
    /// The members of each class among `rows`, each class in random order.
    fn by_class(&mut self, rows: &[u32]) -> Vec<Vec<u32>> {
        let mut members = vec![Vec::new(); self.classes];
        for &row in rows {
            let label = self.labels.get(row as usize).copied().unwrap_or(-1);
            if let Some(class) = usize::try_from(label)
                .ok()
                .and_then(|class| members.get_mut(class))
            {
                class.push(row);
            }
        }
        for class in &mut members {
            class.shuffle(&mut self.rng);
        }
        members
    }

    /// Takes a share of every class out of `rows`, rounded to whole images.
    fn take(&mut self, rows: &mut Vec<u32>, share: f64) -> Vec<u32> {
        let mut taken = Vec::new();
        let mut kept = Vec::new();
        for mut class in self.by_class(rows) {
            let count = (class.len() as f64 * share).round() as usize;
            taken.extend(class.split_off(class.len() - count.min(class.len())));
            kept.extend(class);
        }
        *rows = kept;
        taken
    }

    /// Keeps a share of the rare classes, at least one image each.
    fn thin(&mut self, rows: &mut Vec<u32>, rare: &[i64], keep: f64) {
        let mut kept = Vec::new();
        for (label, mut class) in self.by_class(rows).into_iter().enumerate() {
            if rare.binary_search(&(label as i64)).is_ok() {
                let count = (class.len() as f64 * keep).round() as usize;
                class.truncate(count.max(1));
            }
            kept.extend(class);
        }
        *rows = kept;
    }
}
