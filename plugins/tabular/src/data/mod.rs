//! Tables with a binary label: the embedded a9a, and files in the covtype, LIBSVM and delimited formats.
//!
//! Data flows one way: a [`Source`] is what the user typed, [`load`] turns it into a [`Dataset`], [`split`] into
//! [`Splits`], and [`Corruption`] and [`Scaling`] then act on the splits. Nothing here needs libtorch.
//!
//! ```
//! use metricopt_tabular::data::{self, Corruption, Shares, Source};
//!
//! let dataset = data::load(&Source::default())?;
//! assert_eq!((dataset.name, dataset.train.rows(), dataset.train.columns), ("a9a", 32_561, 123));
//!
//! let mut splits = data::split(dataset, &Shares::default(), 0)?;
//! assert_eq!(splits.train.rows(), 26_049);
//! assert_eq!(splits.validation.rows(), 6_512);
//!
//! let corruption = Corruption { rate: 0.6, ..Corruption::default() };
//! let flips = corruption.apply(&mut splits.train)?;
//! assert_eq!(flips.flipped, (0.6 * flips.candidates as f64).round() as usize);
//! assert_eq!(splits.train.names[39], "marital-status = Married-civ-spouse");
//! # Ok::<(), metricopt_sdk::Error>(())
//! ```

pub mod a9a;
pub mod adult;
mod corruption;
mod covtype;
mod decompress;
mod delimited;
mod labels;
mod libsvm;
mod lines;
mod number;
mod source;
mod split;
mod table;

use std::path::Path;

use metricopt_sdk::{Error, Result};

use self::labels::{Labels, Rule};
pub use self::{
    corruption::{Corruption, Flips},
    source::{Column, DatasetName, Label, Source},
    split::{Shares, Splits, split},
    table::{Scaling, Table},
};

/// Largest number of features. Tables are dense, so a wider file would be mostly zeros.
const MAX_COLUMNS: usize = 1 << 20;

/// Largest number of values in a table: 2 GiB of them.
const MAX_VALUES: usize = 1 << 29;

/// Largest number of rows: what a bomb of short lines unpacks to must end somewhere.
const MAX_ROWS: usize = 1 << 26;

/// A data set as its authors publish it, before any split of ours.
#[derive(Clone, Debug)]
pub struct Dataset {
    /// The name, as in the configuration.
    pub name: &'static str,
    /// The only table, or the official training table.
    pub train: Table,
    /// The official test table, if there is one.
    pub test: Option<Table>,
    /// Where the data comes from and on what terms, for the reader of a report.
    pub source: String,
}

/// Reads a data set.
///
/// # Errors
///
/// A [configuration](Error::configuration) error if the options do not fit together, a [data](Error::data) error
/// that names the file and line if the file is missing, damaged or not what the options say.
pub fn load(source: &Source) -> Result<Dataset> {
    source.check()?;
    let Some(path) = source.path.as_deref() else {
        return a9a::embedded();
    };
    let test_path = source.test_path.as_deref();
    match source.dataset {
        DatasetName::A9a => {
            let read = |path: &Path| libsvm::read(path, Some(a9a::COLUMNS));
            let (mut train, mut test) = files(path, test_path, read, None)
                .map_err(|error| missing(error, path, test_path, a9a::URL))?;
            for table in [Some(&mut train), test.as_mut()].into_iter().flatten() {
                table.names = adult::feature_names();
            }
            Ok(Dataset {
                name: "a9a",
                train,
                test,
                source: format!("{} (read from `{}`)", a9a::SOURCE, path.display()),
            })
        }
        DatasetName::Covtype => {
            let positive = source.positive.clone().unwrap_or(Label::Number(2.0));
            let (train, test) = files(path, test_path, covtype::read, Some(&positive))
                .map_err(|error| missing(error, path, test_path, source::COVTYPE_URL))?;
            Ok(Dataset {
                name: "covtype",
                train,
                test,
                source: format!("{} (read from `{}`)", covtype::SOURCE, path.display()),
            })
        }
        DatasetName::Libsvm => {
            let read = |path: &Path| libsvm::read(path, source.columns);
            let (train, test) = files(path, test_path, read, source.positive.as_ref())?;
            Ok(Dataset {
                name: "libsvm",
                train,
                test,
                source: format!("LIBSVM file `{}`", path.display()),
            })
        }
        DatasetName::Csv => {
            let layout = delimited::Layout {
                label: source.label.as_ref(),
                header: source.header,
                ..delimited::Layout::default()
            };
            let read = |path: &Path| delimited::read(path, &layout);
            let (train, test) = files(path, test_path, read, source.positive.as_ref())?;
            Ok(Dataset {
                name: "csv",
                train,
                test,
                source: format!("CSV file `{}`", path.display()),
            })
        }
    }
}

