//! The binary encoding of UCI Adult that is known as a9a.
//!
//! Platt (1998) cut the six quantities of the census table into bins and gave each bin and each level of the eight
//! categories a binary feature: 123 of them, in the order of [`ATTRIBUTES`]. A missing value has no feature. The paper
//! gives no table; this one was worked out by comparing the raw files with the LIBSVM files row by row, and a test
//! holds that all 48,842 rows agree. Where a bin begins is known only up to the gap between neighbouring values in the
//! data; the value above the gap is written here.

use metricopt_sdk::{Error, Result};

use super::number::quote;

/// A column of the raw table that becomes features. The raw columns are these in this order, then the income.
#[derive(Clone, Copy, Debug)]
pub struct Attribute {
    /// The name in `adult.names`.
    pub name: &'static str,
    /// How its values become codes.
    pub values: Values,
}

/// How the values of an attribute become codes; code 0 is a missing value.
#[derive(Clone, Copy, Debug)]
pub enum Values {
    /// A whole number: code 1 below the first bound, one more for each bound reached.
    Bins(&'static [u32]),
    /// A word: code 1 for the first, 2 for the second and so on.
    Levels(&'static [&'static str]),
}

use Values::{Bins, Levels};

/// The attributes in the order of the raw columns and of the features.
pub const ATTRIBUTES: [Attribute; 14] = [
    Attribute {
        name: "age",
        values: Bins(&[26, 33, 41, 50]),
    },
    Attribute {
        name: "workclass",
        values: Levels(&[
            "Private",
            "Self-emp-not-inc",
            "Self-emp-inc",
            "Federal-gov",
            "Local-gov",
            "State-gov",
            "Without-pay",
            "Never-worked",
        ]),
    },
    Attribute {
        name: "fnlwgt",
        values: Bins(&[106_648, 158_662, 196_338, 259_873]),
    },
    Attribute {
        name: "education",
        values: Levels(&[
            "Bachelors",
            "Some-college",
            "11th",
            "HS-grad",
            "Prof-school",
            "Assoc-acdm",
            "Assoc-voc",
            "9th",
            "7th-8th",
            "12th",
            "Masters",
            "1st-4th",
            "10th",
            "Doctorate",
            "5th-6th",
            "Preschool",
        ]),
    },
    Attribute {
        name: "education-num",
        values: Bins(&[9, 10, 11, 13]),
    },
    Attribute {
        name: "marital-status",
        values: Levels(&[
            "Married-civ-spouse",
            "Divorced",
            "Never-married",
            "Separated",
            "Widowed",
            "Married-spouse-absent",
            "Married-AF-spouse",
        ]),
    },
    Attribute {
        name: "occupation",
        values: Levels(&[
            "Tech-support",
            "Craft-repair",
            "Other-service",
            "Sales",
            "Exec-managerial",
            "Prof-specialty",
            "Handlers-cleaners",
            "Machine-op-inspct",
            "Adm-clerical",
            "Farming-fishing",
            "Transport-moving",
            "Priv-house-serv",
            "Protective-serv",
            "Armed-Forces",
        ]),
    },
    Attribute {
        name: "relationship",
        values: Levels(&[
            "Wife",
            "Own-child",
            "Husband",
            "Not-in-family",
            "Other-relative",
            "Unmarried",
        ]),
    },
    Attribute {
        name: "race",
        values: Levels(&[
            "White",
            "Asian-Pac-Islander",
            "Amer-Indian-Eskimo",
            "Other",
            "Black",
        ]),
    },
    Attribute {
        name: "sex",
        values: Levels(&["Female", "Male"]),
    },
    Attribute {
        name: "capital-gain",
        values: Bins(&[1]),
    },
    Attribute {
        name: "capital-loss",
        values: Bins(&[1]),
    },
    Attribute {
        name: "hours-per-week",
        values: Bins(&[35, 40, 41, 48]),
    },
    Attribute {
        name: "native-country",
        values: Levels(&[
            "United-States",
            "Cambodia",
            "England",
            "Puerto-Rico",
            "Canada",
            "Germany",
            "Outlying-US(Guam-USVI-etc)",
            "India",
            "Japan",
            "Greece",
            "South",
            "China",
            "Cuba",
            "Iran",
            "Honduras",
            "Philippines",
            "Italy",
            "Poland",
            "Jamaica",
            "Vietnam",
            "Mexico",
            "Portugal",
            "Ireland",
            "France",
            "Dominican-Republic",
            "Laos",
            "Ecuador",
            "Taiwan",
            "Haiti",
            "Columbia",
            "Hungary",
            "Guatemala",
            "Nicaragua",
            "Scotland",
            "Thailand",
            "Yugoslavia",
            "El-Salvador",
            "Trinadad&Tobago",
            "Peru",
            "Hong",
            "Holand-Netherlands",
        ]),
    },
];

impl Attribute {
    /// Number of features.
    pub const fn features(&self) -> usize {
        match self.values {
            Bins(bounds) => bounds.len() + 1,
            Levels(levels) => levels.len(),
        }
    }

    /// The code of a raw value, `None` if it is not one.
    fn code(&self, value: &str) -> Option<u8> {
        if value == "?" {
            return Some(0);
        }
        let before = match self.values {
            Bins(bounds) => {
                let value: u32 = value.parse().ok()?;
                bounds.iter().filter(|&&bound| bound <= value).count()
            }
            Levels(levels) => levels.iter().position(|level| *level == value)?,
        };
        u8::try_from(before + 1).ok()
    }

