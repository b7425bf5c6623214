//! A plot of named rows over one axis: values and intervals, one row a method.

use std::fmt::Write;

use super::html::{escape, shorten};
use super::scale::Scale;
use super::series::Series;

const WIDTH: f64 = 400.0;
const RIGHT: f64 = 16.0;
const TOP: f64 = 10.0;
/// Height of a row.
const ROW: f64 = 28.0;
/// Most characters of a row's name.
const MOST_NAME: usize = 18;
/// About the width of a character of a name.
const CHARACTER: f64 = 6.9;
/// Most characters of the axis label that fit.
const MOST_LABEL: usize = 58;

/// A plot under construction.
#[derive(Debug)]
pub struct Rows {
    x: Scale,
    left: f64,
    count: usize,
    grid: String,
    body: String,
}

impl Rows {
    /// An empty plot with a row for each name, and ticks below.
    pub fn new(x: Scale, names: &[&str], label: &str) -> Self {
        let longest = names.iter().map(|name| name.chars().count().min(MOST_NAME));
        let left = 14.0 + CHARACTER * longest.max().unwrap_or(0) as f64;
        let mut rows = Self {
            x,
            left,
            count: names.len(),
            grid: String::new(),
            body: String::new(),
        };
        let bottom = rows.bottom();
        let mut grid = String::new();
        // Writing to a `String` cannot fail.
        for (value, tick) in x.ticks(5) {
            let at = rows.at(value);
            let _ = write!(
                grid,
                "<path class=\"grid\" d=\"M{at:.1} 6V{bottom}\"/><text class=\"tick middle\" x=\"{at:.1}\" y=\"{}\">{tick}</text>",
                bottom + 16.0
            );
        }
        for (row, name) in names.iter().enumerate() {
            let _ = write!(
                grid,
                "<text class=\"label end\" x=\"{:.1}\" y=\"{:.1}\">{}</text>",
                left - 10.0,
                rows.middle(row) + 4.0,
                escape(&shorten(name, MOST_NAME))
            );
        }
        let _ = write!(
            grid,
            "<text class=\"label end\" x=\"{:.1}\" y=\"{:.1}\">{}</text>",
            WIDTH - RIGHT,
            bottom + 35.0,
            escape(&shorten(label, MOST_LABEL))
        );
        rows.grid = grid;
        rows
    }

    fn at(&self, value: f64) -> f64 {
        self.left + self.x.share(value) * (WIDTH - self.left - RIGHT)
    }

    fn middle(&self, row: usize) -> f64 {
        TOP + ROW * (row as f64 + 0.5)
    }

    fn bottom(&self) -> f64 {
        TOP + ROW * self.count as f64
    }

    /// An upright line through all rows, such as that of no difference.
    pub fn level(&mut self, value: f64) {
        let (at, bottom) = (self.at(value), self.bottom());
        let _ = write!(
            self.body,
            "<path class=\"axis\" d=\"M{at:.1} 6V{bottom}\"/>"
        );
    }

    /// An interval.
    pub fn interval(&mut self, row: usize, [low, high]: [f64; 2], class: &str) {
        let (low, high) = (self.at(low), self.at(high));
        if low.is_finite() && high.is_finite() {
            let y = self.middle(row);
            let _ = write!(
                self.body,
                "<path class=\"line solid {class}\" d=\"M{low:.1} {y}H{high:.1}\"/>"
            );
        }
    }

    /// A short upright stroke, such as a mean.
    pub fn stroke(&mut self, row: usize, value: f64, class: &str) {
        let (at, y) = (self.at(value), self.middle(row));
        if at.is_finite() {
            let _ = write!(
                self.body,
                "<path class=\"line solid {class}\" d=\"M{at:.1} {:.1}V{:.1}\"/>",
                y - 0.42 * ROW,
                y + 0.42 * ROW
            );
        }
    }

    /// A mark with a text that appears under the pointer, `aside` of the middle by a share of the row.
    pub fn mark(
        &mut self,
        row: usize,
        (value, aside): (f64, f64),
        series: &Series,
        r: f64,
        class: &str,
        title: &str,
    ) {
        let (x, y) = (self.at(value), self.middle(row) + aside * ROW);
        if x.is_finite() {
            self.body
                .push_str(&series.shape.draw(x, y, r, class, title));
        }
    }

    /// The plot with what it shows in words, for those who do not see it.
    pub fn finish(self, words: &str) -> String {
        format!(
            "<svg viewBox=\"0 0 {WIDTH} {}\" role=\"img\" aria-label=\"{}\">{}{}</svg>",
            self.bottom() + 42.0,
            escape(words),
            self.grid,
            self.body
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_stand_below_each_other_and_values_to_the_right() {
        let rows = Rows::new(Scale::from_to(0.0, 1.0), &["es", "a<b"], "f1");
        assert!(rows.middle(0) < rows.middle(1) && rows.middle(1) < rows.bottom());
        assert_eq!(rows.at(1.0), WIDTH - RIGHT);
        assert_eq!(rows.at(0.0), rows.left);
        assert!(rows.finish("w").contains("a&lt;b"));
    }

    #[test]
    fn what_is_not_finite_is_left_out() {
        let mut rows = Rows::new(Scale::from_to(0.0, 1.0), &["es"], "f1");
        let series = Series::method("es");
        rows.mark(0, (f64::NAN, 0.0), &series, 3.0, "m", "");
        rows.interval(0, [0.0, f64::INFINITY], "i");
        rows.stroke(0, f64::NAN, "s");
        assert_eq!(rows.body, "");
    }
}
