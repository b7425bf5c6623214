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

/// A paired t test of differences.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PairedTest {
    /// Mean of the differences.
    pub difference: f64,
    /// 95 % interval of the mean.
    pub interval: [f64; 2],
    /// Two-sided p-value; 1 if all differences are zero, 0 if they are the same but not zero.
    pub p: f64,
}

/// Student's paired t test, two-sided, with the 95 % interval of the mean; `None` for fewer than two differences.
pub fn paired_test(differences: &[f64]) -> Option<PairedTest> {
    let degrees = differences.len().checked_sub(1).filter(|&n| n > 0)?;
    let difference = mean(differences);
    let error = standard_deviation(differences) / (differences.len() as f64).sqrt();
    let reach = t_quantile(degrees) * error;
    Some(PairedTest {
        difference,
        interval: [difference - reach, difference + reach],
        p: t_two_sided(paired_t(differences), degrees),
    })
}

/// Holm's correction (1979) of p-values for their number, in the order given: the probability of any false finding
/// stays below the level.
pub fn holm(p_values: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..p_values.len()).collect();
    order.sort_by(|&i, &j| p_values[i].total_cmp(&p_values[j]));
    let mut corrected = vec![0.0; p_values.len()];
    let mut greatest: f64 = 0.0;
    for (rank, index) in order.into_iter().enumerate() {
        let tests_left = (p_values.len() - rank) as f64;
        greatest = greatest.max(tests_left * p_values[index]).min(1.0);
        corrected[index] = greatest;
    }
    corrected
}

/// `P(|T| >= |t|)` for Student's t with whole degrees of freedom, at least 1; small values keep their digits.
///
/// It is the regularised incomplete beta function `I_x(n / 2, 1 / 2)` at `x = n / (n + t^2)`.
pub fn t_two_sided(t: f64, degrees: usize) -> f64 {
    let n = degrees as f64;
    let x = n / (n + t * t);
    if x.is_nan() || x == 0.0 {
        return if t.is_nan() { f64::NAN } else { 0.0 };
    }
    let rest = t * t / (n + t * t);
    // Gamma((n + 1) / 2) / (Gamma(n / 2) Gamma(1 / 2)) by its recurrence over n.
    let (first, start) = if degrees % 2 == 1 {
        (std::f64::consts::FRAC_1_PI, 3)
    } else {
        (0.5, 4)
    };
    let scale = (start..=degrees).step_by(2).fold(first, |product, m| {
        product * (m as f64 - 1.0) / (m as f64 - 2.0)
    });
    let front = scale * x.powf(n / 2.0) * rest.sqrt();
    let (a, b) = (n / 2.0, 0.5);
    // The continued fraction converges fast on one side of the mean, and the other side is its complement.
    if x < (a + 1.0) / (a + b + 2.0) {
        front / (a * beta_fraction(x, a, b))
    } else {
        1.0 - front / (b * beta_fraction(rest, b, a))
    }
}

/// The continued fraction of the incomplete beta function (Abramowitz and Stegun 26.5.8), by the method of Lentz as
/// modified by Thompson and Barnett (1986): the value of `1 + d_1 / (1 + d_2 / (1 + ...))`.
fn beta_fraction(x: f64, a: f64, b: f64) -> f64 {
    const TINY: f64 = 1e-300;
    const MAX_TERMS: u32 = 1000;
    let away = |value: f64| if value.abs() < TINY { TINY } else { value };
    let (mut value, mut c, mut d) = (1.0, 1.0, 0.0);
    for index in 1..=MAX_TERMS {
        let m = f64::from(index / 2);
        let term = if index % 2 == 0 {
            m * (b - m) * x / ((a + 2.0 * m - 1.0) * (a + 2.0 * m))
        } else {
            -(a + m) * (a + b + m) * x / ((a + 2.0 * m) * (a + 2.0 * m + 1.0))
        };
        d = 1.0 / away(1.0 + term * d);
        c = away(1.0 + term / c);
        value *= c * d;
        if (c * d - 1.0).abs() < f64::EPSILON {
            break;
        }
    }
    value
}

