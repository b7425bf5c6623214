//! Coordinates in which the value function sees an adapter.

use faer::linalg::matmul::matmul;
use faer::{Accum, Mat, MatRef, Par, Side};

use super::vector::dots;

/// `x = A phi / s`: either the leading principal directions of the visited adapters or all coordinates, with one scale.
///
/// A value function on raw coordinates has gradient components outside the subspace that was ever visited, where it
/// knows nothing; the projection removes them by construction.
#[derive(Clone, Debug, PartialEq)]
pub struct Projection {
    /// Orthonormal directions, row-major `[k, D]`; `None` for all coordinates.
    directions: Option<Vec<f32>>,
    dimensions: usize,
    scale: f64,
}

impl Projection {
    /// The leading `components` right singular vectors of the uncentred points, `[n, D]` row-major.
    ///
    /// Directions without variance are left out, so there may be fewer than asked for, even none.
    pub fn principal(points: &[f32], dimensions: usize, components: usize) -> Self {
        let n = points.len() / dimensions.max(1);
        if n == 0 || dimensions == 0 {
            // An eigendecomposition of nothing is refused by a panic.
            return Self::scaled(Some(Vec::new()), points, dimensions);
        }
        let x = Mat::from_fn(n, dimensions, |i, j| f64::from(points[i * dimensions + j]));
        // The eigenvectors of the smaller Gram matrix give the singular vectors.
        let wide = dimensions > n;
        let gram = if wide {
            product(x.as_ref(), x.transpose())
        } else {
            product(x.transpose(), x.as_ref())
        };
        let mut directions = Vec::new();
        if let Ok(eigen) = gram.self_adjoint_eigen(Side::Lower) {
            let values = eigen.S();
            let size = gram.nrows();
            let largest = values[size - 1];
            for component in (size.saturating_sub(components)..size).rev() {
                // Below this the direction is rounding noise of the Gram matrix.
                if values[component] <= 1e-12 * largest || values[component] <= 0.0 {
                    break;
                }
                let vector = eigen.U().col(component);
                let direction: Vec<f64> = if wide {
                    let length = values[component].sqrt();
                    (0..dimensions)
                        .map(|j| (0..n).map(|i| x[(i, j)] * vector[i]).sum::<f64>() / length)
                        .collect()
                } else {
                    (0..dimensions).map(|j| vector[j]).collect()
                };
                directions.extend(direction.into_iter().map(|value| value as f32));
            }
        }
        Self::scaled(Some(directions), points, dimensions)
    }

    /// All coordinates.
    pub fn raw(points: &[f32], dimensions: usize) -> Self {
        Self::scaled(None, points, dimensions)
    }

    /// A projection that was fitted before: its directions `[k, D]`, none for all coordinates, and its scale. None if the
    /// directions do not fit the dimensions or the scale is not positive.
    pub fn from_parts(directions: Option<Vec<f32>>, dimensions: usize, scale: f64) -> Option<Self> {
        let fits = directions
            .as_ref()
            .is_none_or(|flat| dimensions > 0 && flat.len().is_multiple_of(dimensions));
        (fits && scale.is_finite() && scale > 0.0).then_some(Self {
            directions,
            dimensions,
            scale,
        })
    }

    /// Puts the mean root-mean-square of the coordinates to 1.
    fn scaled(directions: Option<Vec<f32>>, points: &[f32], dimensions: usize) -> Self {
        let mut this = Self {
            directions,
            dimensions,
            scale: 1.0,
        };
        let n = points.len() / dimensions.max(1);
        let k = this.outputs();
        let mut squares = vec![0.0_f64; k];
        for phi in points.chunks_exact(dimensions.max(1)) {
            for (sum, x) in squares.iter_mut().zip(this.apply(phi)) {
                *sum += f64::from(x).powi(2);
            }
        }
        let rms: f64 = squares
            .iter()
            .map(|sum| (sum / n.max(1) as f64).sqrt())
            .sum();
        if rms > 0.0 {
            this.scale = rms / k as f64;
        }
        this
    }

    /// The directions `[k, D]`, if not all coordinates.
    pub fn directions(&self) -> Option<&[f32]> {
        self.directions.as_deref()
    }

    /// The scale `s`.
    pub fn scale(&self) -> f64 {
        self.scale
    }

    /// Length `D` of an adapter.
    pub fn dimensions(&self) -> usize {
        self.dimensions
    }

