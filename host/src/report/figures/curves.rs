//! The metric over steps and over queries, and the loss.

use super::super::data::{Run, Summary};
use super::super::history::Path;
use super::super::html::{data, escape, general};
use super::super::scale::Scale;
use super::super::series::{Series, legend};
use super::super::svg::Panel;
use super::{Content, Figure, figure};

/// How fast the running mean of the loss forgets.
const DECAY: f64 = 0.9;

/// Builds the section.
pub fn curves(run: &Run) -> Figure {
    let content = match &run.history {
        None => Content::LeftOut("there is no `events.jsonl` in the run directory".to_owned()),
        Some(history) if history.paths.iter().all(|path| path.observed.is_empty()) => {
            Content::LeftOut("`events.jsonl` holds no observation of the metric".to_owned())
        }
        Some(history) => Content::Drawn(draw(&run.summary, &history.paths)),
    };
    Figure {
        id: "curves",
        title: "Metric and loss on the way",
        content,
    }
}

fn draw(summary: &Summary, paths: &[Path]) -> String {
    let best = best_paths(summary, paths);
    let mut series: Vec<Series> = best
        .iter()
        .map(|path| Series::method(&path.method))
        .collect();
    let panels = [
        over_steps(summary, &best),
        over_queries(summary, paths, &best),
        loss(&best),
    ];
    for other in ["threshold", "pretrained"] {
        if summary.method(other).is_some() {
            series.push(Series::method(other));
        }
    }
    let rows: Vec<Vec<String>> = paths
        .iter()
        .flat_map(|path| {
            path.observed.iter().map(|seen| {
                vec![
                    path.method.clone(),
                    seen.step.to_string(),
                    general(seen.validation),
                    general_count(spent(summary, paths, &path.method, seen.queries)),
                ]
            })
        })
        .collect();
    let name = escape(&summary.metric.name);
    let aim = summary.metric.aim();
    let caption = format!(
        "First: {name} on the whole validation split ({aim}); of a method that tries several learning rates or weights, \
         its best pass. Then: the best value so far over the queries it took, all passes and trajectories included. \
         Last: the surrogate loss on minibatches as a running mean; that of class-weighted is weighted, and so on \
         another scale."
    );
    format!(
        "{}{}{}",
        legend(&series),
        figure(&panels, &caption),
        data(
            "validation metric at every observation",
            &["method", "step", "validation", "queries"],
            &rows
        )
    )
}

fn general_count(value: f64) -> String {
    format!("{value:.0}")
}

/// For each method its pass with the best observation, in the order of the table.
pub fn best_paths<'a>(summary: &Summary, paths: &'a [Path]) -> Vec<&'a Path> {
    let best = |path: &Path| {
        summary
            .metric
            .best(path.observed.iter().map(|seen| seen.validation))
    };
    let mut chosen: Vec<&Path> = Vec::new();
    for path in paths {
        let Some(value) = best(path) else { continue };
        match chosen.iter_mut().find(|other| other.method == path.method) {
            None => chosen.push(path),
            Some(other) => {
                if best(other)
                    .is_some_and(|incumbent| summary.metric.direction.is_better(value, incumbent))
                {
                    *other = path;
                }
            }
        }
    }
    chosen
}

/// What a method has spent when the whole run had asked so many queries: its total, less what came later.
fn spent(summary: &Summary, paths: &[Path], method: &str, queries: f64) -> f64 {
    let last = paths
        .iter()
        .rev()
        .find(|path| path.method == method)
        .and_then(|path| path.observed.last())
        .map_or(queries, |seen| seen.queries);
    let total = summary
        .method(method)
        .map_or(last, |row| row.queries as f64);
    (total - (last - queries)).max(1.0)
}

fn over_steps(summary: &Summary, best: &[&Path]) -> String {
    let pretrained = summary.method("pretrained").map(|row| row.validation);
    let seen = || best.iter().flat_map(|path| &path.observed);
    let x = Scale::from_to(0.0, seen().map(|s| s.step).fold(1.0, f64::max) * 1.03);
    let y = Scale::around(seen().map(|s| s.validation).chain(pretrained));
    let mut panel = Panel::new(x, y, "step", &format!("validation {}", summary.metric.name));
    if let Some(value) = pretrained {
        panel.level(value, Series::method("pretrained").class);
    }
    for path in best {
        let series = Series::method(&path.method);
        let points: Vec<(f64, f64)> = path
            .observed
            .iter()
            .map(|s| (s.step, s.validation))
            .collect();
        panel.line(&points, series.class);
        for &(step, value) in &points {
            let title = format!("{}, step {step}: {}", path.method, general(value));
            panel.mark(series.shape, (step, value), 3.2, &series.mark(), &title);
        }
    }
    let words: Vec<String> = best
        .iter()
        .filter_map(|path| {
            let (first, last) = (path.observed.first()?, path.observed.last()?);
            Some(format!(
                "{} from {} at step {} to {} at step {}",
                path.method,
                general(first.validation),
                first.step,
                general(last.validation),
                last.step
            ))
        })
        .collect();
    panel.finish(&format!(
        "Validation {} over steps: {}.",
        summary.metric.name,
        words.join("; ")
    ))
}

