//! The metric around the pre-trained network, for the eye: on the plane of the two main directions of loss-only and
//! MetricOpt.
//!
//! It is measured after everything else, counts as no query, and nothing is selected by it.

use metricopt_sdk::{ErrorKind, Part, Result};

use super::events::Progress;
use super::mlp::Tape;
use super::observe::Observer;
use super::projection::{Projection, upright};
use super::random::stream_seed;
use super::trajectory::Trajectories;
use super::value_function::ValueFunction;
use super::vector::{add_scaled, dot, norm};

/// Validation rows that each point is measured on.
pub(super) const ROWS: usize = 2048;
/// Most adapters of trajectories that the directions are computed from.
const MAX_POINTS: usize = 2000;
/// How far the square reaches beyond the ways across it.
const MARGIN: f64 = 1.25;

/// The plane with what lies on it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Landscape {
    /// For each method its way: coordinates in the plane and length outside it, at the start and at each observation.
    pub ways: Vec<(String, Vec<[f64; 3]>)>,
    /// The grid, unless it was left out.
    pub grid: Option<Grid>,
    /// Why there is no grid, if it was asked for.
    pub left_out: Option<String>,
}

/// Values on a square grid.
#[derive(Clone, Debug, PartialEq)]
pub struct Grid {
    /// Coordinates along the first direction, ascending.
    pub x: Vec<f64>,
    /// Coordinates along the second direction, ascending.
    pub y: Vec<f64>,
    /// Natural metric, a row for each `y`.
    pub metric: Vec<f64>,
    /// The natural metric that the value function predicts, if there is one.
    pub predicted: Option<Vec<f64>>,
    /// Rows that the metric was measured on, at most.
    pub rows: usize,
}

/// Surveys the plane with `side` points along each side of the square; fewer than two for the ways alone.
///
/// A metric that has no value somewhere leaves the grid out and costs no run.
///
/// # Errors
///
/// Those of the task, or that the user asked to stop.
pub fn survey(
    observer: &Observer<'_>,
    side: usize,
    trajectories: Option<&Trajectories>,
    function: Option<&ValueFunction>,
    ways: &[(&str, Vec<Vec<f32>>)],
    seed: u64,
    progress: &Progress<'_>,
) -> Result<Landscape> {
    let mut landscape = Landscape::default();
    let Some([first, second]) = main_directions(trajectories, ways) else {
        if side > 1 {
            landscape.left_out =
                Some("neither the ways nor the trajectories span a plane".to_owned());
        }
        return Ok(landscape);
    };
    for (name, path) in ways {
        let placed = path.iter().map(|phi| {
            let (x, y) = (dot(&first, phi), dot(&second, phi));
            let outside = (norm(phi).powi(2) - x * x - y * y).max(0.0).sqrt();
            [x, y, outside]
        });
        landscape.ways.push(((*name).to_owned(), placed.collect()));
    }
    if side < 2 {
        return Ok(landscape);
    }
    let points = landscape.ways.iter().flat_map(|(_, points)| points);
    let [x, y] = square(points.map(|&[x, y, _]| (x, y)), side);
    let phi_at = |x: f64, y: f64| {
        let mut phi = vec![0.0; first.len()];
        add_scaled(&mut phi, x, &first);
        add_scaled(&mut phi, y, &second);
        phi
    };
    let part = Part::Sample {
        seed: stream_seed(seed, "landscape rows", 0),
        size: ROWS,
    };
    let sign = observer.direction.sign();
    let mut tape = Tape::default();
    let mut metric = Vec::with_capacity(side * side);
    let mut predicted = Vec::new();
    for (done, &y) in y.iter().enumerate() {
        observer.call.check()?;
        progress("landscape", done as u64, side as u64);
        let phis: Vec<Vec<f32>> = x.iter().map(|&x| phi_at(x, y)).collect();
        match observer.show(&phis, part) {
            Ok(values) => metric.extend(values),
            Err(error) if error.kind() == ErrorKind::Cancelled => return Err(error),
            Err(error) => {
                landscape.left_out = Some(error.to_string());
                return Ok(landscape);
            }
        }
        if let Some(function) = function {
            let natural = |phi: &Vec<f32>| {
                sign * (function.mean + function.deviation * function.value(phi, &mut tape))
            };
            predicted.extend(phis.iter().map(natural));
        }
    }
    progress("landscape", side as u64, side as u64);
    landscape.grid = Some(Grid {
        x,
        y,
        metric,
        predicted: function.map(|_| predicted),
        rows: ROWS,
    });
    Ok(landscape)
}

/// The two main directions of the ways from `phi_0`, each way brought to one length, so that a short one counts as much
/// as a long one; of the trajectories where no way spans a plane.
///
/// The plane of the trajectories alone would be the obvious one, but the search leaves it: on a9a nearly all of the way
/// of MetricOpt is at right angles to it, and a map would show a metric that was never met.
fn main_directions(
    trajectories: Option<&Trajectories>,
    ways: &[(&str, Vec<Vec<f32>>)],
) -> Option<[Vec<f32>; 2]> {
    let adapter = ways.iter().find_map(|(_, path)| path.first());
    let dimensions = adapter.map_or(0, Vec::len).max(1);
    let mut points: Vec<f32> = Vec::new();
    for (_, path) in ways {
        let longest = path.iter().map(|phi| norm(phi)).fold(0.0, f64::max);
        if longest > 0.0 {
            let scaled = path
                .iter()
                .flatten()
                .map(|&x| (f64::from(x) / longest) as f32);
            points.extend(scaled);
        }
    }
    spanned(&points, dimensions).or_else(|| {
        let all = trajectories?.points.chunks_exact(dimensions);
        let stride = all.len().div_ceil(MAX_POINTS).max(1);
        let points: Vec<f32> = all.step_by(stride).flatten().copied().collect();
        spanned(&points, dimensions)
    })
}

/// The two main directions of points, if they have two.
fn spanned(points: &[f32], dimensions: usize) -> Option<[Vec<f32>; 2]> {
    let projection = Projection::principal(points, dimensions, 2);
    let mut directions = projection
        .directions()?
        .chunks_exact(dimensions)
        .map(upright);
    Some([directions.next()?, directions.next()?])
}

/// Coordinates of a square around the points and the origin.
fn square(points: impl Iterator<Item = (f64, f64)>, side: usize) -> [Vec<f64>; 2] {
    let mut low = [0.0_f64; 2];
    let mut high = [0.0_f64; 2];
    for (x, y) in points {
        low = [low[0].min(x), low[1].min(y)];
        high = [high[0].max(x), high[1].max(y)];
    }
    let widest = (high[0] - low[0]).max(high[1] - low[1]);
    // Ways that never left the start still have surroundings.
    let half = if widest > 0.0 {
        0.5 * MARGIN * widest
    } else {
        1.0
    };
    [0, 1].map(|axis| {
        let centre = 0.5 * (low[axis] + high[axis]);
        let place = |index: usize| centre + half * (2.0 * index as f64 / (side - 1) as f64 - 1.0);
        (0..side).map(place).collect()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_square_holds_the_origin_and_every_way() {
        let [x, y] = square([(4.0, 1.0), (2.0, -1.0)].into_iter(), 3);
        assert_eq!(x, [-0.5, 2.0, 4.5]);
        assert_eq!(y, [-2.5, 0.0, 2.5]);
        assert_eq!(square(std::iter::empty(), 2), [[-1.0, 1.0], [-1.0, 1.0]]);
    }
}
