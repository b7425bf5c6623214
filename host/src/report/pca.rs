//! Two dimensions of many.

use crate::engine::projection::{Projection, upright};
use crate::engine::vector::{dot, norm};

/// Points in the plane in which they differ most.
#[derive(Clone, Debug, PartialEq)]
pub struct MainPlane {
    /// Coordinates of each point.
    pub points: Vec<(f64, f64)>,
    /// Shares of the variance along both axes.
    pub shares: [f64; 2],
}

/// The two main directions of points, row-major `[n, width]`; none if all points are the same.
///
/// Of the two ends of a direction, the one with its largest component comes up positive.
pub fn main_plane(points: &[f32], width: usize) -> Option<MainPlane> {
    let rows = || points.chunks_exact(width.max(1));
    let n = rows().len();
    if n < 2 || points.iter().any(|x| !x.is_finite()) {
        return None;
    }
    let mut mean = vec![0.0_f64; width];
    for row in rows() {
        for (sum, &x) in mean.iter_mut().zip(row) {
            *sum += f64::from(x) / n as f64;
        }
    }
    let centred: Vec<f32> = rows()
        .flat_map(|row| {
            row.iter()
                .zip(&mean)
                .map(|(&x, m)| (f64::from(x) - m) as f32)
        })
        .collect();
    let total = norm(&centred).powi(2);
    let projection = Projection::principal(&centred, width, 2);
    let mut axes = projection
        .directions()?
        .chunks_exact(width.max(1))
        .map(upright);
    let first = axes.next()?;
    let second = axes.next().unwrap_or_else(|| vec![0.0; width]);
    let placed: Vec<(f64, f64)> = centred
        .chunks_exact(width)
        .map(|row| (dot(&first, row), dot(&second, row)))
        .collect();
    let along = |pick: fn(&(f64, f64)) -> f64| placed.iter().map(|p| pick(p).powi(2)).sum::<f64>();
    let shares = [along(|p| p.0) / total, along(|p| p.1) / total];
    shares[0].is_finite().then_some(MainPlane {
        points: placed,
        shares,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_plane_holds_the_directions_of_most_variance() {
        // Variance 8 along (1, 1, 0), 2 along z, none along (1, -1, 0); the mean is (5, 5, 5).
        let points = [7.0, 7.0, 5.0, 3.0, 3.0, 5.0, 5.0, 5.0, 7.0, 5.0, 5.0, 3.0];
        let plane = main_plane(&points, 3).unwrap();
        let side = 8.0_f64.sqrt();
        let expected = [(side, 0.0), (-side, 0.0), (0.0, 2.0), (0.0, -2.0)];
        for (found, expected) in plane.points.iter().zip(expected) {
            assert!(
                (found.0 - expected.0).abs() < 1e-5 && (found.1 - expected.1).abs() < 1e-5,
                "{plane:?}"
            );
        }
        assert!((plane.shares[0] - 16.0 / 24.0).abs() < 1e-6);
        assert!((plane.shares[1] - 8.0 / 24.0).abs() < 1e-6);
    }

    #[test]
    fn points_on_a_line_or_on_one_spot_are_no_plane() {
        let line = main_plane(&[0.0, 0.0, 1.0, 2.0, 2.0, 4.0], 2).unwrap();
        assert!(line.points.iter().all(|point| point.1.abs() < 1e-5));
        assert_eq!(main_plane(&[1.0, 2.0, 1.0, 2.0], 2), None);
        assert_eq!(main_plane(&[1.0, f32::NAN], 1), None);
        assert_eq!(main_plane(&[], 0), None);
    }
}
