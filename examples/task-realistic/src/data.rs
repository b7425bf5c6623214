//! The data: read or made up, brought into random order, split, standardised.

use metricopt_sdk::prelude::*;
use rand::seq::SliceRandom;
use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64Mcg;
use std::path::Path;

use crate::Config;

/// Rows with labels.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Table {
    /// Number of features.
    pub(crate) columns: usize,
    /// Row-major `[rows, columns]`.
    pub(crate) features: Vec<f32>,
    /// 1 for a machine that is about to fail, else 0.
    pub(crate) labels: Vec<i64>,
}

impl Table {
    /// The given rows, in the given order.
    fn select(&self, rows: &[usize]) -> Self {
        let features = |&row: &usize| &self.features[row * self.columns..][..self.columns];
        Self {
            columns: self.columns,
            features: rows.iter().flat_map(features).copied().collect(),
            labels: rows.iter().map(|&row| self.labels[row]).collect(),
        }
    }

    /// Number of rows whose label is 1.
    pub(crate) fn positives(&self) -> usize {
        self.labels.iter().filter(|&&label| label == 1).count()
    }
}

/// Train, validation and test split: three fifths, a fifth, a fifth.
///
/// Units stand in random order, because the folds of the host are contiguous; the seed alone decides which.
pub(crate) fn splits(config: &Config, seed: u64) -> Result<[Table; 3]> {
    let mut rng = Pcg64Mcg::seed_from_u64(seed);
    let table = match &config.path {
        Some(path) => read(path)?,
        None => make_up(config.readings, &mut rng),
    };
    let mut order: Vec<usize> = (0..table.labels.len()).collect();
    order.shuffle(&mut rng);
    let (first, rest) = order.split_at(order.len() * 3 / 5);
    let (second, third) = rest.split_at(rest.len() / 2);
    let mut splits = [first, second, third].map(|rows| table.select(rows));
    for (split, name) in splits.iter().zip(["train", "validation", "test"]) {
        let positives = split.positives();
        if positives == 0 || positives == split.labels.len() {
            return Err(Error::data(format!(
                "all {} rows of the {name} split have the same label",
                split.labels.len()
            ))
            .hint(
                "a metric needs both labels in each split: take more rows, or another `--seed`",
            ));
        }
    }
    standardise(&mut splits);
    Ok(splits)
}

/// Brings each column to mean 0 and deviation 1, as measured on the training split: the others are not looked at.
fn standardise(splits: &mut [Table; 3]) {
    let columns = splits[0].columns;
    for column in 0..columns {
        let train = || splits[0].features[column..].iter().step_by(columns);
        let n = splits[0].labels.len() as f64;
        let mean = train().map(|&x| f64::from(x)).sum::<f64>() / n;
        let variance = train().map(|&x| (f64::from(x) - mean).powi(2)).sum::<f64>() / n;
        // A column that never changes says nothing; it becomes 0.
        let scale = if variance > 0.0 {
            variance.sqrt().recip()
        } else {
            0.0
        };
        for split in &mut *splits {
            for x in split.features[column..].iter_mut().step_by(columns) {
                *x = ((f64::from(*x) - mean) * scale) as f32;
            }
        }
    }
}

/// Readings made up: of temperature, vibration, load and age, and two sensors that have nothing to do with it.
fn make_up(rows: usize, rng: &mut Pcg64Mcg) -> Table {
    let mut table = Table {
        columns: 6,
        features: Vec::with_capacity(6 * rows),
        labels: Vec::with_capacity(rows),
    };
    for _ in 0..rows {
        let [temperature, vibration, load, age, a, b] =
            [(); 6].map(|()| rng.random_range(0.0..1.0));
        // Heat hurts under load, vibration hurts the old.
        let risk: f64 = 9.0 * temperature * load + 7.0 * vibration * age - 7.5;
        let fails = rng.random_range(0.0..1.0) < 1.0 / (1.0 + (-risk).exp());
        let readings = [temperature, vibration, load, age, a, b];
        table
            .features
            .extend(readings.map(|reading: f64| reading as f32));
        table.labels.push(i64::from(fails));
    }
    table
}