fn over_queries(summary: &Summary, paths: &[Path], best: &[&Path]) -> String {
    let curves: Vec<(&str, Vec<(f64, f64)>)> = best
        .iter()
        .map(|chosen| {
            (
                chosen.method.as_str(),
                best_so_far(summary, paths, &chosen.method),
            )
        })
        .collect();
    let dots: Vec<(&str, (f64, f64))> = ["pretrained", "threshold"]
        .iter()
        .filter_map(|&name| {
            let row = summary.method(name)?;
            Some((name, (row.queries.max(1) as f64, row.validation)))
        })
        .collect();
    let all = || {
        let points = curves.iter().flat_map(|(_, points)| points);
        points.chain(dots.iter().map(|(_, point)| point))
    };
    let mut panel = Panel::new(
        Scale::logarithmic(all().map(|point| point.0)),
        Scale::around(all().map(|point| point.1)),
        "queries of the metric, logarithmic",
        &format!("best validation {} so far", summary.metric.name),
    );
    for (name, points) in &curves {
        let series = Series::method(name);
        panel.line(&stairs(points), series.class);
        if let Some(&end) = points.last() {
            let title = format!("{name}: {} after {:.0} queries", general(end.1), end.0);
            panel.mark(series.shape, end, 4.5, &series.mark(), &title);
        }
    }
    for &(name, point) in &dots {
        let series = Series::method(name);
        let title = format!("{name}: {} after {:.0} queries", general(point.1), point.0);
        panel.mark(series.shape, point, 4.5, &series.mark(), &title);
    }
    let words: Vec<String> = curves
        .iter()
        .filter_map(|(name, points)| {
            let end = points.last()?;
            Some(format!("{name} {} after {:.0}", general(end.1), end.0))
        })
        .collect();
    panel.finish(&format!(
        "Best validation value over queries: {}.",
        words.join("; ")
    ))
}

/// Queries spent and the best value until then, over all passes of a method.
pub fn best_so_far(summary: &Summary, paths: &[Path], method: &str) -> Vec<(f64, f64)> {
    let mut best = summary.method("pretrained").map(|row| row.validation);
    let mut points = Vec::new();
    for seen in paths
        .iter()
        .filter(|path| path.method == method)
        .flat_map(|path| &path.observed)
    {
        best = summary
            .metric
            .best(best.into_iter().chain([seen.validation]));
        if let Some(best) = best {
            points.push((spent(summary, paths, method, seen.queries), best));
        }
    }
    points
}

/// Points joined by level lines and risers: between observations nothing was known.
pub fn stairs(points: &[(f64, f64)]) -> Vec<(f64, f64)> {
    let mut stairs = Vec::with_capacity(2 * points.len());
    for &(x, y) in points {
        if let Some(&(_, before)) = stairs.last() {
            stairs.push((x, before));
        }
        stairs.push((x, y));
    }
    stairs
}

fn loss(best: &[&Path]) -> String {
    let smooth: Vec<(&str, Vec<(f64, f64)>)> = best
        .iter()
        .map(|path| (path.method.as_str(), running_mean(&path.losses)))
        .collect();
    let all = || smooth.iter().flat_map(|(_, points)| points);
    let last = all().map(|point| point.0).fold(1.0, f64::max);
    let mut panel = Panel::new(
        Scale::from_to(0.0, last * 1.03),
        Scale::around(all().map(|point| point.1)),
        "step",
        "surrogate loss, running mean",
    );
    for (name, points) in &smooth {
        let series = Series::method(name);
        panel.line(points, series.class);
        if let Some(&end) = points.last() {
            let title = format!("{name}: {}", general(end.1));
            panel.mark(series.shape, end, 4.5, &series.mark(), &title);
        }
    }
    let words: Vec<String> = smooth
        .iter()
        .filter_map(|(name, points)| {
            let (first, last) = (points.first()?, points.last()?);
            Some(format!(
                "{name} from {} to {}",
                general(first.1),
                general(last.1)
            ))
        })
        .collect();
    panel.finish(&format!("Surrogate loss over steps: {}.", words.join("; ")))
}

/// Exponential running mean without the pull of its start.
fn running_mean(points: &[(f64, f64)]) -> Vec<(f64, f64)> {
    let (mut sum, mut weight) = (0.0, 0.0);
    points
        .iter()
        .filter(|point| point.1.is_finite())
        .map(|&(x, y)| {
            sum = DECAY * sum + (1.0 - DECAY) * y;
            weight = DECAY * weight + (1.0 - DECAY);
            (x, sum / weight)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_running_mean_of_a_constant_is_the_constant() {
        let mean = running_mean(&[(0.0, 2.0), (1.0, f64::NAN), (2.0, 2.0)]);
        assert_eq!(mean.len(), 2);
        assert!(mean.iter().all(|point| (point.1 - 2.0).abs() < 1e-12));
        // 0.09 of the first, 0.1 of the second.
        let mean = running_mean(&[(0.0, 0.0), (1.0, 1.9)]);
        assert!((mean[1].1 - 1.0).abs() < 1e-12);
    }

    #[test]
    fn stairs_hold_a_value_until_the_next() {
        assert_eq!(
            stairs(&[(1.0, 5.0), (3.0, 6.0)]),
            [(1.0, 5.0), (3.0, 5.0), (3.0, 6.0)]
        );
    }
}
