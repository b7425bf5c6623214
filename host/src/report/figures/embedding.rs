//! The embedding of the value function, in two dimensions.

use super::super::colours::{colour, key};
use super::super::data::{Metric, Run};
use super::super::html::{data, escape, general, number};
use super::super::learned::{Learned, Walks};
use super::super::pca::{MainPlane, main_plane};
use super::super::scale::{Scale, extent};
use super::super::svg::{Panel, Shape};
use super::value_function::why_not;
use super::{Content, Figure, figure};

/// Builds the section.
pub fn embedding(run: &Run) -> Figure {
    let content = match (&run.learned, &run.walks) {
        (Some(learned), Some(walks)) => match main_plane(&learned.features, learned.width) {
            Some(plane) => Content::Drawn(draw(&run.summary.metric, learned, walks, &plane)),
            None => {
                Content::LeftOut("the embedding is the same at every observed point".to_owned())
            }
        },
        _ => Content::LeftOut(why_not(run)),
    };
    Figure {
        id: "embedding",
        title: "Embedding of the value function",
        content,
    }
}

fn draw(metric: &Metric, learned: &Learned, walks: &Walks, plane: &MainPlane) -> String {
    let places: Vec<(usize, usize, f64)> = walks
        .walks
        .iter()
        .enumerate()
        .flat_map(|(k, walk)| {
            let observed = walk.observed.iter().zip(&walks.steps);
            observed.map(move |(&value, &t)| (k + 1, t, value))
        })
        .collect();
    let (low, high) = extent(places.iter().map(|place| place.2));
    let shade = Scale::from_to(low, high);
    let percent = plane.shares.map(|share| number(100.0 * share, 0));
    let mut panel = Panel::square(
        Scale::around(plane.points.iter().map(|point| point.0)),
        Scale::around(plane.points.iter().map(|point| point.1)),
        &format!("first direction, {} % of the variance", percent[0]),
        &format!("second direction, {} %", percent[1]),
    );
    for (&point, &(k, t, value)) in plane.points.iter().zip(&places) {
        let title = format!("trajectory {k}, step {t}: {}", general(value));
        let (x, y) = (panel.at_x(point.0), panel.at_y(point.1));
        let mark = Shape::Circle.draw(x, y, 4.0, "valued", &title);
        panel.push(&mark.replacen(
            "<circle",
            &format!("<circle fill=\"{}\"", colour(shade.share(value))),
            1,
        ));
    }
    let svg = panel.finish(&format!(
        "The {} observed points in the two main directions of the embedding, coloured by {} from {} to {}.",
        places.len(),
        metric.name,
        general(low),
        general(high)
    ));
    let caption = format!(
        "The last hidden layer of the value function at the observed points of the {} trajectories (dimension {}), in its \
         two main directions. Where it has learned the order of adapters, the colour changes steadily.",
        walks.walks.len(),
        learned.width
    );
    let rows: Vec<Vec<String>> = plane
        .points
        .iter()
        .zip(&places)
        .map(|(point, &(k, t, value))| {
            vec![
                k.to_string(),
                t.to_string(),
                general(point.0),
                general(point.1),
                general(value),
            ]
        })
        .collect();
    key(&format!("validation {}", metric.name), low, high)
        + &figure(&[svg], &escape(&caption))
        + &data(
            "embedding of every observed point",
            &["trajectory", "step", "first", "second", "observed"],
            &rows,
        )
}
