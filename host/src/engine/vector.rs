//! Arithmetic on flat vectors: adapters, gradients and directions.
//!
//! Sums run in `f64` and in a fixed order, so that a result never depends on the number of threads.

/// Inner product.
pub fn dot(a: &[f32], b: &[f32]) -> f64 {
    debug_assert_eq!(a.len(), b.len());
    a.iter()
        .zip(b)
        .map(|(&a, &b)| f64::from(a) * f64::from(b))
        .sum()
}

/// Euclidean norm.
pub fn norm(v: &[f32]) -> f64 {
    // The sum of nothing is minus zero.
    dot(v, v).sqrt() + 0.0
}

/// `v / |v|`; zero stays zero, because a metric difference is often exactly zero and has no direction.
pub fn unit(v: &[f32]) -> Vec<f32> {
    let length = norm(v);
    if length > 0.0 && length.is_finite() {
        v.iter().map(|&x| (f64::from(x) / length) as f32).collect()
    } else {
        vec![0.0; v.len()]
    }
}

/// A direction with a weight.
#[derive(Clone, Debug, PartialEq)]
pub struct Direction {
    /// Of length one, or zero.
    pub unit: Vec<f32>,
    /// Its weight.
    pub strength: f64,
}

/// `y += a x`.
pub fn add_scaled(y: &mut [f32], a: f64, x: &[f32]) {
    debug_assert_eq!(y.len(), x.len());
    let a = a as f32;
    for (y, &x) in y.iter_mut().zip(x) {
        *y += a * x;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unit_has_length_one_or_is_zero() {
        assert_eq!(unit(&[3.0, 4.0]), [0.6, 0.8]);
        assert_eq!(unit(&[0.0, 0.0]), [0.0, 0.0]);
        assert_eq!(unit(&[]), Vec::<f32>::new());
    }
}
