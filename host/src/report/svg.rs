//! One panel of a figure as inline SVG: a plot area with two axes, and marks in it.
//!
//! Panels are as wide as a telephone and stand side by side where there is room: so their text has the same size
//! everywhere.

use std::fmt::Write;

use super::html::{escape, shorten};
use super::scale::Scale;

/// Width of a panel.
const WIDTH: f64 = 400.0;
const LEFT: f64 = 54.0;
const RIGHT: f64 = 14.0;
const TOP: f64 = 28.0;
const BOTTOM: f64 = 42.0;
/// Most characters of an axis label that fit.
const MOST_LABEL: usize = 52;

/// Shapes of marks, so that no series is known by colour alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// A disc.
    Circle,
    /// A square.
    Square,
    /// A square on its corner.
    Diamond,
    /// A triangle.
    Triangle,
    /// Two crossing strokes.
    Cross,
    /// A triangle on its corner.
    Down,
}

impl Shape {
    /// All of them, the most different first.
    pub const ALL: [Self; 6] = [
        Self::Circle,
        Self::Square,
        Self::Triangle,
        Self::Diamond,
        Self::Cross,
        Self::Down,
    ];

    /// The mark at a place; `r` is about half its width.
    pub fn draw(self, x: f64, y: f64, r: f64, class: &str, title: &str) -> String {
        let title = match title {
            "" => String::new(),
            title => format!("<title>{}</title>", escape(title)),
        };
        let class = match self {
            // Strokes have no area to fill.
            Self::Cross => format!("{class} strokes"),
            _ => class.to_owned(),
        };
        let path = match self {
            Self::Circle => {
                return format!(
                    "<circle class=\"{class}\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"{r}\">{title}</circle>"
                );
            }
            Self::Square => {
                let s = 0.88 * r;
                format!(
                    "M{:.1} {:.1}h{d:.1}v{d:.1}h-{d:.1}z",
                    x - s,
                    y - s,
                    d = 2.0 * s
                )
            }
            Self::Diamond => {
                let s = 1.25 * r;
                format!(
                    "M{:.1} {:.1}l{s:.1} {s:.1}l-{s:.1} {s:.1}l-{s:.1} -{s:.1}z",
                    x,
                    y - s
                )
            }
            Self::Triangle => {
                let s = 1.15 * r;
                format!(
                    "M{:.1} {:.1}l{s:.1} {d:.1}h-{w:.1}z",
                    x,
                    y - s,
                    d = 1.9 * s,
                    w = 2.0 * s
                )
            }
            Self::Down => {
                let s = 1.15 * r;
                format!(
                    "M{:.1} {:.1}l{s:.1} -{d:.1}h-{w:.1}z",
                    x,
                    y + s,
                    d = 1.9 * s,
                    w = 2.0 * s
                )
            }
            Self::Cross => format!(
                "M{:.1} {:.1}l{d:.1} {d:.1}m0 -{d:.1}l-{d:.1} {d:.1}",
                x - r,
                y - r,
                d = 2.0 * r
            ),
        };
        format!("<path class=\"{class}\" d=\"{path}\">{title}</path>")
    }
}

/// A plot under construction.
#[derive(Debug)]
pub struct Panel {
    x: Scale,
    y: Scale,
    height: f64,
    grid: String,
    body: String,
}

impl Panel {
    /// An empty plot with grid and labels. The label of the upright axis stands above it.
    pub fn new(x: Scale, y: Scale, x_label: &str, y_label: &str) -> Self {
        Self::with_height(x, y, x_label, y_label, 270.0)
    }

    /// A plot whose area is a square.
    pub fn square(x: Scale, y: Scale, x_label: &str, y_label: &str) -> Self {
        Self::with_height(x, y, x_label, y_label, WIDTH - LEFT - RIGHT + TOP + BOTTOM)
    }

    fn with_height(x: Scale, y: Scale, x_label: &str, y_label: &str, height: f64) -> Self {
        let mut panel = Self {
            x,
            y,
            height,
            grid: String::new(),
            body: String::new(),
        };
        let (right, bottom) = (WIDTH - RIGHT, height - BOTTOM);
        let mut grid = String::new();
        // Writing to a `String` cannot fail.
        for (value, label) in y.ticks(5) {
            let at = panel.at_y(value);
            let _ = write!(
                grid,
                "<path class=\"grid\" d=\"M{LEFT} {at:.1}H{right}\"/><text class=\"tick end\" x=\"{:.1}\" y=\"{:.1}\">{label}</text>",
                LEFT - 6.0,
                at + 4.0
            );
        }
        for (value, label) in x.ticks(6) {
            let at = panel.at_x(value);
            let _ = write!(
                grid,
                "<path class=\"grid\" d=\"M{at:.1} {TOP}V{bottom:.1}\"/><text class=\"tick middle\" x=\"{at:.1}\" y=\"{:.1}\">{label}</text>",
                bottom + 16.0
            );
        }
        let _ = write!(
            grid,
            "<text class=\"label\" x=\"4\" y=\"15\">{}</text><text class=\"label end\" x=\"{right}\" y=\"{:.1}\">{}</text>",
            escape(&shorten(y_label, MOST_LABEL)),
            height - 7.0,
            escape(&shorten(x_label, MOST_LABEL)),
        );
        panel.grid = grid;
        panel
    }

