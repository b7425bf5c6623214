//! How the methods of a comparison get on: the validation metric over steps, mean over seeds.

use std::collections::BTreeMap;
use std::fmt::Write;

use super::super::figures::{Content, Figure, figure};
use super::super::html::{data, escape, general};
use super::super::scale::Scale;
use super::super::series::{Series, legend};
use super::super::svg::Panel;
use super::data::{Comparison, Entry};

/// The row that all methods start from.
const PRETRAINED: &str = "pretrained";

/// Steps and values.
type Points = Vec<(f64, f64)>;

/// A method with the mean over seeds at each step, ascending.
struct Curve<'a> {
    method: &'a str,
    points: Points,
}

/// Builds the section.
pub(super) fn progress(comparison: &Comparison) -> Figure {
    let seen = curves(comparison, &|_, entry| values(entry));
    let content = if seen.is_empty() {
        Content::LeftOut(
            "not every seed tells of values on the way, which hosts did not always keep".to_owned(),
        )
    } else {
        Content::Drawn(draw(comparison, &seen))
    };
    Figure {
        id: "progress",
        title: "Training progress",
        content,
    }
}

fn draw(comparison: &Comparison, seen: &[Curve<'_>]) -> String {
    let metric = &comparison.setup.metric;
    let best = curves(comparison, &|pretrained, entry| {
        let mut best = pretrained;
        let so_far = values(entry).into_iter().map(|(step, value)| {
            best = metric.best(best.into_iter().chain([value]));
            (step, best.unwrap_or(value))
        });
        so_far.collect()
    });
    let pretrained = comparison
        .methods
        .iter()
        .find(|row| row.method == PRETRAINED);
    let pretrained = pretrained.map(|row| row.validation.mean);
    let mut series: Vec<Series> = seen
        .iter()
        .map(|curve| Series::contender(curve.method))
        .collect();
    if pretrained.is_some() {
        series.push(Series::contender(PRETRAINED));
    }
    let name = &metric.name;
    let panels = [
        panel(seen, pretrained, &format!("validation {name}")),
        panel(&best, pretrained, &format!("best validation {name} so far")),
    ];
    let caption = format!(
        "First: {} on the whole validation split ({}) over the steps of each method, mean over the seeds; of a method that \
         tries several learning rates or weights, the pass with the best observation at each seed. Then: the mean of the \
         best until then, the pre-trained network included; methods with trajectories may also return the best point of \
         those. \
         Steps that not all seeds reached are left out; the level line is the pre-trained network.",
        escape(name),
        metric.aim()
    );
    let rows = seen.iter().zip(&best).flat_map(|(seen, best)| {
        let points = seen.points.iter().zip(&best.points);
        points.map(|(&(step, value), &(_, best))| {
            vec![
                seen.method.to_owned(),
                step.to_string(),
                general(value),
                general(best),
            ]
        })
    });
    let rows: Vec<Vec<String>> = rows.collect();
    format!(
        "{}{}{}",
        legend(&series),
        figure(&panels, &caption),
        data(
            "mean validation metric at every step, and the mean of the best so far",
            &["method", "step", "validation", "best so far"],
            &rows
        )
    )
}

/// Observations as points.
fn values(entry: &Entry) -> Points {
    let seen = entry.history.iter();
    seen.map(|seen| (seen.step, seen.validation)).collect()
}

/// For each method with steps the mean over seeds of `of`, which is given the validation value of the pre-trained network
/// and the entry; only at steps that all seeds reached.
fn curves<'a>(
    comparison: &'a Comparison,
    of: &dyn Fn(Option<f64>, &Entry) -> Points,
) -> Vec<Curve<'a>> {
    let mut curves = Vec::new();
    for method in comparison.names() {
        // Steps are whole numbers.
        let mut sums: BTreeMap<u64, (usize, f64)> = BTreeMap::new();
        for seed in &comparison.seeds {
            let Some(entry) = seed.entry(method) else {
                continue;
            };
            let pretrained = seed.entry(PRETRAINED).map(|entry| entry.validation);
            for (step, value) in of(pretrained, entry) {
                let (count, sum) = sums.entry(step as u64).or_default();
                *count += 1;
                *sum += value;
            }
        }
        let seeds = comparison.seeds.len();
        let points: Points = sums
            .into_iter()
            .filter(|&(_, (count, _))| count == seeds)
            .map(|(step, (_, sum))| (step as f64, sum / seeds as f64))
            .collect();
        if !points.is_empty() {
            curves.push(Curve { method, points });
        }
    }
    curves
}

fn panel(curves: &[Curve<'_>], pretrained: Option<f64>, label: &str) -> String {
    let points = || curves.iter().flat_map(|curve| &curve.points);
    let last = points().map(|point| point.0).fold(1.0, f64::max);
    let mut panel = Panel::new(
        Scale::from_to(0.0, last * 1.03),
        Scale::around(points().map(|point| point.1).chain(pretrained)),
        "step",
        &format!("{label}, mean over seeds"),
    );
    if let Some(value) = pretrained {
        panel.level(value, Series::contender(PRETRAINED).class);
    }
    let mut words = format!("Mean {label} over steps:");
    for Curve { method, points } in curves {
        let series = Series::contender(method);
        panel.line(points, series.class);
        for &(step, value) in points {
            let title = format!("{method}, step {step}: {}", general(value));
            panel.mark(series.shape, (step, value), 2.6, &series.mark(), &title);
        }
        if let (Some(first), Some(last)) = (points.first(), points.last()) {
            let [from, to] =
                [first, last].map(|&(step, value)| format!("{} at step {step}", general(value)));
            // Writing to a `String` cannot fail.
            let _ = write!(words, " {method} from {from} to {to};");
        }
    }
    panel.finish(&words)
}
