//! The page of a comparison: the verdict, the table, and what is behind it.

use std::fmt::Write;

use super::super::html::{escape, number, signed};
use super::super::page::{document, sentence};
use super::data::Comparison;
use super::figures;
use super::progress;

/// The page.
pub(super) fn page(comparison: &Comparison) -> String {
    let figures = [
        figures::differences(comparison),
        progress::progress(comparison),
        figures::cost(comparison),
    ];
    let mut body = format!(
        "<section id=\"result\" aria-labelledby=\"result-title\"><h2 id=\"result-title\">Result</h2><p class=\"verdict {}\">{}</p>{}{}</section>",
        if comparison.verdict.starts_with("clearly better") {
            "accepted"
        } else {
            "kept"
        },
        escape(&sentence(&comparison.verdict)),
        table(comparison),
        notes(comparison)
    );
    for figure in &figures {
        body.push_str(&figure.html());
    }
    body.push_str(&facts(comparison));
    let setup = &comparison.setup;
    let title = format!(
        "{} on {}, {} seeds",
        setup.metric.name,
        setup.task,
        comparison.seeds.len()
    );
    document(
        &title,
        &format!("Comparison {}", comparison.name),
        &figures,
        &body,
    )
}

/// The table of methods.
fn table(comparison: &Comparison) -> String {
    let metric = &comparison.setup.metric;
    let head = [
        "Method",
        "Test, mean ± deviation",
        "Difference",
        "95 % interval",
        "p",
        "Holm",
        "Queries",
        "Seconds",
    ];
    let mut html = format!(
        "<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"Methods\"><table class=\"methods\"><caption>{} ({}) on test, {} seeds; difference to {}, paired by seed. Bold: the best mean.</caption><thead><tr>",
        escape(&metric.name),
        metric.aim(),
        comparison.seeds.len(),
        escape(&comparison.reference)
    );
    // Writing to a `String` cannot fail.
    for cell in head {
        let _ = write!(html, "<th scope=\"col\">{cell}</th>");
    }
    html.push_str("</tr></thead><tbody>");
    let best = metric.best(comparison.methods.iter().map(|row| row.test.mean));
    for row in &comparison.methods {
        let strong = if best == Some(row.test.mean) {
            " class=\"best\""
        } else {
            ""
        };
        let _ = write!(
            html,
            "<tr><th scope=\"row\">{}</th><td{strong}>{} ± {}</td>",
            escape(&row.method),
            number(row.test.mean, 4),
            number(row.test.sd, 4)
        );
        match &row.versus_reference {
            Some(versus) => {
                let [low, high] = versus.interval.map(|end| signed(end, 4));
                let _ = write!(
                    html,
                    "<td>{}</td><td>[{low}, {high}]</td><td>{}</td><td>{}</td>",
                    signed(versus.difference, 4),
                    escape(&figures::probability(versus.p)),
                    escape(&figures::probability(versus.p_holm))
                );
            }
            None => html.push_str(&"<td>–</td>".repeat(4)),
        }
        let _ = write!(
            html,
            "<td>{}</td><td>{}</td></tr>",
            number(row.queries, 0),
            number(row.seconds, 1)
        );
    }
    html.push_str("</tbody></table></div>");
    html
}

/// What the columns mean, and what is not in the table.
fn notes(comparison: &Comparison) -> String {
    let mut lines: Vec<String> = comparison.statistics.lines().map(str::to_owned).collect();
    for note in &comparison.left_out {
        lines.push(format!("Left out: {}, {}.", note.method, note.reason));
    }
    for seed in &comparison.seeds {
        for note in &seed.failed_points {
            let (seed, method, reason) = (seed.seed, &note.method, &note.reason);
            lines.push(format!("Seed {seed}: {method} without {reason}."));
        }
    }
    let mut html = "<ul class=\"notes\">".to_owned();
    for line in lines {
        let _ = write!(html, "<li>{}</li>", escape(&line));
    }
    html.push_str("</ul>");
    html
}

/// What was compared.
fn facts(comparison: &Comparison) -> String {
    let setup = &comparison.setup;
    let options = match &setup.metric.options {
        serde_json::Value::Object(options) if options.is_empty() => "none".to_owned(),
        options => options.to_string(),
    };
    let seeds: Vec<String> = comparison
        .seeds
        .iter()
        .map(|seed| seed.seed.to_string())
        .collect();
    let facts = [
        ("Task", format!("{} of plugin {}", setup.task, setup.plugin)),
        (
            "Metric",
            format!("{} ({})", setup.metric.name, setup.metric.aim()),
        ),
        ("Options of the metric", options),
        ("Seeds", seeds.join(", ")),
        ("Device", setup.device.clone()),
        ("Host", setup.host.clone()),
    ];
    let mut html = "<section id=\"facts\" aria-labelledby=\"facts-title\"><h2 id=\"facts-title\">Facts</h2><dl>".to_owned();
    for (name, value) in facts {
        let _ = write!(
            html,
            "<div><dt>{name}</dt><dd>{}</dd></div>",
            escape(&value)
        );
    }
    let _ = write!(
        html,
        "</dl><details><summary>Configuration</summary><pre tabindex=\"0\">{}</pre></details></section>",
        escape(&format!("{:#}", setup.config))
    );
    html
}
