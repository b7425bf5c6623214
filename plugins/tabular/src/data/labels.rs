//! Labels as files write them, and the rule that makes them binary.

use std::collections::HashMap;

use metricopt_sdk::{Error, Result};

use super::{number::quote, source::Label};

/// More classes than this are taken for a mistake: the values of a regression, or the wrong column.
const MAX_CLASSES: usize = 1000;

/// Longest label, in bytes.
const LONGEST: usize = 200;

/// The label of each row, as a number into the list of the values that occur.
#[derive(Default)]
pub(super) struct Labels {
    /// The values in order of first appearance; numbers in one spelling.
    values: Vec<String>,
    codes: Vec<u16>,
    /// Code of each spelling met. Looked up only, never walked: its order must not show.
    spellings: HashMap<String, u16>,
    last: Option<(String, u16)>,
    /// The only values allowed, if there are such.
    allowed: Option<&'static [&'static str]>,
}

impl Labels {
    /// No rows yet; only the given values are allowed.
    pub(super) fn among(allowed: Option<&'static [&'static str]>) -> Self {
        Self {
            allowed,
            ..Self::default()
        }
    }

    /// Number of rows.
    pub(super) fn len(&self) -> usize {
        self.codes.len()
    }

    /// The values in order of first appearance, and the place of each row's value among them.
    #[cfg(test)]
    pub(super) fn texts(&self) -> Vec<&str> {
        let text = |&code: &u16| self.values[usize::from(code)].as_str();
        self.codes.iter().map(text).collect()
    }

    /// Adds the label of the next row; the reason if it is none.
    pub(super) fn push(&mut self, text: &str) -> Result<(), String> {
        let code = match &self.last {
            Some((last, code)) if last == text => *code,
            _ => {
                let code = match self.spellings.get(text) {
                    Some(&code) => code,
                    None => self.learn(text)?,
                };
                self.last = Some((text.to_owned(), code));
                code
            }
        };
        self.codes.push(code);
        Ok(())
    }

    /// Takes in a spelling that was not met before.
    fn learn(&mut self, text: &str) -> Result<u16, String> {
        if text.len() > LONGEST {
            return Err(format!("the label {} is too long", quote(text)));
        }
        let value = canonical(text)?;
        // Spellings are counted, not values, so that the table of spellings stays small too.
        if self.spellings.len() == MAX_CLASSES {
            return Err(format!(
                "more than {MAX_CLASSES} different labels: is this the column of the labels?"
            ));
        }
        if let Some(allowed) = self.allowed
            && !allowed.contains(&value.as_str())
        {
            return Err(format!(
                "{} is not one of the labels {}",
                quote(text),
                list(allowed.iter())
            ));
        }
        let code = match self.values.iter().position(|known| *known == value) {
            Some(code) => code,
            None => {
                self.values.push(value);
                self.values.len() - 1
            }
        };
        let code = code as u16;
        self.spellings.insert(text.to_owned(), code);
        Ok(code)
    }
}

/// One spelling for each value: `+1`, `1.0` and `1` are the same label.
fn canonical(text: &str) -> Result<String, String> {
    match text.parse::<f64>() {
        // Adding zero drops the sign of a negative zero.
        Ok(value) if value.is_finite() => Ok((value + 0.0).to_string()),
        Ok(_) => Err(format!("the label {} is not a finite number", quote(text))),
        Err(_) if text.is_empty() => Err("the label is missing".to_owned()),
        Err(_) => Ok(text.to_owned()),
    }
}

/// Which label is positive, found out once for the training file and applied to all files.
pub(super) struct Rule {
    positive: String,
    /// The other label, if the rule rests on there being exactly two.
    negative: Option<String>,
}

impl Rule {
    /// The rule for a training file.
    pub(super) fn new(labels: &Labels, positive: Option<&Label>) -> Result<Self> {
        let values = &labels.values;
        let Some(positive) = positive else {
            let either = |a: &str, b: &str| {
                values.len() == 2 && values.iter().all(|value| value == a || value == b)
            };
            let negative = match () {
                () if either("-1", "1") => "-1",
                () if either("0", "1") => "0",
                () if values.len() == 1 => return Err(one_class(labels)),
                () => {
                    let mut sorted: Vec<&String> = values.iter().collect();
                    sorted.sort();
                    let example = sorted.last().map_or("1", |value| value.as_str());
                    return Err(Error::configuration(format!(
                        "the labels are {}: which is the positive class?",
                        list(sorted.iter())
                    ))
                    .hint(format!("name it, for instance `positive={example}`")));
                }
            };
            return Ok(Self {
                positive: "1".to_owned(),
                negative: Some(negative.to_owned()),
            });
        };
        let found = values.iter().find(|value| matches(value, positive));
        match found {
            Some(_) if values.len() == 1 => Err(one_class(labels)),
            Some(value) => Ok(Self {
                positive: value.clone(),
                negative: None,
            }),
            None => {
                let mut sorted: Vec<&String> = values.iter().collect();
                sorted.sort();
                Err(Error::configuration(format!(
                    "no row has the positive label `{}`; the labels are {}",
                    show(positive),
                    list(sorted.iter())
                )))
            }
        }
    }