/// The 97.5 % quantile of Student's t with whole degrees of freedom, at least 1: the reach of a 95 % interval.
pub fn t_quantile(degrees: usize) -> f64 {
    // The quantile falls with the degrees of freedom, from 12.7 at 1.
    let (mut low, mut high) = (1.0, 13.0);
    for _ in 0..60 {
        let middle = f64::midpoint(low, high);
        if t_two_sided(middle, degrees) > 0.05 {
            low = middle;
        } else {
            high = middle;
        }
    }
    f64::midpoint(low, high)
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

    /// `2 * scipy.stats.t.sf(t, degrees)` of SciPy 1.17.1.
    #[test]
    fn two_sided_probabilities_are_those_of_scipy() {
        for (degrees, t, expected) in [
            (1, 1.0, 0.5),
            (2, -2.5, 0.12961172022151082),
            (4, 2.776445105, 0.05000000001011946),
            (7, 12.0, 6.358310378185098e-06),
            (7, 0.1, 0.9231480596047924),
            (9, 40.0, 1.8982998449339822e-11),
            (30, 2.0, 0.054625044962983094),
            (199, 3.3, 0.0011456617609507359),
            (1000, 1.96, 0.050273184955748736),
        ] {
            let p = t_two_sided(t, degrees);
            assert!((p / expected - 1.0).abs() < 1e-11, "{degrees} {t}: {p}");
        }
        assert_eq!(t_two_sided(0.0, 5), 1.0);
        assert_eq!(t_two_sided(f64::NEG_INFINITY, 5), 0.0);
        assert!(t_two_sided(f64::NAN, 5).is_nan());
    }

    /// `scipy.stats.t.ppf(0.975, degrees)` of SciPy 1.17.1.
    #[test]
    fn t_quantiles_are_those_of_scipy() {
        for (degrees, expected) in [
            (1, 12.706204736174694),
            (2, 4.302652729749462),
            (4, 2.7764451051977934),
            (7, 2.364624251592784),
            (29, 2.045229642132703),
            (1000, 1.9623390808264083),
        ] {
            let quantile = t_quantile(degrees);
            assert!((quantile - expected).abs() < 1e-10, "{degrees}: {quantile}");
        }
    }

    /// `scipy.stats.ttest_rel([.31, .28, .35, .30, .33], [.29, .27, .30, .30, .29])` and its `confidence_interval()`, SciPy
    /// 1.17.1.
    #[test]
    fn the_paired_test_is_that_of_scipy() {
        let test = paired_test(&[0.02, 0.01, 0.05, 0.0, 0.04]).unwrap();
        let expected = [-0.0017476926792907611, 0.049747692679290786];
        assert!((test.difference - 0.024).abs() < 1e-15);
        assert!((test.p - 0.060812856154522435).abs() < 1e-12, "{test:?}");
        assert!((test.interval[0] - expected[0]).abs() < 1e-12, "{test:?}");
        assert!((test.interval[1] - expected[1]).abs() < 1e-12, "{test:?}");
        assert_eq!(paired_test(&[1.0]), None);
        assert_eq!(paired_test(&[0.0, 0.0]).unwrap().p, 1.0);
        assert_eq!(paired_test(&[0.5, 0.5]).unwrap().p, 0.0);
    }

    #[test]
    fn holm_by_hand() {
        // Sorted: 0.01 * 4, 0.02 * 3, 0.03 * 2 raised to 0.06, 0.5 * 1.
        let corrected = holm(&[0.03, 0.01, 0.5, 0.02]);
        for (found, expected) in corrected.iter().zip([0.06, 0.04, 0.5, 0.06]) {
            assert!((found - expected).abs() < 1e-15, "{corrected:?}");
        }
        assert_eq!(holm(&[0.9, 0.8]), [1.0, 1.0]);
        assert!(holm(&[]).is_empty());
    }

    #[test]
    fn quantiles_interpolate() {
        assert_eq!(quantile(&[1.0, 2.0, 4.0], 0.5), 2.0);
        assert_eq!(quantile(&[1.0, 2.0, 4.0], 0.75), 3.0);
    }
}