/// Reads a CSV file. Whatever is wrong is told with its line.
fn read(path: &Path) -> Result<Table> {
    let name = path.display();
    let text = std::fs::read_to_string(path).map_err(|error| {
        Error::data(format!("cannot read `{name}`"))
            .caused_by(&error)
            .hint("`task.path` is relative to the directory you are in")
    })?;
    let mut lines = text
        .lines()
        .enumerate()
        .filter(|(_, line)| !line.trim().is_empty());
    let width = lines
        .next()
        .map_or(0, |(_, header)| header.split(',').count());
    if width < 2 {
        return Err(Error::data(format!(
            "`{name}` line 1: expected a header of two or more columns"
        ))
        .hint("the first line names the columns, separated by commas; the last one is the label"));
    }
    let mut table = Table {
        columns: width - 1,
        features: Vec::new(),
        labels: Vec::new(),
    };
    for (index, line) in lines {
        let fail = |what: String| Error::data(format!("`{name}` line {}: {what}", index + 1));
        let cells: Vec<&str> = line.split(',').map(str::trim).collect();
        let found = cells.len();
        let Some((&label, features)) = cells.split_last().filter(|_| found == width) else {
            return Err(fail(format!("expected {width} columns, found {found}")));
        };
        for (column, cell) in features.iter().enumerate() {
            let value = cell.parse().ok().filter(|value: &f32| value.is_finite());
            table.features.push(value.ok_or_else(|| {
                fail(format!(
                    "column {}: `{cell}` is not a finite number",
                    column + 1
                ))
                .hint("turn words into numbers, and fill in what is missing")
            })?);
        }
        table.labels.push(match label {
            "0" => 0,
            "1" => 1,
            _ => return Err(fail(format!("the label is `{label}`, expected 0 or 1"))),
        });
    }
    if table.labels.len() < 10 {
        return Err(
            Error::data(format!("`{name}` has {} rows", table.labels.len()))
                .hint("ten are needed to make three splits, thousands to tell methods apart"),
        );
    }
    Ok(table)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reads a file of that content.
    fn parse(text: &str) -> Result<Table> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("t.csv");
        std::fs::write(&path, text).unwrap();
        read(&path).map_err(|error| {
            // The folder is another one each time.
            let message = error
                .to_string()
                .replace(&format!("{}/", folder.path().display()), "");
            Error::new(error.kind(), message)
        })
    }

    #[test]
    fn files_are_read() {
        let rows = "1.5, 2,1\n\n3,4,0\r\n".repeat(5);
        let table = parse(&format!("a,b,failed\n{rows}")).unwrap();
        assert_eq!(table.columns, 2);
        assert_eq!(table.features[..4], [1.5, 2.0, 3.0, 4.0]);
        assert_eq!(table.labels[..2], [1, 0]);
        assert_eq!((table.labels.len(), table.positives()), (10, 5));
    }

    #[test]
    fn what_is_wrong_is_told_with_its_line() {
        for (text, expected) in [
            ("", "`t.csv` line 1: expected a header"),
            (
                "a,failed\n1,0,1\n",
                "`t.csv` line 2: expected 2 columns, found 3",
            ),
            (
                "a,failed\n1,0\nx,1\n",
                "`t.csv` line 3: column 1: `x` is not a finite number",
            ),
            (
                "a,failed\n1e99,0\n",
                "`t.csv` line 2: column 1: `1e99` is not a finite number",
            ),
            (
                "a,failed\n1,yes\n",
                "`t.csv` line 2: the label is `yes`, expected 0 or 1",
            ),
            ("a,failed\n1,0\n", "`t.csv` has 1 rows"),
        ] {
            let error = parse(text).unwrap_err().to_string();
            assert!(error.starts_with(expected), "{error}");
        }
        let config = Config {
            path: Some("/no/such/file.csv".into()),
            ..Config::default()
        };
        let error = splits(&config, 0).unwrap_err();
        assert!(!error.hints().is_empty() && !error.causes().is_empty());
    }

    #[test]
    fn splits_are_disjoint_standardised_and_a_function_of_the_seed() {
        let config = Config {
            readings: 1000,
            ..Config::default()
        };
        let found = splits(&config, 5).unwrap();
        assert_eq!(
            found.each_ref().map(|split| split.labels.len()),
            [600, 200, 200]
        );
        assert_eq!(found, splits(&config, 5).unwrap());
        assert_ne!(found, splits(&config, 6).unwrap());
        for column in 0..6 {
            let values = || found[0].features[column..].iter().step_by(6);
            let mean = values().sum::<f32>() / 600.0;
            let square = values().map(|x| x * x).sum::<f32>() / 600.0;
            assert!(
                mean.abs() < 1e-4 && (square - 1.0).abs() < 1e-3,
                "{mean} {square}"
            );
        }
    }

    #[test]
    fn one_label_alone_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("t.csv");
        std::fs::write(&path, format!("a,failed\n{}", "1,0\n".repeat(20))).unwrap();
        let config = Config {
            path: Some(path),
            ..Config::default()
        };
        let error = splits(&config, 0).unwrap_err().to_string();
        assert_eq!(error, "all 12 rows of the train split have the same label");
    }
}
