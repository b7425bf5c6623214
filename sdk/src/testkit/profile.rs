//! Whether a metric can be optimised here: its values along a line through the parameters.

use serde::Serialize;
use std::fmt;

use super::digits::{short, shorter};

/// In one word, how a metric changes along a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Shape {
    /// It does not change: there is nothing to follow.
    Flat,
    /// It changes without order, or differently on every fold: larger steps or more data are needed.
    Noisy,
    /// It follows a curve that folds agree on: it can be optimised here.
    Smooth,
    /// There are too few points to say.
    Unclear,
}

impl fmt::Display for Shape {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Shape::Flat => "flat",
            Shape::Noisy => "noisy",
            Shape::Smooth => "smooth",
            Shape::Unclear => "unclear",
        })
    }
}

/// How a metric changes along a line.
///
/// ```
/// use metricopt_sdk::testkit::{Profile, Shape};
///
/// let t: Vec<f64> = (-16..=16).map(|step| f64::from(step) / 16.0).collect();
/// let curve: Vec<f64> = t.iter().map(|t| 0.6 + 0.1 * (2.0 * t).sin()).collect();
/// let profile = Profile::of(&t, &[curve]);
/// assert_eq!(profile.shape, Shape::Smooth);
/// assert!(profile.explained > 0.99);
///
/// assert_eq!(Profile::of(&t, &[vec![0.5; 33]]).shape, Shape::Flat);
/// ```
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Profile {
    /// The judgement.
    pub shape: Shape,
    /// Number of points with a value.
    pub points: usize,
    /// Number of points without one.
    pub undefined: usize,
    /// Least value, the mean over the folds.
    pub low: f64,
    /// Greatest value, the mean over the folds.
    pub high: f64,
    /// Number of distinct values.
    pub distinct: usize,
    /// Share of the variance along the line that a smooth curve explains, 0 to 1.
    pub explained: f64,
    /// Standard deviation of what it does not explain.
    pub noise: f64,
    /// Highest minus lowest point, each fold measuring the points that the other folds chose; absent for one fold.
    pub gap: Option<Gap>,
}

/// A difference that was measured on several folds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Gap {
    /// Mean over the folds.
    pub mean: f64,
    /// Its standard error.
    pub standard_error: f64,
}

impl Gap {
    /// Whether it is more than what folds differ by.
    pub fn is_visible(&self) -> bool {
        self.mean > 2.0 * self.standard_error
    }
}

/// Below this share of explained variance a curve is called noisy. 33 points of pure noise reach 0.25 now and then.
const SMOOTH: f64 = 0.7;

/// With fewer points nothing can be said about smoothness.
const FEWEST: usize = 5;

impl Profile {
    /// Judges the values of a metric on one or more folds at points `t` of a line.
    ///
    /// The order of the points and their spacing are free. A point without a finite value on every fold is left out.
    ///
    /// The noise is what is left of each value after subtracting the line through its two neighbours (Gasser, Sroka and
    /// Jennen-Steinmetz, Biometrika 1986): no model of the curve is needed.
    pub fn of(t: &[f64], folds: &[Vec<f64>]) -> Self {
        let mut points: Vec<Point> = t
            .iter()
            .enumerate()
            .filter_map(|(at, &t)| {
                let values: Option<Vec<f64>> = folds
                    .iter()
                    .map(|fold| fold.get(at).copied().filter(|value| value.is_finite()))
                    .collect();
                let values = values.filter(|values| !values.is_empty() && t.is_finite())?;
                Some(Point {
                    t,
                    mean: mean(&values),
                    folds: values,
                })
            })
            .collect();
        points.sort_by(|a, b| a.t.total_cmp(&b.t));
        let values: Vec<f64> = points.iter().map(|point| point.mean).collect();
        let undefined = t.len() - points.len();
        if values.is_empty() {
            return Self {
                shape: Shape::Unclear,
                points: 0,
                undefined,
                low: 0.0,
                high: 0.0,
                distinct: 0,
                explained: 0.0,
                noise: 0.0,
                gap: None,
            };
        }
        let mut sorted = values.clone();
        sorted.sort_by(f64::total_cmp);
        let (low, high) = (sorted[0], sorted[sorted.len() - 1]);
        // A difference of rounding is none.
        let rounding = 1e-12 * low.abs().max(high.abs());
        let steps = sorted
            .windows(2)
            .filter(|pair| pair[1] - pair[0] > rounding);
        let distinct = 1 + steps.count();

        let noise = noise_variance(&points);
        let centre = mean(&values);
        let total = values.iter().map(|v| (v - centre).powi(2)).sum::<f64>()
            / (values.len().max(2) - 1) as f64;
        let explained = if distinct > 1 && total > 0.0 {
            (1.0 - noise / total).clamp(0.0, 1.0)
        } else {
            0.0
        };
        let gap = gap(&points);
        let visible = gap.is_none_or(|gap| gap.is_visible());
        let shape = match () {
            () if distinct == 1 && points.len() > 1 => Shape::Flat,
            () if points.len() < FEWEST => Shape::Unclear,
            () if explained >= SMOOTH && visible => Shape::Smooth,
            () => Shape::Noisy,
        };
        Self {
            shape,
            points: points.len(),
            undefined,
            low,
            high,
            distinct,
            explained,
            noise: noise.sqrt(),
            gap,
        }
    }
}

