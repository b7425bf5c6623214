//! The figures of a comparison: differences with intervals, every seed, and what they cost.

use std::fmt::Write;

use super::super::figures::{Content, Figure, figure};
use super::super::html::{data, escape, general, number, shorten, signed};
use super::super::rows::Rows;
use super::super::scale::Scale;
use super::super::series::{Series, marks_legend};
use super::super::svg::Panel;
use super::data::{Comparison, Row, Spread};

/// The mean differences to the reference with their intervals, and beside them every seed, with the same rows.
pub(super) fn differences(comparison: &Comparison) -> Figure {
    let metric = &comparison.setup.metric;
    let reference = escape(&comparison.reference);
    let caption = format!(
        "First: mean over seeds of the test value of each method minus that of {reference} at the same seed, with its \
         95 % interval by Student's t ({}). The intervals are not corrected for their number, Holm's p in the table is. \
         Then: the test values themselves. Each mark is one seed, at the same height within every row, and the stroke is \
         their mean: network, splits and folds of a seed are the same for all methods.",
        metric.aim()
    );
    let numbers = data(
        "validation and test of every seed, the difference on test with an interval over what the test split holds, and what \
         validation chose",
        &[
            "method",
            "seed",
            "validation",
            "test",
            "difference",
            "95 % interval",
            "chosen",
        ],
        &numbers(comparison),
    );
    let panels = [forest(comparison), strips(comparison)];
    Figure {
        id: "differences",
        title: "Differences and seeds",
        content: Content::Drawn(format!("{}{numbers}", figure(&panels, &caption))),
    }
}

fn forest(comparison: &Comparison) -> String {
    let reference = &comparison.reference;
    let metric = &comparison.setup.metric;
    let versus = comparison.methods.iter().map(|row| row.versus_reference);
    let ends = versus.flatten().flat_map(|versus| versus.interval);
    let mut rows = Rows::new(
        Scale::around(ends.chain([0.0])),
        &comparison.names(),
        &format!(
            "test {}, difference to {reference}",
            shorten(&metric.name, 20)
        ),
    );
    rows.level(0.0);
    let mut words = format!("Mean difference on test to {reference}:");
    for (row, method) in comparison.methods.iter().enumerate() {
        let name = &method.method;
        let series = Series::contender(name);
        let Some(versus) = method.versus_reference else {
            rows.stroke(row, 0.0, series.class);
            continue;
        };
        rows.interval(row, versus.interval, series.class);
        let [low, high] = versus.interval.map(|end| signed(end, 4));
        let title = format!(
            "{name}: {} [{low}, {high}], Holm {}",
            signed(versus.difference, 4),
            probability(versus.p_holm)
        );
        let at = (versus.difference, 0.0);
        rows.mark(row, at, &series, 5.0, &series.mark(), &title);
        // Writing to a `String` cannot fail.
        let _ = write!(words, " {title};");
    }
    rows.finish(&words)
}

fn strips(comparison: &Comparison) -> String {
    let metric = &comparison.setup.metric;
    let entries = comparison.seeds.iter().flat_map(|seed| &seed.entries);
    let mut rows = Rows::new(
        Scale::around(entries.map(|entry| entry.test)),
        &comparison.names(),
        &format!("test {}, a mark a seed", shorten(&metric.name, 28)),
    );
    let last = comparison.seeds.len().saturating_sub(1).max(1) as f64;
    let mut words = format!("Test {} of every method at every seed:", metric.name);
    for (row, method) in comparison.methods.iter().enumerate() {
        let name = &method.method;
        let series = Series::contender(name);
        let class = format!("{} dot", series.mark());
        rows.stroke(row, method.test.mean, series.class);
        for (place, seed) in comparison.seeds.iter().enumerate() {
            let Some(entry) = seed.entry(name) else {
                continue;
            };
            let aside = 0.56 * (place as f64 / last - 0.5);
            let title = format!("{name}, seed {}: {}", seed.seed, number(entry.test, 4));
            rows.mark(row, (entry.test, aside), &series, 3.0, &class, &title);
        }
        let _ = write!(words, " {name}, mean {};", number(method.test.mean, 4));
    }
    rows.finish(&words)
}

fn numbers(comparison: &Comparison) -> Vec<Vec<String>> {
    let mut rows = Vec::new();
    for name in comparison.names() {
        for seed in &comparison.seeds {
            let Some(entry) = seed.entry(name) else {
                continue;
            };
            let reference = seed.entry(&comparison.reference);
            let difference = reference
                .filter(|reference| reference.method != entry.method)
                .map(|reference| signed(entry.test - reference.test, 4));
            let interval = entry.difference_interval.map(|ends| {
                let [low, high] = ends.map(|end| signed(end, 4));
                format!("[{low}, {high}]")
            });
            rows.push(vec![
                name.to_owned(),
                seed.seed.to_string(),
                number(entry.validation, 4),
                number(entry.test, 4),
                difference.unwrap_or_else(|| "–".to_owned()),
                interval.unwrap_or_else(|| "–".to_owned()),
                entry.chosen.clone().unwrap_or_else(|| "–".to_owned()),
            ]);
        }
    }
    rows
}

/// What is reached for how many queries, and in how many seconds.
pub(super) fn cost(comparison: &Comparison) -> Figure {
    let metric = &comparison.setup.metric;
    let series: Vec<Series> = comparison
        .names()
        .into_iter()
        .map(Series::contender)
        .collect();
    let panels = [
        against(comparison, &series, "queries", 0, |row| row.queries),
        against(comparison, &series, "seconds", 1, |row| row.seconds),
    ];
    let caption = format!(
        "What each method reached on test, mean and standard deviation over seeds ({}), against what it would have taken \
         alone: evaluations of the metric at one adapter, and seconds. What took nothing has no place on these axes.",
        metric.aim()
    );
    Figure {
        id: "cost",
        title: "What a query buys",
        content: Content::Drawn(format!(
            "{}{}",
            marks_legend(&series),
            figure(&panels, &caption)
        )),
    }
}

fn against(
    comparison: &Comparison,
    series: &[Series],
    unit: &str,
    decimals: usize,
    cost: impl Fn(&Row) -> f64,
) -> String {
    let metric = &comparison.setup.metric.name;
    let rows: Vec<_> = comparison
        .methods
        .iter()
        .zip(series)
        .filter(|(row, _)| cost(row) > 0.0)
        .collect();
    let ends = rows.iter().flat_map(|(row, _)| {
        let Spread { mean, sd } = row.test;
        [mean - sd, mean + sd]
    });
    let mut panel = Panel::new(
        Scale::logarithmic(rows.iter().map(|(row, _)| cost(row))),
        Scale::around(ends),
        &format!("{unit}, logarithmic"),
        &format!("test {metric}, mean ± deviation"),
    );
    let mut words = format!("Mean test {metric} over {unit}:");
    for (row, one) in rows {
        let Spread { mean, sd } = row.test;
        let x = cost(row);
        let class = format!("faint solid {}", one.class);
        panel.line(&[(x, mean - sd), (x, mean + sd)], &class);
        let title = format!(
            "{}: {} ± {}, {} {unit}",
            row.method,
            general(mean),
            general(sd),
            number(x, decimals)
        );
        let class = format!("{} dot", one.mark());
        panel.mark(one.shape, (x, mean), 5.0, &class, &title);
        let _ = write!(words, " {title};");
    }
    panel.finish(&words)
}

/// A p-value as the tables show it.
pub(super) fn probability(p: f64) -> String {
    if p < 1e-4 {
        "<0.0001".to_owned()
    } else {
        number(p, 4)
    }
}
