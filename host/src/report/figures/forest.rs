//! The differences of the table with their intervals, as a picture.

use std::fmt::Write;

use super::super::data::Summary;
use super::super::html::{escape, shorten, signed};
use super::super::scale::Scale;
use super::super::series::Series;

const WIDTH: f64 = 400.0;
const LEFT: f64 = 108.0;
const RIGHT: f64 = 16.0;
const ROW: f64 = 28.0;

/// The differences to the pre-trained network on test; empty where there is nothing to compare.
pub fn forest(summary: &Summary) -> String {
    let methods: Vec<_> = summary.methods.iter().skip(1).collect();
    if methods.is_empty() {
        return String::new();
    }
    let ends = methods
        .iter()
        .flat_map(|method| method.interval.unwrap_or([method.difference; 2]));
    let x = Scale::around(ends.chain([0.0]));
    let at = |value: f64| LEFT + x.share(value) * (WIDTH - LEFT - RIGHT);
    let bottom = 10.0 + ROW * methods.len() as f64;
    let mut svg = String::new();
    // Writing to a `String` cannot fail.
    for (value, label) in x.ticks(5) {
        let at = at(value);
        let _ = write!(
            svg,
            "<path class=\"grid\" d=\"M{at:.1} 6V{bottom}\"/><text class=\"tick middle\" x=\"{at:.1}\" y=\"{}\">{label}</text>",
            bottom + 16.0
        );
    }
    let _ = write!(
        svg,
        "<path class=\"axis\" d=\"M{0:.1} 6V{bottom}\"/>",
        at(0.0)
    );
    let mut words = String::new();
    for (row, method) in methods.iter().enumerate() {
        let series = Series::method(&method.name);
        let y = 10.0 + ROW * (row as f64 + 0.5);
        if let Some([low, high]) = method.interval {
            let _ = write!(
                svg,
                "<path class=\"line solid {}\" d=\"M{:.1} {y}H{:.1}\"/>",
                series.class,
                at(low),
                at(high)
            );
        }
        svg.push_str(
            &series
                .shape
                .draw(at(method.difference), y, 5.0, &series.mark(), ""),
        );
        let _ = write!(
            svg,
            "<text class=\"label end\" x=\"{}\" y=\"{:.1}\">{}</text>",
            LEFT - 10.0,
            y + 4.0,
            escape(&shorten(&method.name, 15))
        );
        let _ = write!(words, " {} {};", method.name, signed(method.difference, 4));
    }
    let height = bottom + 42.0;
    let name = shorten(&summary.metric.name, 24);
    format!(
        "<figure class=\"forest\"><svg viewBox=\"0 0 {WIDTH} {height}\" role=\"img\" aria-label=\"{}\">{svg}<text class=\"label end\" x=\"{:.1}\" y=\"{:.1}\">{}</text></svg></figure>",
        escape(&format!(
            "Difference on test to the pre-trained network:{words} with 95 % intervals as in the table."
        )),
        WIDTH - RIGHT,
        height - 7.0,
        escape(&format!("test {name}, difference to pre-trained"))
    )
}
