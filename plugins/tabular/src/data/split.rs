//! Which rows train, which validate, which test.

use metricopt_sdk::prelude::*;
use rand::{SeedableRng, seq::SliceRandom};
use rand_pcg::Pcg64Mcg;

use super::{Dataset, Table};

/// How a data set is divided.
///
/// With an official test part, the training part is divided at random into training and validation. Without one, the
/// rows are divided into all three, with the same share of positives in each.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Shares {
    /// Share of the rows that validate, in (0, 1); if absent, 0.2 with an official test part and 0.1 without.
    pub validation_share: Option<f64>,
    /// Share of the rows that test, in (0, 1), for data without an official test part; 0.3 if absent.
    pub test_share: Option<f64>,
    /// Largest number of training rows, 0 for all; the others are left out at random.
    pub train_rows: usize,
}

/// The three parts, each in random order.
#[derive(Clone, Debug)]
pub struct Splits {
    /// Fits the network.
    pub train: Table,
    /// Observes the metric and selects.
    pub validation: Table,
    /// Reports.
    pub test: Table,
}

impl Shares {
    /// Checks the ranges.
    ///
    /// # Errors
    ///
    /// Names all problems at once.
    pub fn check(&self) -> Result<()> {
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
        if problems.is_empty() && self.test_share.is_some() {
            problems.extend(self.without_official_test().err());
        }
        if problems.is_empty() {
            Ok(())
        } else {
            Err(Error::configuration(problems.join("; ")))
        }
    }

    /// Validation and test share for data without an official test part; the reason if they leave nothing.
    fn without_official_test(&self) -> Result<(f64, f64), String> {
        let validation = self.validation_share.unwrap_or(0.1);
        let test = self.test_share.unwrap_or(0.3);
        if validation + test < 1.0 {
            Ok((validation, test))
        } else {
            Err(format!(
                "`validation_share` {validation} and `test_share` {test} leave no rows for training"
            ))
        }
    }
}

/// Divides a data set; the same for the same seed.
///
/// # Errors
///
/// If the shares are out of range, or a part ends up without rows of both classes.
pub fn split(dataset: Dataset, shares: &Shares, seed: u64) -> Result<Splits> {
    shares.check()?;
    let mut rng = Pcg64Mcg::seed_from_u64(seed);
    let Dataset { train, test, .. } = dataset;
    let all = train;
    let (mut train, validation, test) = match test {
        Some(official) => {
            if shares.test_share.is_some() {
                return Err(Error::configuration(
                    "`test_share` has no meaning for data with an official test part",
                ));
            }
            let mut rows = shuffled(0..all.rows(), &mut rng);
            let share = shares.validation_share.unwrap_or(0.2);
            let validation = rows.split_off(rows.len() - part(rows.len(), share));
            let test = official.gather(&shuffled(0..official.rows(), &mut rng));
            (rows, all.gather(&validation), test)
        }
        None => {
            let (validation_share, test_share) = shares
                .without_official_test()
                .map_err(Error::configuration)?;
            let [mut train, mut validation, mut test] = [const { Vec::new() }; 3];
            for class in [0, 1] {
                let members = (0..all.rows()).filter(|&row| all.labels.get(row) == Some(&class));
                let mut rows = shuffled(members, &mut rng);
                let (validates, tests) = (
                    part(rows.len(), validation_share),
                    part(rows.len(), test_share),
                );
                let keep = rows.len().saturating_sub(validates);
                validation.extend(rows.split_off(keep));
                test.extend(rows.split_off(keep.saturating_sub(tests)));
                train.extend(rows);
            }
            for rows in [&mut train, &mut validation, &mut test] {
                rows.shuffle(&mut rng);
            }
            (train, all.gather(&validation), all.gather(&test))
        }
    };
    if shares.train_rows > 0 {
        train.truncate(shares.train_rows);
    }
    let splits = Splits {
        train: all.gather(&train),
        validation,
        test,
    };
    for (what, table) in [
        ("training", &splits.train),
        ("validation", &splits.validation),
        ("test", &splits.test),
    ] {
        table.require_both_classes(what).map_err(|error| {
            error.hint("there are too few rows for these shares: change `validation_share`, `test_share` or `train_rows`")
        })?;
    }
    Ok(splits)
}

/// The rows in random order.
fn shuffled(rows: impl Iterator<Item = usize>, rng: &mut Pcg64Mcg) -> Vec<u32> {
    let mut rows: Vec<u32> = rows.map(|row| row as u32).collect();
    rows.shuffle(rng);
    rows
}