impl fmt::Display for Profile {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let points = self.points;
        write!(formatter, "{:<7}  ", self.shape.to_string())?;
        match self.points {
            0 => return write!(formatter, "no value at any of {} points", self.undefined),
            _ if self.distinct == 1 => {
                write!(formatter, "{} at all {points} points", short(self.low))?;
            }
            _ => {
                let (low, high) = (short(self.low), short(self.high));
                write!(formatter, "{low} to {high} at {points} points")?;
            }
        }
        if self.distinct > 1 && points >= FEWEST {
            let explained = 100.0 * self.explained;
            write!(formatter, ", a smooth curve explains {explained:.0} %")?;
        }
        if self.distinct > 1 && 2 * self.distinct <= points {
            write!(formatter, ", in steps of {} values", self.distinct)?;
        }
        if let Some(gap) = self.gap.filter(|_| self.distinct > 1) {
            let (mean, error) = (shorter(gap.mean), shorter(gap.standard_error));
            let or_not = if gap.is_visible() {
                ""
            } else {
                ": not visible"
            };
            write!(formatter, "; gap {mean} ± {error} over folds{or_not}")?;
        }
        if self.undefined > 0 {
            write!(formatter, "; no value at {} points", self.undefined)?;
        }
        Ok(())
    }
}

/// What several lines together say, in a sentence.
///
/// ```
/// use metricopt_sdk::testkit::{self, Profile};
///
/// let flat = Profile::of(&[0.0, 0.5, 1.0], &[vec![0.5; 3]]);
/// assert!(testkit::summarise(&[flat]).starts_with("nothing to follow"));
/// ```
pub fn summarise(profiles: &[Profile]) -> String {
    let count = |shape| {
        profiles
            .iter()
            .filter(|profile| profile.shape == shape)
            .count()
    };
    let lines = profiles.len();
    let (smooth, flat) = (count(Shape::Smooth), count(Shape::Flat));
    if smooth > 0 && 2 * smooth >= lines {
        format!("can be optimised here: smooth on {smooth} of {lines} lines")
    } else if smooth > 0 {
        format!(
            "can hardly be optimised here: smooth on {smooth} of {lines} lines only; more rows would help"
        )
    } else if flat == lines && lines > 0 {
        format!("nothing to follow here: flat on all {lines} lines")
    } else if count(Shape::Noisy) > 0 {
        "can hardly be optimised here: no line rises or falls visibly above the noise; more rows would help"
            .to_owned()
    } else {
        "too few values to say whether it can be optimised here".to_owned()
    }
}

struct Point {
    t: f64,
    mean: f64,
    folds: Vec<f64>,
}

/// Variance of what a smooth curve through the points, in order, does not explain.
fn noise_variance(points: &[Point]) -> f64 {
    let squares: Vec<f64> = points
        .windows(3)
        .filter_map(|three| {
            let [before, here, after] = three else {
                return None;
            };
            let span = after.t - before.t;
            if span <= 0.0 {
                return None;
            }
            let (a, b) = ((after.t - here.t) / span, (here.t - before.t) / span);
            let rest = a * before.mean + b * after.mean - here.mean;
            Some(rest * rest / (a * a + b * b + 1.0))
        })
        .collect();
    mean(&squares)
}

/// Highest minus lowest point. Each fold measures the points that the others chose: chosen and measured on the same
/// numbers, pure noise would show a gap too.
fn gap(points: &[Point]) -> Option<Gap> {
    let folds = points.first()?.folds.len();
    if folds < 2 {
        return None;
    }
    let gaps: Vec<f64> = (0..folds)
        .map(|fold| {
            let others = |point: &Point| point.folds.iter().sum::<f64>() - point.folds[fold];
            let (mut low, mut high) = (&points[0], &points[0]);
            for point in points {
                if others(point) > others(high) {
                    high = point;
                }
                if others(point) < others(low) {
                    low = point;
                }
            }
            high.folds[fold] - low.folds[fold]
        })
        .collect();
    let m = mean(&gaps);
    let variance = gaps.iter().map(|gap| (gap - m).powi(2)).sum::<f64>() / (folds - 1) as f64;
    Some(Gap {
        mean: m,
        standard_error: (variance / folds as f64).sqrt(),
    })
}

