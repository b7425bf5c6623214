//! The metric and the value function on one plane, and the ways of two methods across it.

use std::fmt::Write;

use super::super::colours::{colour, key};
use super::super::data::{Metric, Run};
use super::super::html::{data, escape, general, number};
use super::super::plane::{Grid, Plane, Way};
use super::super::scale::{Scale, extent};
use super::super::series::{Series, legend};
use super::super::svg::{Panel, Shape};
use super::{Content, Figure, figure};

/// Builds the section.
pub fn landscape(run: &Run) -> Figure {
    let content = match &run.plane {
        Some(plane) => match &plane.grid {
            Some(grid) => Content::Drawn(draw(&run.summary.metric, plane, grid)),
            None => Content::LeftOut(
                match run.history.as_ref().and_then(|h| h.no_landscape.clone()) {
                    Some(reason) => reason,
                    None => "it was switched off with `report.landscape = 0`".to_owned(),
                },
            ),
        },
        None => Content::LeftOut(
            "there is no `report.safetensors` in the run directory, as in those of older hosts"
                .to_owned(),
        ),
    };
    Figure {
        id: "landscape",
        title: "Landscape",
        content,
    }
}

fn draw(metric: &Metric, plane: &Plane, grid: &Grid) -> String {
    // Each map has colours of its own: of the value function only the shape counts, and it predicts folds of the whole
    // split, not the rows of the map.
    let maps = [
        ("true metric", Some(&grid.metric)),
        ("value function", grid.predicted.as_ref()),
    ];
    let mut keys = String::new();
    let mut panels = Vec::new();
    for (title, values) in maps {
        if let Some(values) = values {
            let ends = extent(values.iter().copied());
            keys.push_str(&key(&format!("{title}, {}", metric.aim()), ends.0, ends.1));
            panels.push(map(metric, plane, grid, values, ends, title));
        }
    }
    let series: Vec<Series> = plane
        .ways
        .iter()
        .map(|way| Series::method(&way.method))
        .collect();
    let outside: Vec<String> = plane.ways.iter().filter_map(share_outside).collect();
    let only_true = if grid.predicted.is_none() {
        " There was no value function."
    } else {
        " Each map has colours of its own."
    };
    let caption = format!(
        "The plane through the pre-trained network (the cross) along the two main directions of both ways, each counted alike. The \
         true metric was measured once on {} points and at most {} validation rows after the run; these count as no queries, and \
         nothing was selected by them. The diamond is the best point of each map.{only_true} The ways are projected: {}.",
        grid.metric.len(),
        grid.rows,
        if outside.is_empty() {
            "none was recorded".to_owned()
        } else {
            outside.join("; ")
        }
    );
    let mut rows = Vec::new();
    for (j, &y) in grid.y.iter().enumerate() {
        for (i, &x) in grid.x.iter().enumerate() {
            let at = j * grid.x.len() + i;
            let cell = |values: &[f64]| values.get(at).map_or_else(String::new, |&v| general(v));
            rows.push(vec![
                general(x),
                general(y),
                cell(&grid.metric),
                grid.predicted.as_deref().map_or_else(String::new, cell),
            ]);
        }
    }
    format!(
        "{}{}{}{}",
        keys,
        legend(&series),
        figure(&panels, &escape(&caption)),
        data(
            "both maps",
            &["first", "second", "true metric", "value function"],
            &rows
        )
    )
}

/// How much of the way's last point a picture in the plane cannot show.
fn share_outside(way: &Way) -> Option<String> {
    let (&(x, y), &outside) = way.points.last().zip(way.outside.last())?;
    let length = (x * x + y * y + outside * outside).sqrt();
    (length > 0.0).then(|| {
        format!(
            "{} ends {} from the pre-trained network, {} of it outside the plane",
            way.method,
            number(length, 2),
            number(outside, 2)
        )
    })
}

fn map(
    metric: &Metric,
    plane: &Plane,
    grid: &Grid,
    values: &[f64],
    (low, high): (f64, f64),
    title: &str,
) -> String {
    let half = |places: &[f64]| match places {
        [first, .., last] => 0.5 * (last - first) / (places.len() - 1) as f64,
        _ => 0.5,
    };
    let (half_x, half_y) = (half(&grid.x), half(&grid.y));
    let axis = |places: &[f64], half: f64| {
        let (low, high) = extent(places.iter().copied());
        Scale::from_to(low - half, high + half)
    };
    let mut panel = Panel::square(
        axis(&grid.x, half_x),
        axis(&grid.y, half_y),
        "first direction",
        &format!("second direction: {title}"),
    );
    let shade = Scale::from_to(low, high);
    let mut cells = "<g class=\"cells\">".to_owned();
    let mut best: Option<(f64, (f64, f64))> = None;
    for (&y, row) in grid.y.iter().zip(values.chunks_exact(grid.x.len())) {
        for (&x, &value) in grid.x.iter().zip(row) {
            let (left, top) = (panel.at_x(x - half_x), panel.at_y(y + half_y));
            let (right, bottom) = (panel.at_x(x + half_x), panel.at_y(y - half_y));
            // Writing to a `String` cannot fail. Cells overlap a little, or seams would show between them.
            let _ = write!(
                cells,
                "<path d=\"M{left:.1} {top:.1}H{:.1}V{:.1}H{left:.1}z\" fill=\"{}\"><title>{}</title></path>",
                right + 0.4,
                bottom + 0.4,
                colour(shade.share(value)),
                general(value)
            );
            if best.is_none_or(|(incumbent, _)| metric.direction.is_better(value, incumbent)) {
                best = Some((value, (x, y)));
            }
        }
    }
    cells.push_str("</g>");
    panel.push(&cells);
    for way in &plane.ways {
        let series = Series::method(&way.method);
        panel.line(&way.points, "halo");
        panel.line(&way.points, &format!("onmap {}", series.class));
        for (index, &point) in way.points.iter().enumerate() {
            let last = index + 1 == way.points.len();
            let title = format!("{}, observation {index}", way.method);
            let r = if last { 6.0 } else { 3.0 };
            panel.mark(
                series.shape,
                point,
                r,
                &format!("onmap {}", series.mark()),
                &title,
            );
        }
    }
    panel.mark(Shape::Cross, (0.0, 0.0), 5.5, "start wide", "");
    panel.mark(
        Shape::Cross,
        (0.0, 0.0),
        5.5,
        "start",
        "pre-trained network",
    );
    let mut words = format!(
        "Map of the {title} between {} and {}",
        general(low),
        general(high)
    );
    if let Some((value, place)) = best {
        panel.mark(
            Shape::Diamond,
            place,
            6.0,
            "optimum",
            &format!("best: {}", general(value)),
        );
        let _ = write!(
            words,
            "; best {} at ({}, {})",
            general(value),
            number(place.0, 2),
            number(place.1, 2)
        );
    }
    for way in &plane.ways {
        if let Some(&(x, y)) = way.points.last() {
            let _ = write!(
                words,
                "; {} ends at ({}, {})",
                way.method,
                number(x, 2),
                number(y, 2)
            );
        }
    }
    panel.finish(&format!("{words}."))
}
