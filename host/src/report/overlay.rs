//! Several runs on one page: their tables side by side and their curves in one figure.

use std::fmt::Write;

use super::data::{Metric, Run};
use super::figures::curves::{best_paths, best_so_far, stairs};
use super::figures::{Content, Figure, figure};
use super::html::{data, escape, general, number, signed};
use super::page::{document, sentence};
use super::scale::Scale;
use super::series::{Series, legend};
use super::svg::Panel;

/// The report of several runs, in the order given.
pub fn overlay(runs: &[Run]) -> String {
    let series: Vec<Series> = runs
        .iter()
        .enumerate()
        .map(|(index, run)| Series::numbered(index, &format!("{}: {}", index + 1, run.name)))
        .collect();
    let mut verdicts = "<ol>".to_owned();
    for run in runs {
        let summary = &run.summary;
        // Writing to a `String` cannot fail.
        let _ = write!(
            verdicts,
            "<li><strong>{}</strong>: {} on {}, seed {}. {}</li>",
            escape(&run.name),
            escape(&summary.metric.name),
            escape(&summary.task),
            summary.seed,
            escape(&sentence(&summary.verdict))
        );
    }
    verdicts.push_str("</ol>");
    let curves = Figure {
        id: "curves",
        title: "Validation metric on the way",
        content: curves(runs, &series),
    };
    let body = format!(
        "<section id=\"result\" aria-labelledby=\"result-title\"><h2 id=\"result-title\">Results</h2>{verdicts}{}</section>{}{}",
        tables(runs, &series),
        curves.html(),
        facts(runs, &series)
    );
    document(
        &format!("{} runs side by side", runs.len()),
        "Comparison",
        &[curves],
        &body,
    )
}

/// The table of every run, a column each.
fn tables(runs: &[Run], series: &[Series]) -> String {
    let mut methods: Vec<&str> = Vec::new();
    for method in runs.iter().flat_map(|run| &run.summary.methods) {
        if !methods.contains(&method.name.as_str()) {
            methods.push(&method.name);
        }
    }
    let head: Vec<&str> = std::iter::once("Method")
        .chain(series.iter().map(|one| one.label.as_str()))
        .collect();
    let table = |caption: &str, cell: &dyn Fn(&Run, &str) -> Option<String>| {
        let rows: Vec<Vec<String>> = methods
            .iter()
            .map(|&method| {
                let cells = runs
                    .iter()
                    .map(|run| cell(run, method).unwrap_or_else(|| "–".to_owned()));
                std::iter::once(method.to_owned()).chain(cells).collect()
            })
            .collect();
        super::html::table(caption, &head, &rows)
    };
    let test = table(
        "Test, with the difference to the pre-trained network and its 95 % interval",
        &|run, name| {
            let method = run.summary.method(name)?;
            let value = number(method.test, 4);
            Some(match method.interval {
                _ if name == "pretrained" => value,
                Some([low, high]) => format!(
                    "{value} ({} [{}, {}])",
                    signed(method.difference, 4),
                    signed(low, 4),
                    signed(high, 4)
                ),
                None => format!("{value} ({})", signed(method.difference, 4)),
            })
        },
    );
    let validation = table("Validation", &|run, name| {
        Some(number(run.summary.method(name)?.validation, 4))
    });
    let cost = table("Queries and seconds", &|run, name| {
        let method = run.summary.method(name)?;
        Some(format!(
            "{} in {} s",
            method.queries,
            number(method.seconds, 1)
        ))
    });
    test + &validation + &cost
}

fn curves(runs: &[Run], series: &[Series]) -> Content {
    let mut metrics: Vec<&Metric> = Vec::new();
    for run in runs {
        if !metrics.contains(&&run.summary.metric) {
            metrics.push(&run.summary.metric);
        }
    }
    let mut panels = Vec::new();
    let mut rows = Vec::new();
    for metric in metrics {
        let group: Vec<(&Run, &Series)> = runs
            .iter()
            .zip(series)
            .filter(|(run, _)| run.summary.metric == *metric)
            .collect();
        for method in ["metricopt", "loss-only"] {
            panels.extend(over_steps(metric, &group, method, &mut rows));
        }
        panels.extend(over_queries(metric, &group));
    }
    if panels.is_empty() {
        return Content::LeftOut(
            "no `events.jsonl` in the run directories holds an observation".to_owned(),
        );
    }
    let caption = "The validation metric of each run: of MetricOpt and of loss-only over steps, and of MetricOpt the best \
         value so far over its queries, trajectories included. Runs for different metrics have panels of their own.";
    Content::Drawn(format!(
        "{}{}{}",
        legend(series),
        figure(&panels, caption),
        data(
            "validation metric at every observation",
            &["run", "method", "step", "validation"],
            &rows
        )
    ))
}

