//! The values of the classes that a metric is made of, before and after tuning, with their curves.

use metricopt_sdk::{ClassDetails, Details};

use super::super::data::Run;
use super::super::html::{escape, number, signed, table};
use super::super::scale::Scale;
use super::super::series::{Series, legend};
use super::super::svg::Panel;
use super::{Content, Figure, figure};

/// Most classes whose curves are drawn; the table has all.
const MAX_PANELS: usize = 12;

/// A class before and after tuning.
struct Class<'a> {
    name: String,
    before: &'a ClassDetails,
    after: &'a ClassDetails,
}

impl Class<'_> {
    fn change(&self) -> f64 {
        self.after.value - self.before.value
    }
}

/// Builds the section, if the metric says what stands behind its value.
pub fn classes(run: &Run) -> Option<Figure> {
    let samples = run.samples.as_ref()?;
    let [before, after] = samples.details.as_ref()?;
    let name = |class: i64| {
        let name = usize::try_from(class)
            .ok()
            .and_then(|class| samples.classes.get(class));
        name.map_or_else(|| class.to_string(), String::clone)
    };
    let classes: Vec<Class<'_>> = before
        .classes
        .iter()
        .filter_map(|before| {
            let same = |after: &&ClassDetails| after.class == before.class;
            Some(Class {
                name: name(before.class),
                before,
                after: after.classes.iter().find(same)?,
            })
        })
        .collect();
    (!classes.is_empty()).then(|| Figure {
        id: "classes",
        title: "Class by class",
        content: Content::Drawn(draw(&run.summary.metric.name, before, &classes)),
    })
}

fn draw(metric: &str, Details { axes, .. }: &Details, classes: &[Class<'_>]) -> String {
    let rows: Vec<Vec<String>> = classes
        .iter()
        .map(|class| {
            vec![
                class.name.clone(),
                class.before.count.to_string(),
                number(class.before.value, 4),
                number(class.after.value, 4),
                signed(class.change(), 4),
            ]
        })
        .collect();
    let values = table(
        &format!("{metric} of each class on the test split"),
        &["Class", "Objects", "Before", "After", "Change"],
        &rows,
    );
    let mut drawn: Vec<&Class<'_>> = classes
        .iter()
        .filter(|class| !class.before.curve.is_empty() || !class.after.curve.is_empty())
        .collect();
    if drawn.is_empty() {
        return values;
    }
    drawn.sort_by(|a, b| b.change().abs().total_cmp(&a.change().abs()));
    drawn.truncate(MAX_PANELS);
    let looks = [("before", "pretrained"), ("after", "metricopt")].map(|(label, method)| Series {
        label: label.to_owned(),
        ..Series::method(method)
    });
    let panels: Vec<String> = drawn
        .iter()
        .map(|class| curves(class, axes, &looks))
        .collect();
    let which = if drawn.len() < classes.len() {
        format!("The {} classes that changed most. ", drawn.len())
    } else {
        "The class that changed most comes first. ".to_owned()
    };
    let caption = format!(
        "{which}{} over {} on the test split, before any interpolation; the mark is where no more is found.",
        capital(&axes[1]),
        axes[0]
    );
    format!(
        "{}{}{values}",
        legend(&looks),
        figure(&panels, &escape(&caption))
    )
}

fn curves(class: &Class<'_>, axes: &[String; 2], looks: &[Series; 2]) -> String {
    let whole = Scale::from_to(0.0, 1.0);
    let upright = format!("{}: {}", class.name, axes[1]);
    let mut panel = Panel::new(whole, whole, &axes[0], &upright);
    for (details, look) in [class.before, class.after].into_iter().zip(looks) {
        let points: Vec<(f64, f64)> = details.curve.iter().map(|&[x, y]| (x, y)).collect();
        panel.line(&points, look.class);
        if let Some(&end) = points.last() {
            let title = format!(
                "{}, {}: {}",
                class.name,
                look.label,
                number(details.value, 4)
            );
            panel.mark(look.shape, end, 4.0, &look.mark(), &title);
        }
    }
    panel.finish(&format!(
        "{}: {} before, {} after",
        class.name,
        number(class.before.value, 4),
        number(class.after.value, 4)
    ))
}

fn capital(text: &str) -> String {
    let mut characters = text.chars();
    characters.next().map_or_else(String::new, |first| {
        format!("{}{}", first.to_uppercase(), characters.as_str())
    })
}
