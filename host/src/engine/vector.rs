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

/// Inner products of `v` with each row of `rows`, `[k, v]` row-major: the bits of [`dot`].
///
/// One sum waits for each of its additions; several side by side wait together.
pub fn dots(rows: &[f32], v: &[f32]) -> Vec<f64> {
    const TOGETHER: usize = 8;
    let length = v.len().max(1);
    let mut products = Vec::with_capacity(rows.len() / length);
    let mut groups = rows.chunks_exact(TOGETHER * length);
    for group in &mut groups {
        let mut each = group.chunks_exact(length);
        let rows: [&[f32]; TOGETHER] = std::array::from_fn(|_| each.next().unwrap_or_default());
        // The sum of nothing is minus zero, as that of `dot`.
        let mut sums = [-0.0; TOGETHER];
        for (i, &x) in v.iter().enumerate() {
            for (sum, row) in sums.iter_mut().zip(rows) {
                *sum += f64::from(row[i]) * f64::from(x);
            }
        }
        products.extend(sums);
    }
    let rest = groups.remainder().chunks_exact(length);
    products.extend(rest.map(|row| dot(row, v)));
    products
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
    fn products_side_by_side_have_the_bits_of_single_ones() {
        let number = |i: usize| (i as f32 * 0.7).sin() * 10.0_f32.powi(i as i32 % 9 - 4);
        for (count, length) in [(0, 5), (1, 7), (8, 1), (16, 400), (19, 33)] {
            let rows: Vec<f32> = (0..count * length).map(number).collect();
            let v: Vec<f32> = (0..length).map(|i| number(i + 1000)).collect();
            let single: Vec<u64> = rows
                .chunks_exact(length)
                .map(|row| dot(row, &v).to_bits())
                .collect();
            let together: Vec<u64> = dots(&rows, &v).into_iter().map(f64::to_bits).collect();
            assert_eq!(together, single, "{count} rows of {length}");
        }
    }

    #[test]
    fn unit_has_length_one_or_is_zero() {
        assert_eq!(unit(&[3.0, 4.0]), [0.6, 0.8]);
        assert_eq!(unit(&[0.0, 0.0]), [0.0, 0.0]);
        assert_eq!(unit(&[]), Vec::<f32>::new());
    }
}