/// The nearest number of rows to a share.
fn part(rows: usize, share: f64) -> usize {
    (rows as f64 * share).round() as usize
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A table whose only feature is the number of the row.
    fn table(rows: usize, positive_every: usize) -> Table {
        Table {
            features: (0..rows).map(|row| row as f32).collect(),
            labels: (0..rows)
                .map(|row| i64::from(row % positive_every == 0))
                .collect(),
            columns: 1,
            names: vec!["row".into()],
        }
    }

    fn dataset(test: Option<Table>) -> Dataset {
        Dataset {
            name: "csv",
            train: table(1000, 4),
            test,
            source: String::new(),
        }
    }

    fn sorted(tables: &[&Table]) -> Vec<f32> {
        let mut rows: Vec<f32> = tables
            .iter()
            .flat_map(|table| table.features.iter().copied())
            .collect();
        rows.sort_by(f32::total_cmp);
        rows
    }

    #[test]
    fn without_an_official_test_part_rows_are_stratified() {
        let splits = split(dataset(None), &Shares::default(), 1).unwrap();
        let Splits {
            train,
            validation,
            test,
        } = &splits;
        assert_eq!((train.rows(), train.positives()), (600, 150));
        assert_eq!((validation.rows(), validation.positives()), (100, 25));
        assert_eq!((test.rows(), test.positives()), (300, 75));
        assert_eq!(
            sorted(&[train, validation, test]),
            table(1000, 4).features,
            "each row stands in exactly one part"
        );
        for table in [train, validation, test] {
            assert!(!table.features.is_sorted());
            let labels: Vec<bool> = table
                .features
                .iter()
                .map(|&row| (row as usize).is_multiple_of(4))
                .collect();
            assert!(
                labels
                    .iter()
                    .zip(&table.labels)
                    .all(|(a, b)| i64::from(*a) == *b)
            );
        }
    }

    #[test]
    fn an_official_test_part_stays_whole() {
        let splits = split(dataset(Some(table(50, 2))), &Shares::default(), 1).unwrap();
        assert_eq!(sorted(&[&splits.test]), table(50, 2).features);
        assert!(!splits.test.features.is_sorted());
        assert_eq!((splits.train.rows(), splits.validation.rows()), (800, 200));
        assert_eq!(
            sorted(&[&splits.train, &splits.validation]),
            table(1000, 4).features
        );
    }

    #[test]
    fn the_seed_decides() {
        let rows = |seed| {
            let splits = split(dataset(None), &Shares::default(), seed).unwrap();
            splits.train.features
        };
        assert_eq!(rows(1), rows(1));
        assert_ne!(rows(1), rows(2));
    }

    #[test]
    fn the_cap_takes_a_subset() {
        let shares = Shares {
            train_rows: 100,
            ..Shares::default()
        };
        let capped = split(dataset(None), &shares, 1).unwrap();
        let all = split(dataset(None), &Shares::default(), 1).unwrap();
        assert_eq!(capped.train.features, all.train.features[..100]);
        assert_eq!(capped.test, all.test);
    }

    #[test]
    fn impossible_shares() {
        let check = |validation_share, test_share| {
            let shares = Shares {
                validation_share,
                test_share,
                train_rows: 0,
            };
            shares.check().map_err(|error| error.to_string())
        };
        assert_eq!(check(None, None), Ok(()));
        assert_eq!(
            check(Some(0.9), None),
            Ok(()),
            "fine with an official test part"
        );
        assert_eq!(
            check(Some(0.0), Some(f64::NAN)).unwrap_err(),
            "`validation_share` must be above 0 and below 1, not 0; \
             `test_share` must be above 0 and below 1, not NaN"
        );
        assert_eq!(
            check(None, Some(0.95)).unwrap_err(),
            "`validation_share` 0.1 and `test_share` 0.95 leave no rows for training"
        );
        let shares = Shares {
            validation_share: Some(0.8),
            ..Shares::default()
        };
        let error = split(dataset(None), &shares, 0).unwrap_err();
        assert!(error.to_string().contains("leave no rows"), "{error}");
        let shares = Shares {
            train_rows: 1,
            ..Shares::default()
        };
        let error = split(dataset(None), &shares, 0).unwrap_err();
        assert!(
            error
                .to_string()
                .contains("training rows hold one class only"),
            "{error}"
        );
        let shares = Shares {
            test_share: Some(0.1),
            ..Shares::default()
        };
        let error = split(dataset(Some(table(50, 2))), &shares, 0).unwrap_err();
        assert_eq!(error.kind(), metricopt_sdk::ErrorKind::Configuration);
    }

    proptest! {
        #[test]
        fn parts_are_a_partition(rows in 0_usize..200, every in 1_usize..20, seed: u64, v in 0.01..0.99, t in 0.01..0.99) {
            let dataset = Dataset { train: table(rows, every), ..dataset(None) };
            let shares = Shares { validation_share: Some(v), test_share: Some(t), train_rows: 0 };
            if let Ok(splits) = split(dataset, &shares, seed) {
                prop_assert_eq!(sorted(&[&splits.train, &splits.validation, &splits.test]), table(rows, every).features);
            }
        }
    }
}
