//! Images of the test split with the boxes found on them before and after tuning, and the true ones.

use std::fmt::Write;

use super::super::data::Run;
use super::super::html::{escape, number};
use super::{Content, Figure};
use crate::run::samples::{BoxOnFile, ImageOnFile, SamplesFile};

/// Least score of a box that is drawn: what a user would show.
const LEAST_SCORE: f32 = 0.3;

/// Width of a picture in its own units, in which lines and letters have one size on every image.
const WIDTH: f64 = 400.0;

/// Height of a line of letters and width of a letter, which is no less than that of most fonts.
const LINE: f64 = 16.0;
const LETTER: f64 = 8.0;

/// Builds the section, if there are images.
pub fn found(run: &Run) -> Option<Figure> {
    let samples = run.samples.as_ref()?;
    (!samples.images.is_empty()).then(|| Figure {
        id: "found",
        title: "What it finds",
        content: Content::Drawn(draw(samples)),
    })
}

fn draw(samples: &SamplesFile) -> String {
    let changed = samples
        .images
        .iter()
        .any(|image| image.before != image.after);
    let mut html = format!("{}<div class=\"pairs\">", legend());
    for image in &samples.images {
        let mut panels = vec![("before", &image.before)];
        if changed {
            panels.push(("after", &image.after));
        }
        html.push_str("<figure class=\"pair\"><div>");
        for (when, boxes) in panels {
            html.push_str(&picture(image, boxes, when, &samples.classes));
        }
        let told = |boxes: &[BoxOnFile]| boxes.iter().filter(|one| is_drawn(one)).count();
        let counts = if changed {
            format!(
                "{} found before, {} after",
                told(&image.before),
                told(&image.after)
            )
        } else {
            format!("{} found", told(&image.before))
        };
        // Writing to a `String` cannot fail.
        let _ = write!(
            html,
            "</div><figcaption>{}: {counts}, {} true</figcaption></figure>",
            escape(&image.name),
            image.truth.len()
        );
    }
    let which = if changed {
        "Left before tuning, right after."
    } else {
        "Tuning changed none of them, or its adapter was not accepted."
    };
    let _ = write!(
        html,
        "</div><p class=\"remark\">Test images drawn at random by the seed, not by how they look. {which} Boxes with a score of at \
         least {LEAST_SCORE}, with class and score; the metric also counts those below.</p>"
    );
    html
}

fn is_drawn(one: &BoxOnFile) -> bool {
    one.score >= LEAST_SCORE
}

fn legend() -> String {
    let item = |class: &str, label: &str| {
        format!(
            "<li><svg viewBox=\"0 0 34 14\" aria-hidden=\"true\"><path class=\"under\" d=\"M1 7H33\"/><path class=\"{class}\" d=\"M1 7H33\"/></svg>{label}</li>"
        )
    };
    format!(
        "<ul class=\"legend\">{}{}</ul>",
        item("seen", "found"),
        item("true", "true")
    )
}

fn picture(image: &ImageOnFile, boxes: &[BoxOnFile], when: &str, classes: &[String]) -> String {
    let [width, height] = image.size.map(|extent| f64::from(extent.max(1)));
    let height = WIDTH * height / width;
    let drawn: Vec<&BoxOnFile> = boxes.iter().filter(|one| is_drawn(one)).collect();
    let mut svg = format!(
        "<svg viewBox=\"0 0 {WIDTH} {height:.1}\" role=\"img\" aria-label=\"{}, {when}: {} boxes found\">\
         <image href=\"data:image/png;base64,{}\" width=\"{WIDTH}\" height=\"{height:.1}\" preserveAspectRatio=\"none\"/>",
        escape(&image.name),
        drawn.len(),
        image.png
    );
    for one in &image.truth {
        svg.push_str(&rectangle(one, height, "true", ""));
    }
    for one in &drawn {
        let title = label(one, classes);
        svg.push_str(&rectangle(one, height, "seen", &title));
    }
    // Above all boxes, so that no line runs through the letters.
    let mut taken = Vec::new();
    for one in &drawn {
        let text = label(one, classes);
        if let Some((x, y)) = room(place(one, height), &text, height, &mut taken) {
            // Writing to a `String` cannot fail.
            let _ = write!(
                svg,
                "<text class=\"onpicture\" x=\"{x:.1}\" y=\"{y:.1}\">{}</text>",
                escape(&text)
            );
        }
    }
    svg.push_str("</svg>");
    svg
}

/// Where the label of a box has room: above it, else the next line further down that is free. Where there is none the box has its
/// title alone.
fn room(
    [x, y, ..]: [f64; 4],
    text: &str,
    height: f64,
    taken: &mut Vec<[f64; 4]>,
) -> Option<(f64, f64)> {
    let width = LETTER * text.chars().count() as f64;
    let left = (x + 2.0).clamp(2.0, (WIDTH - width).max(2.0));
    let mut bottom = (y - 4.0).max(LINE);
    while bottom < height - 2.0 {
        let here = [left, bottom - LINE, left + width, bottom];
        let overlaps = |other: &[f64; 4]| {
            here[0] < other[2] && other[0] < here[2] && here[1] < other[3] && other[1] < here[3]
        };
        if !taken.iter().any(overlaps) {
            taken.push(here);
            return Some((left, bottom - 3.0));
        }
        bottom += LINE / 2.0;
    }
    None
}

fn label(one: &BoxOnFile, classes: &[String]) -> String {
    let score = number(f64::from(one.score), 2);
    let name = usize::try_from(one.class)
        .ok()
        .and_then(|class| classes.get(class));
    match name {
        Some(name) => format!("{name} {score}"),
        None => format!("{} {score}", one.class),
    }
}

/// Left, top, right and bottom in the units of the picture.
fn place(one: &BoxOnFile, height: f64) -> [f64; 4] {
    let [x1, y1, x2, y2] = one.corners.map(f64::from);
    [x1 * WIDTH, y1 * height, x2 * WIDTH, y2 * height]
}

fn rectangle(one: &BoxOnFile, height: f64, class: &str, title: &str) -> String {
    let [x1, y1, x2, y2] = place(one, height);
    let path = format!("M{x1:.1} {y1:.1}H{x2:.1}V{y2:.1}H{x1:.1}Z");
    format!(
        "<path class=\"under\" d=\"{path}\"/><path class=\"{class}\" d=\"{path}\"><title>{}</title></path>",
        escape(title)
    )
}
