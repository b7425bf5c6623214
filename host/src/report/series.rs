//! How methods and runs look: each has a colour, a dash and a shape of its own, the same in every figure.

use std::fmt::Write;

use super::html::escape;
use super::svg::Shape;

/// Number of looks in the style sheet, `s0` to `s5`.
const LOOKS: usize = 6;

/// A series of a figure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Series {
    /// What it is called.
    pub label: String,
    /// Its class in the style sheet: colour and dash.
    pub class: &'static str,
    /// The shape of its marks.
    pub shape: Shape,
}

impl Series {
    /// The look with a number; they repeat after six.
    pub fn numbered(index: usize, label: &str) -> Self {
        const CLASSES: [&str; LOOKS] = ["s0", "s1", "s2", "s3", "s4", "s5"];
        Self {
            label: label.to_owned(),
            class: CLASSES[index % LOOKS],
            shape: Shape::ALL[index % Shape::ALL.len()],
        }
    }

    /// The look of a method.
    pub fn method(name: &str) -> Self {
        let index = match name {
            "metricopt" => 0,
            "loss-only" => 1,
            "class-weighted" => 2,
            "es" => 3,
            "threshold" => 4,
            _ => 5,
        };
        Self::numbered(index, name)
    }

    /// The look of a method of a comparison: those that are relatives share a colour.
    pub fn contender(name: &str) -> Self {
        let (colour, shape) = match name {
            "metricopt-adam" => (0, Shape::Circle),
            "metricopt-sgd" => (0, Shape::Square),
            "loss-only" => (1, Shape::Square),
            "loss-on-validation" => (1, Shape::Triangle),
            "class-weighted" => (2, Shape::Triangle),
            "value-function" => (2, Shape::Square),
            "es" => (3, Shape::Diamond),
            "guided-es" => (3, Shape::Circle),
            "threshold" => (4, Shape::Cross),
            "best-trajectory" => (5, Shape::Diamond),
            "pretrained" => (5, Shape::Down),
            name if name.starts_with("metricopt") => (0, Shape::Triangle),
            _ => (4, Shape::Down),
        };
        Self {
            shape,
            ..Self::numbered(colour, name)
        }
    }

    /// Classes of a mark.
    pub fn mark(&self) -> String {
        format!("mark {}", self.class)
    }
}

/// What each look means, of lines with marks.
pub fn legend<'a>(series: impl IntoIterator<Item = &'a Series>) -> String {
    list(series, &|one| {
        format!("<path class=\"line {}\" d=\"M1 7H33\"/>", one.class)
    })
}

/// What each look means, of marks alone.
pub fn marks_legend<'a>(series: impl IntoIterator<Item = &'a Series>) -> String {
    list(series, &|_| String::new())
}

fn list<'a>(
    series: impl IntoIterator<Item = &'a Series>,
    behind: &dyn Fn(&Series) -> String,
) -> String {
    let mut html = "<ul class=\"legend\">".to_owned();
    for one in series {
        // Writing to a `String` cannot fail.
        let _ = write!(
            html,
            "<li><svg viewBox=\"0 0 34 14\" aria-hidden=\"true\">{}{}</svg>{}</li>",
            behind(one),
            one.shape.draw(17.0, 7.0, 4.0, &one.mark(), ""),
            escape(&one.label)
        );
    }
    html.push_str("</ul>");
    html
}
