//! Tables of numbers with one row a line, separated by commas, semicolons or tabs.

use std::{borrow::Cow, path::Path};

use metricopt_sdk::{Error, Result};

use super::{
    MAX_COLUMNS, RawTable,
    labels::Labels,
    lines::{Lines, Place},
    number::{self, quote},
    source::Column,
    values,
};

/// What is known about a file before it is read.
#[derive(Default)]
pub(super) struct Layout<'a> {
    /// The column of the labels; the last one if unknown.
    pub(super) label: Option<&'a Column>,
    /// Whether the first line names the columns; found out from the line if unknown.
    pub(super) header: Option<bool>,
    /// The number of features, if it is known.
    pub(super) columns: Option<usize>,
    /// The labels that may occur, if they are known.
    pub(super) labels: Option<&'static [&'static str]>,
}

/// Reads a file.
pub(super) fn read(path: &Path, layout: &Layout<'_>) -> Result<RawTable> {
    let mut lines = Lines::open(path)?;
    let Some((line, place)) = lines.next()? else {
        return Err(lines.error("has no rows"));
    };
    let delimiter = delimiter(line);
    // One more than the features and the label: enough to see that there are too many.
    let first: Vec<Cow<'_, str>> = Fields::new(line, delimiter)
        .take(MAX_COLUMNS + 2)
        .collect::<Result<_, _>>()
        .map_err(|reason| place.error(reason))?;
    let width = first.len();
    if width < 2 {
        return Err(place
            .error("found one column, expected features and a label")
            .hint("columns are separated by commas, semicolons or tabs"));
    }
    if let Some(columns) = layout.columns
        && width != columns + 1
    {
        return Err(place.error(format!(
            "expected {columns} features and a label, found {width} columns"
        )));
    }
    if width - 1 > MAX_COLUMNS {
        return Err(place.error(format!(
            "more than {MAX_COLUMNS} features, the most a table may have"
        )));
    }
    let header = has_header(&first, layout);
    let label = label_column(&first, header, layout.label, place)?;
    let mut table = RawTable {
        features: Vec::new(),
        columns: width - 1,
        may_be_wider: false,
        names: Vec::new(),
        labels: Labels::among(layout.labels),
    };
    if header {
        let names = first.into_iter().enumerate();
        table.names = names
            .filter(|(column, _)| *column != label)
            .map(|(_, name)| name.into_owned())
            .collect();
    } else {
        let context =
            |error: Error| error.hint("if line 1 names the columns, say so: `header=true`");
        push(&mut table, line, delimiter, label, place).map_err(context)?;
    }
    while let Some((line, place)) = lines.next()? {
        push(&mut table, line, delimiter, label, place)?;
        values(table.labels.len(), table.columns)
            .map_err(|error| error.context(format!("`{}`", path.display())))?;
    }
    if table.labels.len() == 0 {
        return Err(lines.error("has a header but no rows"));
    }
    // Growing by doubling may have reserved twice what is needed.
    table.features.shrink_to_fit();
    Ok(table)
}

/// Reads one row.
fn push(
    table: &mut RawTable,
    line: &str,
    delimiter: u8,
    label: usize,
    place: Place<'_>,
) -> Result<()> {
    let mut found = 0;
    for field in Fields::new(line, delimiter) {
        let field = field.map_err(|reason| place.error(reason))?;
        if found == label {
            table
                .labels
                .push(&field)
                .map_err(|reason| place.error(reason))?;
        } else {
            let value = number::parse(&field).map_err(|reason| {
                let error = place.error(format!("column {found}: {reason}"));
                let decimal_comma = delimiter != b',' && field.contains(',');
                let numeric = |byte: u8| byte.is_ascii_digit() || byte == b',' || byte == b'-';
                if decimal_comma && field.bytes().all(numeric) {
                    error.hint("write decimal numbers with a point, not a comma")
                } else {
                    error.hint("all columns but the label must be numbers: encode or remove others")
                }
            })?;
            table.features.push(value);
        }
        found += 1;
    }
    if found == table.columns + 1 {
        return Ok(());
    }
    Err(place.error(format!(
        "expected {} columns, found {found}",
        table.columns + 1
    )))
}

/// The separator of the first line. A comma may be part of a number or a name where another separator is in use.
fn delimiter(line: &str) -> u8 {
    let unquoted = line
        .bytes()
        .scan(false, |quoted, byte| {
            *quoted ^= byte == b'"';
            Some((byte, *quoted))
        })
        .filter_map(|(byte, quoted)| (!quoted).then_some(byte));
    let mut delimiter = b',';
    for byte in unquoted {
        match byte {
            b'\t' => return byte,
            b';' => delimiter = byte,
            _ => {}
        }
    }
    delimiter
}

