//! What stands behind the value of a metric.

use serde::{Deserialize, Serialize};

use crate::{Error, Result};

/// What stands behind one value of a metric, for the report: the values of its classes and their curves.
///
/// ```
/// use metricopt_sdk::{ClassDetails, Details};
///
/// let found = Details {
///     axes: ["recall".to_owned(), "precision".to_owned()],
///     classes: vec![ClassDetails { class: 3, value: 0.5, count: 2, curve: vec![[0.5, 1.0]] }],
/// };
/// assert!(found.check().is_ok());
/// ```
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Details {
    /// What the curves show, across and up, such as recall and precision.
    pub axes: [String; 2],
    /// The classes that have a value, by ascending number.
    pub classes: Vec<ClassDetails>,
}

/// One class behind a value.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ClassDetails {
    /// Its number, as in the labels.
    pub class: i64,
    /// The metric of this class alone.
    pub value: f64,
    /// How many rows or objects of the class it is measured on.
    pub count: u64,
    /// Points of its curve from left to right, as `axes` says; empty if it has none.
    pub curve: Vec<[f64; 2]>,
}

impl Details {
    /// Whether they can be shown: finite numbers, each class once and in order.
    ///
    /// # Errors
    ///
    /// Says of which class they cannot.
    pub fn check(&self) -> Result<()> {
        if !self.classes.is_sorted_by(|a, b| a.class < b.class) {
            return Err(Error::failed(
                "its details do not name each class once, by ascending number",
            ));
        }
        let broken = self.classes.iter().find(|class| {
            let mut numbers = class.curve.as_flattened().iter().chain([&class.value]);
            numbers.any(|number| !number.is_finite())
        });
        match broken {
            Some(class) => Err(Error::failed(format!(
                "its details of class {} hold a number that is not finite",
                class.class
            ))),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn class(class: i64, value: f64, curve: Vec<[f64; 2]>) -> ClassDetails {
        ClassDetails {
            class,
            value,
            count: 1,
            curve,
        }
    }

    #[test]
    fn what_cannot_be_shown_is_refused() {
        let with = |classes: Vec<ClassDetails>| Details {
            classes,
            ..Details::default()
        };
        assert!(
            with(vec![class(0, 1.0, vec![]), class(2, 0.0, vec![])])
                .check()
                .is_ok()
        );
        let cases = [
            (vec![class(2, 1.0, vec![]), class(2, 1.0, vec![])], "once"),
            (vec![class(2, f64::NAN, vec![])], "class 2"),
            (vec![class(1, 0.0, vec![[0.0, f64::INFINITY]])], "class 1"),
        ];
        for (classes, expected) in cases {
            let error = with(classes).check().unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
    }
}