/// A table as it stands in a file: labels are still what the file calls them.
struct RawTable {
    features: Vec<f32>,
    columns: usize,
    /// Whether the data may have more columns than this file: LIBSVM files leave out zeros.
    may_be_wider: bool,
    /// Empty if the file does not name its columns.
    names: Vec<String>,
    labels: Labels,
}

/// Reads the training file and perhaps a test file, and makes them agree on width, names and the positive class.
fn files(
    path: &Path,
    test_path: Option<&Path>,
    read: impl Fn(&Path) -> Result<RawTable>,
    positive: Option<&Label>,
) -> Result<(Table, Option<Table>)> {
    let mut train = read(path)?;
    let mut test = test_path
        .map(|path| read(path).map(|table| (path, table)))
        .transpose()?;
    if let Some((test_path, test)) = &mut test {
        agree(&mut train, test)
            .map_err(|error| error.context(format!("`{}`", test_path.display())))?;
    }
    let rule = Rule::new(&train.labels, positive)
        .map_err(|error| error.context(format!("`{}`", path.display())))?;
    let finish = |path: &Path, table: RawTable| -> Result<Table> {
        let labels = rule
            .apply(&table.labels)
            .map_err(|error| error.context(format!("`{}`", path.display())))?;
        let names = if table.names.is_empty() {
            (0..table.columns)
                .map(|column| format!("feature {column}"))
                .collect()
        } else {
            table.names
        };
        Ok(Table {
            features: table.features,
            labels,
            columns: table.columns,
            names,
        })
    };
    let test = test.map(|(path, table)| finish(path, table)).transpose()?;
    Ok((finish(path, train)?, test))
}

/// Gives two tables the same width and names.
fn agree(train: &mut RawTable, test: &mut RawTable) -> Result<()> {
    let columns = train.columns.max(test.columns);
    for table in [&mut *train, &mut *test] {
        if table.may_be_wider && table.columns < columns {
            table.features = widen(&table.features, table.columns, columns)?;
            table.columns = columns;
        }
    }
    if train.columns != test.columns {
        return Err(Error::data(format!(
            "{} features, but the training file has {}",
            test.columns, train.columns
        )));
    }
    if train.names.is_empty() {
        train.names.clone_from(&test.names);
    } else if test.names.is_empty() {
        test.names.clone_from(&train.names);
    }
    let differ = train.names.iter().zip(&test.names).find(|(a, b)| a != b);
    if let Some((train, test)) = differ {
        return Err(Error::data(format!(
            "column `{test}` stands where the training file has `{train}`"
        ))
        .hint("the columns of both files must stand in the same order"));
    }
    Ok(())
}

/// Appends columns of zeros.
fn widen(features: &[f32], from: usize, to: usize) -> Result<Vec<f32>> {
    let rows = features.len() / from.max(1);
    let mut wide = vec![0.0; values(rows, to)?];
    for (wide, narrow) in wide
        .chunks_exact_mut(to.max(1))
        .zip(features.chunks_exact(from.max(1)))
    {
        wide[..from].copy_from_slice(narrow);
    }
    Ok(wide)
}

/// The number of values of a dense table, if it is one that we hold.
fn values(rows: usize, columns: usize) -> Result<usize> {
    if rows > MAX_ROWS {
        return Err(Error::data(format!(
            "more than {MAX_ROWS} rows, the most a table may have"
        ))
        .hint("take a sample of the rows"));
    }
    rows.checked_mul(columns)
        .filter(|&values| values <= MAX_VALUES)
        .ok_or_else(|| {
            Error::data(format!(
                "at least {rows} rows of {columns} features are more than the {MAX_VALUES} values a table may hold"
            ))
            .hint("take a sample of the rows, or fewer features")
        })
}

/// Says where to get a file that is not there.
fn missing(error: Error, path: &Path, test_path: Option<&Path>, url: &str) -> Error {
    let all_there = [Some(path), test_path]
        .into_iter()
        .flatten()
        .all(Path::exists);
    if all_there {
        error
    } else {
        error.hint(format!("the data is at {url}"))
    }
}
