//! The page: one file that needs nothing else.

use std::fmt::Write;

use super::data::{Run, Summary};
use super::figures::{
    Figure, classes, curves, embedding, forest, found, landscape, sites, trajectories,
    value_function,
};
use super::html::{escape, general, number, signed};

const STYLE: &str = include_str!("style.css");

/// The report of one run.
pub fn page(run: &Run) -> String {
    let seen = [found::found(run), classes::classes(run)];
    let mut figures: Vec<Figure> = seen.into_iter().flatten().collect();
    figures.extend([
        curves::curves(run),
        trajectories::trajectories(run),
        value_function::value_function(run),
        embedding::embedding(run),
        landscape::landscape(run),
        sites::sites(run),
    ]);
    let summary = &run.summary;
    let mut body = format!(
        "<section id=\"result\" aria-labelledby=\"result-title\"><h2 id=\"result-title\">Result</h2><p class=\"verdict {}\">{}</p>{}</section>",
        if summary.accepted { "accepted" } else { "kept" },
        escape(&sentence(&summary.verdict)),
        methods(summary)
    );
    for figure in &figures {
        body.push_str(&figure.html());
    }
    body.push_str(&facts(run));
    let title = format!(
        "{} on {}, seed {}",
        summary.metric.name, summary.task, summary.seed
    );
    document(&title, &format!("Run {}", run.name), &figures, &body)
}

/// A whole document around its sections.
pub fn document(title: &str, above: &str, figures: &[Figure], body: &str) -> String {
    let mut links = "<li><a href=\"#result\">Result</a></li>".to_owned();
    for Figure { id, title, .. } in figures {
        // Writing to a `String` cannot fail.
        let _ = write!(links, "<li><a href=\"#{id}\">{title}</a></li>");
    }
    let title = escape(title);
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
         <meta name=\"color-scheme\" content=\"light dark\">\
         <meta name=\"generator\" content=\"metricopt {}\">\
         <link rel=\"icon\" href=\"data:,\"><title>{title}</title><style>\n{STYLE}</style></head>\n\
         <body><a class=\"skip\" href=\"#main\">Skip to the result</a>\
         <header><p class=\"above\">{}</p><h1>{title}</h1><nav aria-label=\"Sections\"><ul>{links}<li><a href=\"#facts\">Facts</a></li></ul></nav></header>\n\
         <main id=\"main\" tabindex=\"-1\">{body}</main></body></html>\n",
        env!("CARGO_PKG_VERSION"),
        escape(above)
    )
}

/// With a capital and a full stop.
pub fn sentence(text: &str) -> String {
    let mut characters = text.chars();
    match characters.next() {
        Some(first) => format!("{}{}.", first.to_uppercase(), characters.as_str()),
        None => String::new(),
    }
}

/// The table of methods with a picture of its differences.
fn methods(summary: &Summary) -> String {
    let head = [
        "Method",
        "Validation",
        "Test",
        "Difference",
        "95 % interval",
        "Queries",
        "Seconds",
    ];
    let mut html = format!(
        "<div class=\"beside\"><div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"Methods\"><table class=\"methods\"><caption>{} ({}), each method on validation and test; difference on test to the pre-trained network, with a paired bootstrap interval. Bold: best on test.</caption><thead><tr>",
        escape(&summary.metric.name),
        summary.metric.aim()
    );
    for cell in head {
        // Writing to a `String` cannot fail.
        let _ = write!(html, "<th scope=\"col\">{cell}</th>");
    }
    html.push_str("</tr></thead><tbody>");
    let best = summary
        .metric
        .best(summary.methods.iter().map(|method| method.test));
    for (index, method) in summary.methods.iter().enumerate() {
        let reference = index == 0;
        let (difference, interval) = match method.interval {
            _ if reference => ("–".to_owned(), "–".to_owned()),
            Some([low, high]) => (
                signed(method.difference, 4),
                format!("[{}, {}]", signed(low, 4), signed(high, 4)),
            ),
            None => (signed(method.difference, 4), "–".to_owned()),
        };
        let strong = if best == Some(method.test) {
            " class=\"best\""
        } else {
            ""
        };
        let _ = write!(
            html,
            "<tr><th scope=\"row\">{}</th><td>{}</td><td{strong}>{}</td><td>{difference}</td><td>{interval}</td><td>{}</td><td>{}</td></tr>",
            escape(&method.name),
            number(method.validation, 4),
            number(method.test, 4),
            method.queries,
            number(method.seconds, 1)
        );
    }
    html.push_str("</tbody></table>");
    for remark in &summary.remarks {
        let _ = write!(html, "<p class=\"remark\">{}</p>", escape(remark));
    }
    html.push_str("</div>");
    html.push_str(&forest::forest(summary));
    html.push_str("</div>");
    html
}

/// What the run was.
fn facts(run: &Run) -> String {
    let summary = &run.summary;
    let options = match &summary.metric.options {
        serde_json::Value::Object(options) if options.is_empty() => "none".to_owned(),
        options => options.to_string(),
    };
    let rank = summary.value_function.rank_correlation;
    let facts = [
        (
            "Task",
            format!("{} of plugin {}", summary.task, summary.plugin),
        ),
        (
            "Metric",
            format!("{} ({})", summary.metric.name, summary.metric.aim()),
        ),
        ("Options of the metric", options),
        ("Seed", summary.seed.to_string()),
        ("Calibrated width", general(summary.width)),
        (
            "Rank correlation of the value function on unseen trajectories",
            rank.map_or_else(|| "not measured".to_owned(), |rank| number(rank, 3)),
        ),
        (
            "Weight of the value gradient",
            number(summary.value_function.weight, 2),
        ),
    ];
    let mut html = "<section id=\"facts\" aria-labelledby=\"facts-title\"><h2 id=\"facts-title\">Facts</h2><dl>".to_owned();
    for (name, value) in facts {
        let _ = write!(
            html,
            "<div><dt>{name}</dt><dd>{}</dd></div>",
            escape(&value)
        );
    }
    html.push_str("</dl>");
    match &run.config {
        Some(config) => {
            let _ = write!(
                html,
                "<details><summary>Configuration</summary><pre tabindex=\"0\">{}</pre></details>",
                escape(config)
            );
        }
        None => html.push_str(
            "<p class=\"left-out\">Left out: there is no <code>config.toml</code> in the run directory.</p>",
        ),
    }
    html.push_str("</section>");
    html
}

#[cfg(test)]
mod tests {
    use super::sentence;

    #[test]
    fn sentences_begin_and_end() {
        assert_eq!(sentence("élan kept"), "Élan kept.");
        assert_eq!(sentence(""), "");
    }
}
