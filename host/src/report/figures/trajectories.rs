//! The metric along every trajectory.

use std::cmp::Ordering;

use super::super::data::{Metric, Run};
use super::super::html::{data, escape, general};
use super::super::learned::{Walk, Walks};
use super::super::scale::Scale;
use super::super::series::{Series, legend};
use super::super::svg::Panel;
use super::{Content, Figure, figure};

/// Most trajectories with a panel of their own.
const SINGLED_OUT: usize = 5;
/// Most corners of a curve.
const MOST_POINTS: usize = 120;

/// Builds the section.
pub fn trajectories(run: &Run) -> Figure {
    let content = match &run.walks {
        Some(walks) => Content::Drawn(draw(&run.summary.metric, walks)),
        None => Content::LeftOut(
            "there is no `trajectories.safetensors` in the run directory".to_owned(),
        ),
    };
    Figure {
        id: "trajectories",
        title: "Trajectories",
        content,
    }
}

fn draw(metric: &Metric, walks: &Walks) -> String {
    let curves: Vec<Vec<(f64, f64)>> = walks
        .walks
        .iter()
        .map(|walk| walk.interpolated(metric.direction))
        .collect();
    let y = Scale::around(
        walks
            .walks
            .iter()
            .flat_map(|walk| walk.observed.iter().copied())
            .chain(curves.iter().flatten().map(|&(mean, _)| mean)),
    );
    let last = curves.first().map_or(1, |curve| curve.len().max(2) - 1) as f64;
    let x = Scale::from_to(0.0, last * 1.02);
    let name = format!("validation {}", metric.name);
    let mut all = Panel::new(x, y, "step", &format!("{name}, all {}", curves.len()));
    for curve in &curves {
        all.line(
            &thin(curve)
                .map(|(t, (mean, _))| (t, mean))
                .collect::<Vec<_>>(),
            "faint s0",
        );
    }
    let mut panels = vec![all.finish(&format!(
        "Interpolated validation {} along {} trajectories, between {} and {}.",
        metric.name,
        curves.len(),
        general(y.at(0.0)),
        general(y.at(1.0))
    ))];
    for k in evenly_by_rank(&walks.walks, metric) {
        if let (Some(walk), Some(curve)) = (walks.walks.get(k), curves.get(k)) {
            panels.push(one(metric, k, walk, curve, &walks.steps, (x, y)));
        }
    }
    let points = Series {
        label: "mean and band of two deviations; marks are observations".to_owned(),
        ..Series::numbered(0, "")
    };
    let caption = format!(
        "The metric was observed where there are marks, and interpolated between them by a Gaussian process: the value \
         function learns from its mean and deviation. First all trajectories, then single ones from the best to the \
         worst end ({}).",
        metric.aim()
    );
    let mut head = vec!["trajectory".to_owned()];
    head.extend(walks.steps.iter().map(|t| format!("step {t}")));
    let head: Vec<&str> = head.iter().map(String::as_str).collect();
    let rows: Vec<Vec<String>> = walks
        .walks
        .iter()
        .enumerate()
        .map(|(k, walk)| {
            let mut row = vec![(k + 1).to_string()];
            row.extend(walk.observed.iter().map(|&value| general(value)));
            row
        })
        .collect();
    format!(
        "{}{}{}",
        legend([&points]),
        figure(&panels, &escape(&caption)),
        data(
            "observations of every trajectory, mean over folds",
            &head,
            &rows
        )
    )
}

fn one(
    metric: &Metric,
    k: usize,
    walk: &Walk,
    curve: &[(f64, f64)],
    steps: &[usize],
    (x, y): (Scale, Scale),
) -> String {
    let title = format!("trajectory {}", k + 1);
    let mut panel = Panel::new(x, y, "step", &format!("{}, {title}", metric.name));
    let clamp = |value: f64| value.clamp(y.at(0.0), y.at(1.0));
    let band: Vec<(f64, f64, f64)> = thin(curve)
        .map(|(t, (mean, sd))| (t, clamp(mean - 2.0 * sd), clamp(mean + 2.0 * sd)))
        .collect();
    panel.band(&band, "s0");
    panel.line(
        &thin(curve)
            .map(|(t, (mean, _))| (t, mean))
            .collect::<Vec<_>>(),
        "s0",
    );
    for (&t, &value) in steps.iter().zip(&walk.observed) {
        let words = format!("{title}, step {t}: {}", general(value));
        panel.mark(
            Series::numbered(0, "").shape,
            (t as f64, value),
            3.2,
            "mark s0",
            &words,
        );
    }
    let ends = walk.observed.first().zip(walk.observed.last());
    let words = ends.map_or_else(String::new, |(first, last)| {
        format!(
            "Trajectory {}: {} observed from {} to {}, with the interpolated band.",
            k + 1,
            metric.name,
            general(*first),
            general(*last)
        )
    });
    panel.finish(&words)
}

/// Steps with their values, no more than a figure can show.
fn thin(curve: &[(f64, f64)]) -> impl Iterator<Item = (f64, (f64, f64))> {
    let stride = curve.len().div_ceil(MOST_POINTS).max(1);
    let last = curve.len().saturating_sub(1);
    curve
        .iter()
        .enumerate()
        .filter(move |(t, _)| t % stride == 0 || *t == last)
        .map(|(t, &value)| (t as f64, value))
}

/// Some trajectories, from the one with the best last observation to that with the worst.
fn evenly_by_rank(walks: &[Walk], metric: &Metric) -> Vec<usize> {
    let signed = |k: &usize| {
        let last = walks.get(*k).and_then(|walk| walk.observed.last());
        last.map_or(f64::INFINITY, |value| metric.direction.sign() * value)
    };
    let mut order: Vec<usize> = (0..walks.len()).collect();
    order.sort_by(|a, b| signed(a).partial_cmp(&signed(b)).unwrap_or(Ordering::Equal));
    let count = SINGLED_OUT.min(order.len());
    (0..count)
        .filter_map(|i| {
            let at = i * (order.len() - 1) / count.saturating_sub(1).max(1);
            order.get(at).copied()
        })
        .collect()
}