/// 0 of nothing.
pub(crate) fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len().max(1) as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testkit::draws::Draws;

    fn line() -> Vec<f64> {
        (-16..=16).map(|step| f64::from(step) / 16.0).collect()
    }

    fn one_fold(curve: impl FnMut(f64) -> f64) -> Profile {
        let t = line();
        let values = t.iter().copied().map(curve).collect();
        Profile::of(&t, &[values])
    }

    #[test]
    fn constant_is_flat() {
        let profile = one_fold(|_| 0.25);
        assert_eq!((profile.shape, profile.distinct), (Shape::Flat, 1));
        assert_eq!(profile.to_string(), "flat     0.25 at all 33 points");
        // Rounding does not make a curve.
        assert_eq!(one_fold(|t| 0.25 + 1e-15 * t).shape, Shape::Flat);
        assert_eq!(one_fold(|_| 0.0).shape, Shape::Flat);
    }

    #[test]
    fn sine_is_smooth_at_any_scale() {
        for scale in [1e-6, 1.0, 1e9] {
            let profile = one_fold(|t| scale * (5.0 * t).sin());
            assert_eq!(profile.shape, Shape::Smooth, "{profile}");
            assert!(profile.explained > 0.99 && profile.noise < 0.04 * scale);
        }
    }

    #[test]
    fn line_and_noise() {
        for seed in 0..50 {
            let mut draws = Draws::new(seed, "noise", 0);
            let profile = one_fold(|t| t + 0.1 * draws.normal());
            assert_eq!(profile.shape, Shape::Smooth, "{profile}");
            assert!((0.05..0.2).contains(&profile.noise), "{profile:?}");
            let profile = one_fold(|t| 0.05 * t + 0.1 * draws.normal());
            assert_eq!(profile.shape, Shape::Noisy, "{profile}");
        }
    }

    #[test]
    fn pure_noise_is_noisy() {
        for seed in 0..200 {
            let mut draws = Draws::new(seed, "noise", 0);
            let profile = one_fold(|_| draws.normal());
            assert_eq!(profile.shape, Shape::Noisy, "seed {seed}: {profile}");
        }
    }

    #[test]
    fn staircase_is_smooth_and_says_so() {
        for steps in [1.0, 2.0, 5.0] {
            let profile = one_fold(|t| (t * steps).floor());
            assert_eq!(profile.shape, Shape::Smooth, "{profile}");
            assert!(profile.to_string().contains(", in steps of "), "{profile}");
        }
    }

    #[test]
    fn one_point_apart_is_noise() {
        let profile = one_fold(|t| f64::from(u8::from(t == 0.0)));
        assert_eq!(profile.shape, Shape::Noisy, "{profile}");
    }

    #[test]
    fn few_points_and_no_values() {
        let profile = Profile::of(&[-1.0, 0.0, 1.0], &[vec![0.0, 1.0, 0.5]]);
        assert_eq!(profile.shape, Shape::Unclear);
        assert_eq!(profile.to_string(), "unclear  0 to 1 at 3 points");
        let profile = Profile::of(&[-1.0, 0.0], &[vec![f64::NAN, f64::NAN]]);
        assert_eq!((profile.shape, profile.undefined), (Shape::Unclear, 2));
        assert_eq!(profile.to_string(), "unclear  no value at any of 2 points");
        assert_eq!(Profile::of(&[], &[]).shape, Shape::Unclear);
        assert_eq!(Profile::of(&[0.0, 1.0], &[]).shape, Shape::Unclear);
        assert_eq!(Profile::of(&[0.0, 1.0], &[vec![0.5]]).points, 1);
    }

    #[test]
    fn order_and_spacing_are_free() {
        let mut draws = Draws::new(0, "spacing", 0);
        let mut t: Vec<f64> = (0..40).map(|_| draws.uniform()).collect();
        t.push(t[0]);
        let values = t.iter().map(|t| (4.0 * t).sin()).collect();
        let profile = Profile::of(&t, &[values]);
        assert!(profile.explained > 0.99, "{profile:?}");
    }

    /// Every fold has a smooth curve of its own: along none is there anything to gain.
    #[test]
    fn folds_that_disagree_are_noise() {
        let t = line();
        let curve = |phase: f64| t.iter().map(|t| (5.0 * t + phase).sin()).collect();
        let apart: Vec<Vec<f64>> = (0..4).map(|fold| curve(1.6 * f64::from(fold))).collect();
        let profile = Profile::of(&t, &apart);
        assert_eq!(profile.shape, Shape::Noisy, "{profile}");
        assert!(profile.to_string().contains("not visible"), "{profile}");
        let together: Vec<Vec<f64>> = (0..4).map(|fold| curve(0.1 * f64::from(fold))).collect();
        let profile = Profile::of(&t, &together);
        assert_eq!(profile.shape, Shape::Smooth, "{profile}");
        let gap = profile.gap.unwrap();
        assert!(gap.mean > 1.5 && gap.standard_error < 0.1, "{gap:?}");
    }
}