    /// Labels as 1 for the positive class and 0 for the rest.
    pub(super) fn apply(&self, labels: &Labels) -> Result<Vec<i64>> {
        if let Some(negative) = &self.negative {
            let stranger = labels
                .values
                .iter()
                .find(|value| **value != self.positive && *value != negative);
            if let Some(value) = stranger {
                return Err(Error::data(format!(
                    "the label {} does not occur in the training file",
                    quote(value)
                )));
            }
        }
        if labels.values.len() == 1 {
            return Err(one_class(labels));
        }
        let is_positive: Vec<i64> = labels
            .values
            .iter()
            .map(|value| i64::from(*value == self.positive))
            .collect();
        let binary: Vec<i64> = labels
            .codes
            .iter()
            .map(|&code| is_positive.get(usize::from(code)).copied().unwrap_or(0))
            .collect();
        if binary.contains(&1) {
            return Ok(binary);
        }
        Err(Error::data(format!(
            "no row has the positive label {}",
            quote(&self.positive)
        )))
    }
}

fn matches(value: &str, label: &Label) -> bool {
    match label {
        Label::Bool(label) => value.eq_ignore_ascii_case(&label.to_string()),
        Label::Number(label) => value.parse() == Ok(*label),
        Label::Text(label) => canonical(label.trim()).is_ok_and(|label| value == label),
    }
}

fn show(label: &Label) -> String {
    match label {
        Label::Bool(label) => label.to_string(),
        Label::Number(label) => label.to_string(),
        Label::Text(label) => label.clone(),
    }
}

fn one_class(labels: &Labels) -> Error {
    let value = labels.values.first().map_or("", String::as_str);
    Error::data(format!(
        "all {} rows have the same label, {}: a binary task needs both classes",
        labels.codes.len(),
        quote(value)
    ))
}

/// A few values for a message.
fn list(values: impl ExactSizeIterator<Item = impl AsRef<str>>) -> String {
    const MOST: usize = 10;
    let more = values.len().saturating_sub(MOST);
    let mut text = values
        .take(MOST)
        .map(|value| quote(value.as_ref()))
        .collect::<Vec<_>>()
        .join(", ");
    if more > 0 {
        text += &format!(" and {more} more");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(texts: &[&str]) -> Labels {
        let mut labels = Labels::default();
        for text in texts {
            labels.push(text).unwrap();
        }
        labels
    }

    #[test]
    fn spellings_of_a_number_are_one_label() {
        let labels = labels(&["+1", "1.0", "-1", "1", "-0", "0"]);
        assert_eq!(labels.texts(), ["1", "1", "-1", "1", "0", "0"]);
    }

    #[test]
    fn the_positive_class_needs_no_naming_where_it_is_plain() {
        for texts in [["+1", "-1", "+1"], ["1", "0", "1"]] {
            let labels = labels(&texts);
            let rule = Rule::new(&labels, None).unwrap();
            assert_eq!(rule.apply(&labels).unwrap(), [1, 0, 1]);
        }
    }

    #[test]
    fn the_positive_class_must_be_named_where_it_is_not() {
        let error = Rule::new(&labels(&["2", "1", "2"]), None).err().unwrap();
        assert_eq!(
            error.to_string(),
            "the labels are `1`, `2`: which is the positive class?"
        );
        assert_eq!(error.hints(), ["name it, for instance `positive=2`"]);
    }

    #[test]
    fn class_against_rest() {
        let labels = labels(&["cat", "dog", "3", "True"]);
        for (positive, expected) in [
            (Label::Text("dog".into()), [0, 1, 0, 0]),
            (Label::Number(3.0), [0, 0, 1, 0]),
            (Label::Text("3.0".into()), [0, 0, 1, 0]),
            (Label::Bool(true), [0, 0, 0, 1]),
        ] {
            let rule = Rule::new(&labels, Some(&positive)).unwrap();
            assert_eq!(rule.apply(&labels).unwrap(), expected);
        }
        let error = Rule::new(&labels, Some(&Label::Number(9.0))).err().unwrap();
        assert_eq!(
            error.to_string(),
            "no row has the positive label `9`; the labels are `3`, `True`, `cat`, `dog`"
        );
    }

    #[test]
    fn a_test_file_may_not_bring_new_labels_to_a_binary_one() {
        let rule = Rule::new(&labels(&["0", "1"]), None).unwrap();
        let error = rule.apply(&labels(&["0", "1", "2"])).unwrap_err();
        assert_eq!(
            error.to_string(),
            "the label `2` does not occur in the training file"
        );
        let error = rule.apply(&labels(&["0", "0"])).unwrap_err();
        assert!(
            error
                .to_string()
                .contains("all 2 rows have the same label, `0`")
        );
    }

    #[test]
    fn a_column_of_measurements_is_no_label() {
        let mut labels = Labels::default();
        let error = (0..5000)
            .try_for_each(|row| labels.push(&row.to_string()))
            .unwrap_err();
        assert!(error.starts_with("more than 1000 different labels"));
        assert_eq!(labels.len(), 1000);
        assert_eq!(
            labels.push("nan").unwrap_err(),
            "the label `nan` is not a finite number"
        );
        assert_eq!(labels.push("").unwrap_err(), "the label is missing");
    }
}