    /// Where a value lies from left to right.
    pub fn at_x(&self, value: f64) -> f64 {
        LEFT + self.x.share(value) * (WIDTH - LEFT - RIGHT)
    }

    /// Where a value lies from top to bottom.
    pub fn at_y(&self, value: f64) -> f64 {
        self.height - BOTTOM - self.y.share(value) * (self.height - TOP - BOTTOM)
    }

    /// The corners of the plot area: left, top, right, bottom.
    pub fn area(&self) -> [f64; 4] {
        [LEFT, TOP, WIDTH - RIGHT, self.height - BOTTOM]
    }

    /// Adds SVG of its own.
    pub fn push(&mut self, svg: &str) {
        self.body.push_str(svg);
    }

    /// A line through the points; what is not finite interrupts it.
    pub fn line(&mut self, points: &[(f64, f64)], class: &str) {
        let path = self.path(points);
        if !path.is_empty() {
            let _ = write!(self.body, "<path class=\"line {class}\" d=\"{path}\"/>");
        }
    }

    fn path(&self, points: &[(f64, f64)]) -> String {
        let mut path = String::new();
        let mut pen = 'M';
        for &(x, y) in points {
            let (x, y) = (self.at_x(x), self.at_y(y));
            if x.is_finite() && y.is_finite() {
                let _ = write!(path, "{pen}{x:.1} {y:.1}");
                pen = 'L';
            } else {
                pen = 'M';
            }
        }
        path
    }

    /// A level line from end to end.
    pub fn level(&mut self, y: f64, class: &str) {
        let at = self.at_y(y);
        let _ = write!(
            self.body,
            "<path class=\"line {class}\" d=\"M{LEFT} {at:.1}H{}\"/>",
            WIDTH - RIGHT
        );
    }

    /// The area between two curves over the same places, given as `(x, low, high)`.
    pub fn band(&mut self, points: &[(f64, f64, f64)], class: &str) {
        let around = points
            .iter()
            .map(|&(x, _, high)| (x, high))
            .chain(points.iter().rev().map(|&(x, low, _)| (x, low)))
            .filter(|(x, y)| x.is_finite() && y.is_finite());
        let path = self.path(&around.collect::<Vec<_>>());
        let _ = write!(self.body, "<path class=\"band {class}\" d=\"{path}z\"/>");
    }

    /// A mark with a text that appears under the pointer.
    pub fn mark(&mut self, shape: Shape, (x, y): (f64, f64), r: f64, class: &str, title: &str) {
        let (x, y) = (self.at_x(x), self.at_y(y));
        if x.is_finite() && y.is_finite() {
            self.body.push_str(&shape.draw(x, y, r, class, title));
        }
    }

    /// The panel with what it shows in words, for those who do not see it.
    pub fn finish(self, words: &str) -> String {
        let [left, top, right, bottom] = self.area();
        format!(
            "<svg viewBox=\"0 0 {WIDTH} {}\" role=\"img\" aria-label=\"{}\">{}<path class=\"axis\" d=\"M{left} {top}V{bottom:.1}H{right}\"/>{}</svg>",
            self.height,
            escape(words),
            self.grid,
            self.body
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn panel() -> Panel {
        Panel::new(
            Scale::from_to(0.0, 10.0),
            Scale::from_to(0.0, 1.0),
            "step",
            "<f1>",
        )
    }

    #[test]
    fn values_grow_to_the_right_and_upwards() {
        let panel = panel();
        let [left, top, right, bottom] = panel.area();
        assert_eq!((panel.at_x(0.0), panel.at_x(10.0)), (left, right));
        assert_eq!((panel.at_y(0.0), panel.at_y(1.0)), (bottom, top));
    }

    #[test]
    fn what_is_not_finite_is_left_out() {
        let mut panel = panel();
        panel.line(&[(0.0, 0.0), (1.0, f64::NAN), (2.0, 1.0)], "a");
        panel.mark(Shape::Square, (f64::INFINITY, 0.0), 3.0, "b", "");
        let svg = panel.finish("a \"line\"");
        assert!(!svg.contains("NaN") && !svg.contains("inf"), "{svg}");
        assert!(svg.contains("&lt;f1&gt;") && svg.contains("a &quot;line&quot;"));
        assert!(!svg.contains("class=\"b\""));
    }

    #[test]
    fn every_shape_is_drawn() {
        for shape in Shape::ALL {
            let svg = shape.draw(10.0, 10.0, 4.0, "m", "a<b");
            assert!(svg.contains("<title>a&lt;b</title>") && svg.contains("class=\"m"));
        }
    }
}