    /// Names of its features, in order.
    fn names(&self) -> Vec<String> {
        let name = self.name;
        match self.values {
            Levels(levels) => levels
                .iter()
                .map(|level| format!("{name} = {level}"))
                .collect(),
            Bins(bounds) => (0..=bounds.len())
                .map(|bin| {
                    let low = bin.checked_sub(1).and_then(|below| bounds.get(below));
                    let high = bounds.get(bin).map(|bound| bound - 1);
                    match (low, high) {
                        (None, Some(0)) => format!("{name} = 0"),
                        (None, Some(high)) => format!("{name} <= {high}"),
                        (Some(low), Some(high)) if *low == high => format!("{name} = {low}"),
                        (Some(low), Some(high)) => format!("{low} <= {name} <= {high}"),
                        (Some(low), None) => format!("{name} >= {low}"),
                        (None, None) => name.to_owned(),
                    }
                })
                .collect(),
        }
    }
}

/// A name for each of the 123 features, such as `age <= 25` or `workclass = Private`.
pub fn feature_names() -> Vec<String> {
    ATTRIBUTES.iter().flat_map(Attribute::names).collect()
}

/// A row of the raw table, as codes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Person {
    /// Code of each attribute; 0 if the value is missing.
    pub codes: [u8; ATTRIBUTES.len()],
    /// Whether the income is above 50,000 dollars a year: the positive class.
    pub rich: bool,
}

/// Reads `adult.data` or `adult.test`.
///
/// # Errors
///
/// Names the line that has the wrong number of fields or a value that the encoding does not know.
pub fn parse(text: &str) -> Result<Vec<Person>> {
    let mut people = Vec::new();
    for (number, line) in (1_u32..).zip(text.lines()) {
        // The test file begins with a comment, both end with a blank line.
        if line.starts_with('|') || line.trim().is_empty() {
            continue;
        }
        let person =
            person(line).map_err(|reason| Error::data(format!("line {number}: {reason}")))?;
        people.push(person);
    }
    Ok(people)
}

fn person(line: &str) -> Result<Person, String> {
    let mut fields = line.split(',').map(str::trim);
    let mut codes = [0; ATTRIBUTES.len()];
    for (attribute, code) in ATTRIBUTES.iter().zip(&mut codes) {
        let value = fields
            .next()
            .ok_or_else(|| format!("`{}` is missing", attribute.name))?;
        *code = attribute.code(value).ok_or_else(|| {
            format!(
                "`{}` does not take the value {}",
                attribute.name,
                quote(value)
            )
        })?;
    }
    let income = fields.next().ok_or("the income is missing")?;
    // The test file ends its labels with a full stop.
    let rich = match income.trim_end_matches('.') {
        ">50K" => true,
        "<=50K" => false,
        _ => return Err(format!("the income {} is not known", quote(income))),
    };
    match fields.next() {
        None => Ok(Person { codes, rich }),
        Some(field) => Err(format!("{} follows the income", quote(field))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINE: &str = "39, State-gov, 77516, Bachelors, 13, Never-married, Adm-clerical, Not-in-family, White, Male, \
                        2174, 0, 40, United-States, <=50K";

    #[test]
    fn the_first_row_of_the_training_file() {
        let people = parse(LINE).unwrap();
        // The first line of a9a: `-1 3:1 11:1 14:1 19:1 39:1 42:1 55:1 64:1 67:1 73:1 75:1 76:1 80:1 83:1`.
        let codes = [3, 6, 1, 1, 5, 3, 9, 4, 1, 2, 2, 1, 3, 1];
        assert_eq!(people, [Person { codes, rich: false }]);
    }

    #[test]
    fn comments_missing_values_and_the_labels_of_the_test_file() {
        let line = LINE.replace("State-gov", "?").replace("<=50K", ">50K.");
        let people = parse(&format!("|1x3 Cross validator\n{line}\n\n")).unwrap();
        assert_eq!(people.len(), 1);
        assert_eq!((people[0].codes[1], people[0].rich), (0, true));
    }

    #[test]
    fn errors_name_line_and_attribute() {
        for (from, to, reason) in [
            (
                "State-gov",
                "Pirate",
                "`workclass` does not take the value `Pirate`",
            ),
            ("39", "-39", "`age` does not take the value `-39`"),
            ("<=50K", "50K", "the income `50K` is not known"),
            (", <=50K", "", "the income is missing"),
            (
                ", 40, United-States, <=50K",
                "",
                "`hours-per-week` is missing",
            ),
            ("<=50K", "<=50K, 1", "`1` follows the income"),
        ] {
            let error = parse(&format!("{LINE}\n{}", LINE.replace(from, to))).unwrap_err();
            assert_eq!(error.to_string(), format!("line 2: {reason}"));
        }
    }

    #[test]
    fn features_have_distinct_names() {
        let names = feature_names();
        assert_eq!(names.len(), 123);
        for (feature, name) in [
            (0, "age <= 25"),
            (1, "26 <= age <= 32"),
            (4, "age >= 50"),
            (5, "workclass = Private"),
            (39, "marital-status = Married-civ-spouse"),
            (73, "capital-gain = 0"),
            (74, "capital-gain >= 1"),
            (79, "hours-per-week = 40"),
            (122, "native-country = Holand-Netherlands"),
        ] {
            assert_eq!(names[feature], name);
        }
        let distinct: std::collections::HashSet<_> = names.iter().collect();
        assert_eq!(distinct.len(), 123);
    }
}
