//! Means, ranks and tests.

/// Arithmetic mean; 0 of nothing.
pub fn mean(values: &[f64]) -> f64 {
    if values.is_empty() {
        0.0
    } else {
        values.iter().sum::<f64>() / values.len() as f64
    }
}

/// Sample standard deviation (divisor `n - 1`); 0 of fewer than two values.
pub fn standard_deviation(values: &[f64]) -> f64 {
    if values.len() < 2 {
        return 0.0;
    }
    let m = mean(values);
    let squares: f64 = values.iter().map(|v| (v - m).powi(2)).sum();
    (squares / (values.len() - 1) as f64).sqrt()
}

/// Pearson's correlation; 0 where one side does not vary.
pub fn correlation(a: &[f64], b: &[f64]) -> f64 {
    let (ma, mb) = (mean(a), mean(b));
    let product: f64 = a.iter().zip(b).map(|(x, y)| (x - ma) * (y - mb)).sum();
    let scale: f64 = a.iter().map(|x| (x - ma).powi(2)).sum::<f64>()
        * b.iter().map(|y| (y - mb).powi(2)).sum::<f64>();
    if scale > 0.0 {
        product / scale.sqrt()
    } else {
        0.0
    }
}

/// Spearman's rank correlation, with mean ranks for ties.
pub fn rank_correlation(a: &[f64], b: &[f64]) -> f64 {
    correlation(&ranks(a), &ranks(b))
}

fn ranks(values: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|&i, &j| values[i].total_cmp(&values[j]));
    let mut ranks = vec![0.0; values.len()];
    let equal = |a: &usize, b: &usize| values[*a] == values[*b];
    let mut before = 0;
    for group in order.chunk_by(equal) {
        let rank = before as f64 + (group.len() as f64 + 1.0) / 2.0;
        group.iter().for_each(|&i| ranks[i] = rank);
        before += group.len();
    }
    ranks
}

/// Student's paired t statistic of differences: their mean over its standard error. 0 if all are zero, infinite if all
/// are the same.
pub fn paired_t(differences: &[f64]) -> f64 {
    let m = mean(differences);
    let error = standard_deviation(differences) / (differences.len() as f64).sqrt();
    if m == 0.0 { 0.0 } else { m / error }
}

/// The `q` quantile of ascending values, interpolated linearly; NaN of nothing.
pub fn quantile(sorted: &[f64], q: f64) -> f64 {
    let Some(last) = sorted.len().checked_sub(1) else {
        return f64::NAN;
    };
    let position = q.clamp(0.0, 1.0) * last as f64;
    let (low, high) = (position.floor() as usize, position.ceil() as usize);
    sorted[low] + (position - low as f64) * (sorted[high] - sorted[low])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranks_share_ties() {
        assert_eq!(ranks(&[10.0, 20.0, 10.0, 5.0]), [2.5, 4.0, 2.5, 1.0]);
    }

    #[test]
    fn rank_correlation_by_hand() {
        assert_eq!(
            rank_correlation(&[1.0, 2.0, 3.0], &[10.0, 100.0, 1000.0]),
            1.0
        );
        assert_eq!(rank_correlation(&[1.0, 2.0, 3.0], &[3.0, 2.0, 1.0]), -1.0);
        // 1 - 6 * (0 + 1 + 1 + 0) / (4 * 15)
        assert!(
            (rank_correlation(&[1.0, 2.0, 3.0, 4.0], &[1.0, 3.0, 2.0, 4.0]) - 0.8).abs() < 1e-12
        );
        assert_eq!(rank_correlation(&[1.0, 1.0], &[1.0, 2.0]), 0.0);
    }

    #[test]
    fn paired_t_by_hand() {
        // mean 2, deviation 1, three pairs: 2 / (1 / sqrt 3)
        assert!((paired_t(&[1.0, 2.0, 3.0]) - 2.0 * 3.0_f64.sqrt()).abs() < 1e-12);
        assert_eq!(paired_t(&[0.0, 0.0]), 0.0);
        assert_eq!(paired_t(&[0.5, 0.5]), f64::INFINITY);
    }

    #[test]
    fn quantiles_interpolate() {
        assert_eq!(quantile(&[1.0, 2.0, 4.0], 0.5), 2.0);
        assert_eq!(quantile(&[1.0, 2.0, 4.0], 0.75), 3.0);
    }
}
