//! What the user says about the data.

use std::path::PathBuf;

use metricopt_sdk::prelude::*;

use super::{MAX_COLUMNS, a9a};

/// Where to get CoverType.
pub(super) const COVTYPE_URL: &str = "https://archive.ics.uci.edu/dataset/31/covertype";

/// Where the data comes from.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Source {
    /// The data set, or the format of the file.
    pub dataset: DatasetName,
    /// The file with the data or with its training part; plain, gzip or xz. Needed for everything but `a9a`, which is
    /// built in.
    pub path: Option<PathBuf>,
    /// A file with the official test part, in the same format. Without it, a share of `path` becomes the test part.
    pub test_path: Option<PathBuf>,
    /// `csv` only: the column with the labels, by its name in the header or by its number counted from 0; the last
    /// column if absent.
    pub label: Option<Column>,
    /// `csv` only: whether the first line names the columns; found out from the line if absent.
    pub header: Option<bool>,
    /// `libsvm` only: the number of features, 1 to 1,048,576; the largest index in the files if absent.
    pub columns: Option<usize>,
    /// The label of the positive class; all others are negative. If absent: 2 for `covtype`, and 1 for files whose
    /// labels are -1 and 1 or 0 and 1.
    pub positive: Option<Label>,
}

/// The data sets and file formats that are known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum DatasetName {
    /// UCI Adult in the binary encoding of LIBSVM: 123 features, 32,561 and 16,281 rows. Built in; `path` reads the
    /// LIBSVM file instead.
    #[default]
    A9a,
    /// UCI CoverType: 54 features, 581,012 rows, from the `csv` file of UCI.
    Covtype,
    /// Any file in the LIBSVM text format.
    Libsvm,
    /// Any table of numbers, one row a line, separated by commas, semicolons or tabs.
    Csv,
}

/// A column of a delimited file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
// The message names the option: a task may flatten this configuration, and then serde forgets which field it was at.
#[serde(
    untagged,
    expecting = "`label` must be a column name or a column number from 0"
)]
pub enum Column {
    /// By number, counted from 0.
    Number(usize),
    /// By its name in the header.
    Name(String),
}

/// The value of a label.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(
    untagged,
    expecting = "`positive` must be a number, a word, `true` or `false`"
)]
pub enum Label {
    /// A truth value; matches any case.
    Bool(bool),
    /// A number; `1` and `+1.0` are the same.
    Number(f64),
    /// Anything else.
    Text(String),
}

impl Source {
    /// Checks that the options fit together, without touching the files.
    ///
    /// # Errors
    ///
    /// Names all problems at once.
    pub fn check(&self) -> Result<()> {
        use DatasetName::{A9a, Covtype, Csv, Libsvm};

        let mut problems = Vec::new();
        let mut hints = Vec::new();
        let dataset = match self.dataset {
            A9a => "a9a",
            Covtype => "covtype",
            Libsvm => "libsvm",
            Csv => "csv",
        };
        if self.path.is_none() && self.dataset != A9a {
            problems.push(format!("data set `{dataset}` needs a `path`"));
            hints.push("name the file with `--set task.path=FILE`".to_owned());
            if self.dataset == Covtype {
                hints.push(format!("the data is at {}", COVTYPE_URL));
            }
        }
        if self.path.is_none() && self.dataset == A9a && self.test_path.is_some() {
            problems.push("`test_path` needs a `path`".to_owned());
            hints.push(format!(
                "the built-in a9a has its own test part; its files are at {}",
                a9a::URL
            ));
        }
        let only = |given: bool, option: &str, allowed: &[DatasetName]| {
            (given && !allowed.contains(&self.dataset))
                .then(|| format!("`{option}` is no option of data set `{dataset}`"))
        };
        problems.extend(only(self.label.is_some(), "label", &[Csv]));
        problems.extend(only(self.header.is_some(), "header", &[Csv]));
        problems.extend(only(self.columns.is_some(), "columns", &[Libsvm]));
        problems.extend(only(
            self.positive.is_some(),
            "positive",
            &[Covtype, Libsvm, Csv],
        ));
        if let (Some(Column::Name(name)), Some(false)) = (&self.label, self.header) {
            problems.push(format!(
                "`label` names a column, `{name}`, but `header` says that columns have no names"
            ));
        }
        if self
            .columns
            .is_some_and(|columns| !(1..=MAX_COLUMNS).contains(&columns))
        {
            problems.push(format!("`columns` must be 1 to {MAX_COLUMNS}"));
        }
        let is_class = |label: &Label| matches!(label, Label::Number(class) if class.fract() == 0.0 && (1.0..=7.0).contains(class));
        if self.dataset == Covtype && !self.positive.as_ref().is_none_or(is_class) {
            problems.push("`positive` must be a class of covtype, 1 to 7".to_owned());
        }
        if problems.is_empty() {
            return Ok(());
        }
        let error = Error::configuration(problems.join("; "));
        Err(hints.into_iter().fold(error, Error::hint))
    }
}