/// Whether the first line names the columns: none of its features is a number.
fn has_header(first: &[Cow<'_, str>], layout: &Layout<'_>) -> bool {
    if let Some(header) = layout.header {
        return header;
    }
    let label = match layout.label {
        Some(Column::Name(_)) => return true,
        Some(Column::Number(number)) => *number,
        None => first.len() - 1,
    };
    let mut features = first
        .iter()
        .enumerate()
        .filter(|(column, _)| *column != label);
    features.all(|(_, field)| field.parse::<f32>().is_err())
}

/// The place of the label.
fn label_column(
    first: &[Cow<'_, str>],
    header: bool,
    label: Option<&Column>,
    place: Place<'_>,
) -> Result<usize> {
    let width = first.len();
    match label {
        None => Ok(width - 1),
        Some(Column::Number(number)) if *number < width => Ok(*number),
        Some(Column::Number(number)) => Err(place.error(format!(
            "there is no column {number}: the columns are 0 to {}",
            width - 1
        ))),
        Some(Column::Name(name)) => {
            let mut found = first
                .iter()
                .enumerate()
                .filter(|(_, field)| header && **field == *name);
            match (found.next(), found.next()) {
                (Some((column, _)), None) => Ok(column),
                (Some(_), Some(_)) => {
                    Err(place.error(format!("several columns are called {}", quote(name))))
                }
                (None, _) => {
                    let names: Vec<String> =
                        first.iter().take(20).map(|name| quote(name)).collect();
                    let more = if width > names.len() { ", ..." } else { "" };
                    Err(place
                        .error(format!("there is no column {}", quote(name)))
                        .hint(format!("the columns are {}{more}", names.join(", "))))
                }
            }
        }
    }
}

/// The fields of a line, without blanks around them and without quotes.
struct Fields<'a> {
    rest: Option<&'a str>,
    delimiter: u8,
}

impl<'a> Fields<'a> {
    fn new(line: &'a str, delimiter: u8) -> Self {
        Self {
            rest: Some(line),
            delimiter,
        }
    }

    /// Cuts at a delimiter, which is one byte and therefore never within a character.
    fn cut(&mut self, text: &'a str) -> &'a str {
        let end = text.bytes().position(|byte| byte == self.delimiter);
        let (field, rest) = match end {
            Some(end) => (&text[..end], Some(&text[end + 1..])),
            None => (text, None),
        };
        self.rest = rest;
        field.trim_ascii()
    }

    fn quoted(&mut self, text: &'a str) -> Result<Cow<'a, str>, String> {
        let mut content = String::new();
        let mut rest = text;
        loop {
            let Some((before, after)) = rest.split_once('"') else {
                self.rest = None;
                return Err("a quotation mark is not closed on this line".to_owned());
            };
            content.push_str(before);
            match after.strip_prefix('"') {
                Some(after) => {
                    content.push('"');
                    rest = after;
                }
                None => {
                    let tail = self.cut(after);
                    return if tail.is_empty() {
                        Ok(content.trim_ascii().to_owned().into())
                    } else {
                        Err(format!("{} follows a closing quotation mark", quote(tail)))
                    };
                }
            }
        }
    }
}

impl<'a> Iterator for Fields<'a> {
    type Item = Result<Cow<'a, str>, String>;

    fn next(&mut self) -> Option<Self::Item> {
        let rest = self.rest?;
        if rest
            .as_bytes()
            .first()
            .is_some_and(|&byte| byte == b'"' || byte == b' ')
            && let Some(quoted) = rest.trim_ascii_start().strip_prefix('"')
        {
            return Some(self.quoted(quoted));
        }
        Some(Ok(Cow::Borrowed(self.cut(rest))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(line: &str) -> Result<Vec<String>, String> {
        Fields::new(line, delimiter(line))
            .map(|field| field.map(Cow::into_owned))
            .collect()
    }

    #[test]
    fn lines_split_into_fields() {
        for (line, expected) in [
            ("1,2,3", &["1", "2", "3"][..]),
            ("1;2,5; 3 ", &["1", "2,5", "3"]),
            ("a b\tc;d,e", &["a b", "c;d,e"]),
            ("a,,", &["a", "", ""]),
            (r#""a;b","c ""d""", e"#, &["a;b", r#"c "d""#, "e"]),
            (r#" "x" ,"y""#, &["x", "y"]),
            ("größe,ü", &["größe", "ü"]),
        ] {
            assert_eq!(fields(line).unwrap(), expected, "{line}");
        }
        assert_eq!(
            fields(r#""a,b"#).unwrap_err(),
            "a quotation mark is not closed on this line"
        );
        assert_eq!(
            fields(r#""a"b,c"#).unwrap_err(),
            "`b` follows a closing quotation mark"
        );
    }
}
