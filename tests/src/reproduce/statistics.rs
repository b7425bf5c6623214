//! Means and intervals over seeds.

/// Arithmetic mean; NaN of nothing.
pub fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

/// Sample standard deviation (divisor `n - 1`); NaN of fewer than two values.
pub fn standard_deviation(values: &[f64]) -> f64 {
    let m = mean(values);
    let squares: f64 = values.iter().map(|value| (value - m).powi(2)).sum();
    (squares / (values.len() as f64 - 1.0)).sqrt()
}

/// The 95 % interval of the mean by Student's t over the values.
///
/// ```
/// use metricopt_tests::reproduce::t_interval;
///
/// let [low, high] = t_interval(&[1.0, 2.0, 3.0, 4.0, 5.0]);
/// assert!((low - 1.0368).abs() < 1e-3 && (high - 4.9632).abs() < 1e-3);
/// ```
pub fn t_interval(values: &[f64]) -> [f64; 2] {
    let m = mean(values);
    let reach = t_quantile(values.len().saturating_sub(1)) * standard_deviation(values)
        / (values.len() as f64).sqrt();
    [m - reach, m + reach]
}

/// The 97.5 % quantile of Student's t: tabulated up to 10 degrees of freedom, above by the first four terms of its
/// expansion about the normal quantile (Abramowitz and Stegun 26.7.5), right to 0.001.
fn t_quantile(degrees: usize) -> f64 {
    const TABLE: [f64; 11] = [
        f64::NAN,
        12.7062,
        4.3027,
        3.1824,
        2.7764,
        2.5706,
        2.4469,
        2.3646,
        2.3060,
        2.2622,
        2.2281,
    ];
    TABLE.get(degrees).copied().unwrap_or_else(|| {
        let (z, n) = (1.959_964_f64, degrees as f64);
        z + (z.powi(3) + z) / (4.0 * n)
            + (5.0 * z.powi(5) + 16.0 * z.powi(3) + 3.0 * z) / (96.0 * n.powi(2))
            + (3.0 * z.powi(7) + 19.0 * z.powi(5) + 17.0 * z.powi(3) - 15.0 * z)
                / (384.0 * n.powi(3))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hand_worked() {
        assert_eq!(mean(&[1.0, 2.0, 6.0]), 3.0);
        assert_eq!(standard_deviation(&[1.0, 2.0, 6.0]), 7.0_f64.sqrt());
    }

    #[test]
    fn quantiles_of_published_tables() {
        for (degrees, expected) in [
            (4, 2.7764),
            (11, 2.2010),
            (19, 2.0930),
            (30, 2.0423),
            (100, 1.9840),
        ] {
            assert!((t_quantile(degrees) - expected).abs() < 1e-3, "{degrees}");
        }
    }
}