fn over_steps(
    metric: &Metric,
    group: &[(&Run, &Series)],
    method: &str,
    rows: &mut Vec<Vec<String>>,
) -> Option<String> {
    let mut lines = Vec::new();
    for &(run, series) in group {
        let Some(history) = &run.history else {
            continue;
        };
        for path in best_paths(&run.summary, &history.paths) {
            if path.method == method {
                let points: Vec<(f64, f64)> = path
                    .observed
                    .iter()
                    .map(|seen| (seen.step, seen.validation))
                    .collect();
                lines.push((series, points));
            }
        }
    }
    let points = || lines.iter().flat_map(|(_, points)| points);
    points().next()?;
    let mut panel = Panel::new(
        Scale::from_to(
            0.0,
            points().map(|point| point.0).fold(1.0, f64::max) * 1.03,
        ),
        Scale::around(points().map(|point| point.1)),
        "step",
        &format!("validation {}, {method}", metric.name),
    );
    let mut words = format!("Validation {} of {method} over steps:", metric.name);
    for (series, points) in &lines {
        panel.line(points, series.class);
        for &(step, value) in points {
            let title = format!("{}, step {step}: {}", series.label, general(value));
            panel.mark(series.shape, (step, value), 3.2, &series.mark(), &title);
            rows.push(vec![
                series.label.clone(),
                method.to_owned(),
                step.to_string(),
                general(value),
            ]);
        }
        if let Some((_, last)) = points.last() {
            let _ = write!(words, " {} ends at {};", series.label, general(*last));
        }
    }
    Some(panel.finish(&words))
}

fn over_queries(metric: &Metric, group: &[(&Run, &Series)]) -> Option<String> {
    let lines: Vec<(&Series, Vec<(f64, f64)>)> = group
        .iter()
        .filter_map(|&(run, series)| {
            let paths = &run.history.as_ref()?.paths;
            Some((series, best_so_far(&run.summary, paths, "metricopt")))
        })
        .collect();
    let points = || lines.iter().flat_map(|(_, points)| points);
    points().next()?;
    let mut panel = Panel::new(
        Scale::logarithmic(points().map(|point| point.0)),
        Scale::around(points().map(|point| point.1)),
        "queries of the metric, logarithmic",
        &format!("best validation {} so far, metricopt", metric.name),
    );
    let mut words = "Best validation value of MetricOpt over queries:".to_owned();
    for (series, points) in &lines {
        panel.line(&stairs(points), series.class);
        if let Some(&end) = points.last() {
            let title = format!(
                "{}: {} after {:.0} queries",
                series.label,
                general(end.1),
                end.0
            );
            panel.mark(series.shape, end, 4.5, &series.mark(), &title);
            let _ = write!(words, " {title};");
        }
    }
    Some(panel.finish(&words))
}

/// What each run was.
fn facts(runs: &[Run], series: &[Series]) -> String {
    let rows: Vec<Vec<String>> = runs
        .iter()
        .zip(series)
        .map(|(run, series)| {
            let summary = &run.summary;
            vec![
                series.label.clone(),
                summary.task.clone(),
                summary.metric.name.clone(),
                summary.metric.options.to_string(),
                summary.seed.to_string(),
                general(summary.width),
                summary
                    .value_function
                    .rank_correlation
                    .map_or_else(|| "–".to_owned(), |rank| number(rank, 2)),
            ]
        })
        .collect();
    let head = [
        "Run",
        "Task",
        "Metric",
        "Options",
        "Seed",
        "Width",
        "Rank correlation",
    ];
    format!(
        "<section id=\"facts\" aria-labelledby=\"facts-title\"><h2 id=\"facts-title\">Facts</h2>{}</section>",
        super::html::table("What the runs were", &head, &rows)
    )
}
