//! The differences of the table with their intervals, as a picture.

use std::fmt::Write;

use super::super::data::Summary;
use super::super::html::{shorten, signed};
use super::super::rows::Rows;
use super::super::scale::Scale;
use super::super::series::Series;

/// The differences to the pre-trained network on test; empty where there is nothing to compare.
pub fn forest(summary: &Summary) -> String {
    let methods: Vec<_> = summary.methods.iter().skip(1).collect();
    if methods.is_empty() {
        return String::new();
    }
    let ends = methods
        .iter()
        .flat_map(|method| method.interval.unwrap_or([method.difference; 2]));
    let names: Vec<&str> = methods.iter().map(|method| method.name.as_str()).collect();
    let mut rows = Rows::new(
        Scale::around(ends.chain([0.0])),
        &names,
        &format!(
            "test {}, difference to pre-trained",
            shorten(&summary.metric.name, 24)
        ),
    );
    rows.level(0.0);
    let mut words = String::new();
    for (row, method) in methods.iter().enumerate() {
        let series = Series::method(&method.name);
        if let Some(interval) = method.interval {
            rows.interval(row, interval, series.class);
        }
        let at = (method.difference, 0.0);
        rows.mark(row, at, &series, 5.0, &series.mark(), "");
        // Writing to a `String` cannot fail.
        let _ = write!(words, " {} {};", method.name, signed(method.difference, 4));
    }
    let svg = rows.finish(&format!(
        "Difference on test to the pre-trained network:{words} with 95 % intervals as in the table."
    ));
    format!("<figure class=\"forest\">{svg}</figure>")
}
