//! Which classes train, which validate, which test.

use metricopt_sdk::prelude::*;
use rand::{SeedableRng, seq::SliceRandom};
use rand_pcg::Pcg64Mcg;
use std::collections::BTreeSet;

/// Fewest classes of a part: with one there is nothing to confuse.
const FEWEST: usize = 2;

/// At most this many names are listed in a hint.
const LISTED: usize = 40;

/// How classes are divided.
///
/// Official parts stay what they are; validation classes that they lack are cut from the training classes. Otherwise classes
/// are named (for `omniglot` by their alphabets), or else drawn by their shares and a seed.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ClassShares {
    /// Names of the classes that train; all others if empty.
    pub train: Vec<String>,
    /// Names of the classes that validate.
    pub validation: Vec<String>,
    /// Names of the classes that test.
    pub test: Vec<String>,
    /// Share of the classes that validate, in (0, 1), where they are drawn. If absent: 0.1 of the official training classes, 0.25
    /// of classes without official parts.
    pub validation_share: Option<f64>,
    /// Share of the classes that test, in (0, 1), where they are drawn; 0.25 if absent.
    pub test_share: Option<f64>,
    /// Seed of the draws and of the order of the classes; the seed of the run if absent.
    pub seed: Option<u64>,
}

/// A class before it is in a part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Class {
    /// What it is divided by: its own name, or that of an alphabet.
    pub(super) group: String,
    /// The official part it is in, if there are any.
    pub(super) side: Option<Split>,
}

/// The classes that are named where the user says nothing.
#[derive(Clone, Copy)]
pub(super) struct Defaults {
    pub(super) validation: &'static [&'static str],
    pub(super) test: &'static [&'static str],
}

impl ClassShares {
    /// What is wrong with the values, if anything.
    pub(super) fn problems(&self) -> Vec<String> {
        let shares = [
            ("validation_share", self.validation_share),
            ("test_share", self.test_share),
        ];
        let mut problems: Vec<String> = shares
            .into_iter()
            .filter_map(|(name, share)| Some((name, share?)))
            .filter(|&(_, share)| !(share > 0.0 && share < 1.0))
            .map(|(name, share)| format!("`split.{name}` must be above 0 and below 1, not {share}"))
            .collect();
        let both = |a: &Vec<String>, b: &Vec<String>| !a.is_empty() && !b.is_empty();
        if self.names_any() && !both(&self.validation, &self.test) {
            problems.push(
                "name the classes of both `split.validation` and `split.test`, or none".to_owned(),
            );
        }
        if self.names_any() && (self.validation_share.is_some() || self.test_share.is_some()) {
            problems.push("`split` has both names and shares of classes".to_owned());
        }
        problems
    }

    fn names_any(&self) -> bool {
        [&self.train, &self.validation, &self.test]
            .iter()
            .any(|names| !names.is_empty())
    }

    /// The part of each class, none for those that are left out; the same for the same seed.
    ///
    /// # Errors
    ///
    /// If an option has no meaning for official parts, if a name is unknown or stands in two lists, or if a part has less than
    /// two classes.
    pub(super) fn assign(
        &self,
        classes: &[Class],
        defaults: Option<Defaults>,
        seed: u64,
    ) -> Result<Vec<Option<Split>>> {
        let seed = self.seed.unwrap_or(seed);
        let shares = self.validation_share.is_some() || self.test_share.is_some();
        let sides = if classes.iter().any(|class| class.side.is_some()) {
            self.complete(classes, seed)?
        } else if self.names_any() {
            let lists = [&self.train, &self.validation, &self.test];
            by_name(
                classes,
                &lists.map(|names| names.iter().map(String::as_str).collect()),
            )?
        } else if let Some(defaults) = defaults.filter(|_| !shares) {
            let [validation, test] = [defaults.validation, defaults.test].map(<[&str]>::to_vec);
            by_name(classes, &[Vec::new(), validation, test])
                .map_err(|error| error.context("the usual division"))?
        } else {
            self.by_share(classes, seed)?
        };
        for part in [Split::Train, Split::Validation, Split::Test] {
            let count = sides.iter().filter(|&&side| side == Some(part)).count();
            if count < FEWEST {
                return Err(Error::data(format!(
                    "the {} part has {count} of {} classes, expected {FEWEST} or more",
                    part.name(),
                    classes.len()
                ))
                .hint("divide the classes otherwise with `task.split`, or give more of them"));
            }
        }
        Ok(sides)
    }

