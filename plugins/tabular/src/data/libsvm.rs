//! The LIBSVM text format: `label index:value index:value ...`, indices from 1, ascending; `#` starts a comment.

use std::path::Path;

use metricopt_sdk::Result;

use super::{
    MAX_COLUMNS, RawTable,
    labels::Labels,
    lines::{Lines, Place},
    number::{self, quote},
    values,
};

/// Reads a file; `columns` is the number of features if it is known.
pub(super) fn read(path: &Path, columns: Option<usize>) -> Result<RawTable> {
    let mut lines = Lines::open(path)?;
    let mut rows = Sparse::default();
    while let Some((line, place)) = lines.next()? {
        let line = line
            .split_once('#')
            .map_or(line, |(before, _comment)| before);
        rows.push(line, columns.unwrap_or(MAX_COLUMNS), place)?;
        values(rows.ends.len(), rows.columns as usize)
            .map_err(|error| error.context(format!("`{}`", path.display())))?;
    }
    if rows.labels.len() == 0 {
        return Err(lines.error("has no rows"));
    }
    if columns.is_none() && rows.entries.is_empty() {
        return Err(lines.error("has labels but no features"));
    }
    rows.densify(columns)
        .map_err(|error| error.context(format!("`{}`", path.display())))
}

/// The rows as the file writes them. Made dense only at the end, when the width is known.
#[derive(Default)]
struct Sparse {
    labels: Labels,
    entries: Vec<(u32, f32)>,
    /// End of each row among the entries.
    ends: Vec<usize>,
    /// Largest index.
    columns: u32,
}

impl Sparse {
    fn push(&mut self, line: &str, columns: usize, place: Place<'_>) -> Result<()> {
        let mut tokens = line.split_ascii_whitespace();
        let Some(label) = tokens.next() else {
            return Ok(());
        };
        if label.contains(':') {
            return Err(place.error(format!(
                "expected a label first, found the feature {}",
                quote(label)
            )));
        }
        self.labels
            .push(label)
            .map_err(|reason| place.error(reason))?;
        let mut previous = 0;
        for token in tokens {
            let (index, value) = entry(token).map_err(|reason| place.error(reason))?;
            if index <= previous {
                let reason = if index == previous {
                    format!("feature {index} occurs twice")
                } else {
                    format!("feature {index} stands after feature {previous}")
                };
                return Err(place
                    .error(reason)
                    .hint("the features of a line must ascend"));
            }
            if index as usize > columns {
                return Err(place.error(if columns == MAX_COLUMNS {
                    format!("feature {index} is beyond the {MAX_COLUMNS} features a table may have")
                } else {
                    format!("feature {index} is beyond the {columns} features of the data")
                }));
            }
            self.entries.push((index, value));
            previous = index;
        }
        self.ends.push(self.entries.len());
        self.columns = self.columns.max(previous);
        Ok(())
    }

    fn densify(self, columns: Option<usize>) -> Result<RawTable> {
        let may_be_wider = columns.is_none();
        let columns = columns.unwrap_or(self.columns as usize);
        let mut features = vec![0.0; values(self.ends.len(), columns)?];
        let mut start = 0;
        for (row, &end) in features.chunks_exact_mut(columns).zip(&self.ends) {
            for &(index, value) in &self.entries[start..end] {
                row[index as usize - 1] = value;
            }
            start = end;
        }
        Ok(RawTable {
            features,
            columns,
            may_be_wider,
            names: Vec::new(),
            labels: self.labels,
        })
    }
}

/// One `index:value`; the reason if it is none.
fn entry(token: &str) -> Result<(u32, f32), String> {
    let Some((index, value)) = token.split_once(':') else {
        return Err(format!("expected `index:value`, found {}", quote(token)));
    };
    if index == "qid" {
        return Err("`qid` belongs to ranking data, which this task does not take".to_owned());
    }
    let index = match index.parse::<u32>() {
        Ok(0) => return Err("feature 0: the features of this format count from 1".to_owned()),
        Ok(index) => index,
        Err(_) => return Err(format!("{} is not a feature number", quote(index))),
    };
    let value = number::parse(value).map_err(|reason| format!("feature {index}: {reason}"))?;
    Ok((index, value))
}