    /// Number of coordinates.
    pub fn outputs(&self) -> usize {
        match &self.directions {
            Some(directions) => directions.len() / self.dimensions.max(1),
            None => self.dimensions,
        }
    }

    /// Coordinates of one adapter.
    pub fn apply(&self, phi: &[f32]) -> Vec<f32> {
        match &self.directions {
            Some(directions) => dots(directions, phi)
                .into_iter()
                .map(|coordinate| (coordinate / self.scale) as f32)
                .collect(),
            None => phi
                .iter()
                .map(|&x| (f64::from(x) / self.scale) as f32)
                .collect(),
        }
    }

    /// Gradient with respect to the adapter, from the gradient with respect to the coordinates.
    pub fn pull_back(&self, gradient: &[f32]) -> Vec<f32> {
        match &self.directions {
            Some(directions) => {
                let mut phi = vec![0.0; self.dimensions];
                for (direction, &g) in directions
                    .chunks_exact(self.dimensions.max(1))
                    .zip(gradient)
                {
                    super::vector::add_scaled(&mut phi, f64::from(g) / self.scale, direction);
                }
                phi
            }
            None => gradient
                .iter()
                .map(|&g| (f64::from(g) / self.scale) as f32)
                .collect(),
        }
    }
}

fn product(a: MatRef<'_, f64>, b: MatRef<'_, f64>) -> Mat<f64> {
    let mut c = Mat::zeros(a.nrows(), b.ncols());
    // Sequential on purpose: the same bits whatever the number of threads.
    matmul(c.as_mut(), Accum::Replace, a, b, 1.0, Par::Seq);
    c
}

/// The direction or its opposite, so that its largest component is positive: which one a decomposition gives is chance.
pub fn upright(direction: &[f32]) -> Vec<f32> {
    let largest = direction
        .iter()
        .copied()
        .fold(0.0_f32, |a, b| if b.abs() > a.abs() { b } else { a });
    direction
        .iter()
        .map(|&x| if largest < 0.0 { -x } else { x })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::random::{normals, stream};

    #[test]
    fn finds_the_line_the_points_lie_on() {
        // Points on the line through (3, 4): the direction is (0.6, 0.8), coordinates 5 and -10, their rms sqrt(62.5).
        let projection = Projection::principal(&[3.0, 4.0, -6.0, -8.0], 2, 2);
        assert_eq!(projection.outputs(), 1);
        let scale = 62.5_f64.sqrt();
        assert!((projection.scale() - scale).abs() < 1e-5);
        let x = f64::from(projection.apply(&[3.0, 4.0])[0]);
        assert!((x.abs() - 5.0 / scale).abs() < 1e-6);
        // What is orthogonal to the line is invisible, and no gradient points there.
        assert!(projection.apply(&[-4.0, 3.0])[0].abs() < 1e-6);
        let gradient = projection.pull_back(&[1.0]);
        assert!((gradient[0] * 4.0 - gradient[1] * 3.0).abs() < 1e-6);
    }

    #[test]
    fn without_points_there_is_no_direction() {
        assert_eq!(Projection::principal(&[], 3, 2).outputs(), 0);
        assert_eq!(Projection::principal(&[], 0, 2).outputs(), 0);
    }

    #[test]
    fn wide_and_tall_gram_matrices_agree() {
        let mut rng = stream(0, "test", 0);
        let (n, d) = (12, 8);
        let points = normals(&mut rng, n * d, 1.0);
        let tall = Projection::principal(&points, d, 3);
        // The same points with eight zero coordinates more are wide.
        let padded: Vec<f32> = points
            .chunks_exact(d)
            .flat_map(|row| row.iter().copied().chain([0.0; 8]))
            .collect();
        let wide = Projection::principal(&padded, 2 * d, 3);
        let phi = &points[..d];
        let mut padded_phi = phi.to_vec();
        padded_phi.extend([0.0; 8]);
        for (a, b) in tall.apply(phi).iter().zip(wide.apply(&padded_phi)) {
            assert!((a.abs() - b.abs()).abs() < 1e-4, "{a} {b}");
        }
    }

    #[test]
    fn fewer_dimensions_than_components() {
        let projection = Projection::principal(&[1.0, 0.0, 0.0, 2.0], 2, 16);
        assert_eq!(projection.outputs(), 2);
        let nothing = Projection::principal(&[0.0, 0.0], 2, 16);
        assert_eq!(nothing.outputs(), 0);
        assert_eq!(nothing.pull_back(&[]), [0.0, 0.0]);
    }
}