    /// Official parts, with a validation part cut from the training classes if there is none.
    fn complete(&self, classes: &[Class], seed: u64) -> Result<Vec<Option<Split>>> {
        let refuse = |key: &str| {
            Err(Error::configuration(format!(
                "`split.{key}` has no meaning for data with official parts"
            )))
        };
        let mut sides: Vec<Option<Split>> = classes.iter().map(|class| class.side).collect();
        let validates = sides.contains(&Some(Split::Validation));
        if self.names_any() {
            return refuse("validation` and `split.test");
        }
        if self.test_share.is_some() {
            return refuse("test_share");
        }
        if validates {
            return match self.validation_share {
                Some(_) => refuse("validation_share"),
                None => Ok(sides),
            };
        }
        let is_training = |&index: &usize| sides[index] == Some(Split::Train);
        let mut training: Vec<usize> = (0..classes.len()).filter(is_training).collect();
        training.shuffle(&mut Pcg64Mcg::seed_from_u64(seed));
        let share = self.validation_share.unwrap_or(0.1);
        for &class in &training[..rounded(training.len(), share)] {
            sides[class] = Some(Split::Validation);
        }
        Ok(sides)
    }

    fn by_share(&self, classes: &[Class], seed: u64) -> Result<Vec<Option<Split>>> {
        let validation = self.validation_share.unwrap_or(0.25);
        let test = self.test_share.unwrap_or(0.25);
        if validation + test >= 1.0 {
            return Err(Error::configuration(format!(
                "`split.validation_share` {validation} and `split.test_share` {test} leave no classes for training"
            )));
        }
        let groups: BTreeSet<&str> = classes.iter().map(|class| class.group.as_str()).collect();
        let mut groups: Vec<&str> = groups.into_iter().collect();
        groups.shuffle(&mut Pcg64Mcg::seed_from_u64(seed));
        let (of_test, rest) = groups.split_at(rounded(groups.len(), test));
        let (of_validation, of_train) =
            rest.split_at(rounded(groups.len(), validation).min(rest.len()));
        by_name(
            classes,
            &[of_train.to_vec(), of_validation.to_vec(), of_test.to_vec()],
        )
    }
}

fn rounded(count: usize, share: f64) -> usize {
    ((count as f64 * share).round() as usize).min(count)
}

/// The part of each class by the names of groups; without names for training all others train.
fn by_name(classes: &[Class], lists: &[Vec<&str>; 3]) -> Result<Vec<Option<Split>>> {
    let known: BTreeSet<&str> = classes.iter().map(|class| class.group.as_str()).collect();
    let parts = [Split::Train, Split::Validation, Split::Test];
    let mut seen = BTreeSet::new();
    for (names, part) in lists.iter().zip(parts) {
        for &name in names {
            if !known.contains(name) {
                let listed: Vec<&str> = known.iter().take(LISTED).copied().collect();
                return Err(Error::configuration(format!(
                    "`split.{}` names `{name}`, which is not there",
                    part.name()
                ))
                .hint(format!("there are {}", listed.join(", "))));
            }
            if !seen.insert(name) {
                return Err(Error::configuration(format!(
                    "`{name}` stands twice in the lists of `split`: parts have no class in common"
                )));
            }
        }
    }
    let part_of = |class: &Class| {
        let named = lists
            .iter()
            .position(|names| names.contains(&class.group.as_str()));
        match named {
            Some(part) => parts.get(part).copied(),
            None => lists[0].is_empty().then_some(Split::Train),
        }
    };
    Ok(classes.iter().map(part_of).collect())
}

/// The images of each part by their labels: classes in random order, and those of a class in random order.
pub(super) fn order(labels: &[i64], sides: &[Option<Split>], seed: u64) -> [Vec<u32>; 3] {
    let mut members = vec![Vec::new(); sides.len()];
    for (row, &label) in (0_u32..).zip(labels) {
        if let Some(class) = usize::try_from(label)
            .ok()
            .and_then(|at| members.get_mut(at))
        {
            class.push(row);
        }
    }
    let mut rng = Pcg64Mcg::seed_from_u64(!seed);
    let mut classes: Vec<(Vec<u32>, Option<Split>)> =
        members.into_iter().zip(sides.iter().copied()).collect();
    classes.shuffle(&mut rng);
    let mut parts: [Vec<u32>; 3] = Default::default();
    for (mut class, side) in classes {
        class.shuffle(&mut rng);
        if let Some(side) = side {
            parts[side as usize].extend(class);
        }
    }
    parts
}
