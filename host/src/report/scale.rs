//! From values to places on an axis.

/// An axis: values from `low` to `high` lie between two places.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Scale {
    low: f64,
    high: f64,
    logarithmic: bool,
}

impl Scale {
    /// An axis that holds all finite values with a little room at both ends.
    pub fn around(values: impl IntoIterator<Item = f64>) -> Self {
        let (low, high) = extent(values);
        let room = 0.05 * (high - low);
        Self::from_to(low - room, high + room)
    }

    /// A linear axis with the given ends.
    pub fn from_to(low: f64, high: f64) -> Self {
        let (low, high) = if low < high {
            (low, high)
        } else {
            // All values are equal: the axis still needs a length that rounding does not swallow, and around 0 one that is
            // easily read.
            let room = if low.abs() < 1e-6 {
                0.5
            } else {
                0.5 * low.abs()
            };
            (low - room, low + room)
        };
        Self {
            low,
            high,
            logarithmic: false,
        }
    }

    /// A logarithmic axis that holds all positive values.
    pub fn logarithmic(values: impl IntoIterator<Item = f64>) -> Self {
        let positive = values.into_iter().filter(|value| *value > 0.0);
        let (low, high) = extent(positive.map(f64::ln));
        let room = 0.04 * (high - low);
        Self {
            logarithmic: true,
            ..Self::from_to(low - room, high + room)
        }
    }

    /// Where a value lies: 0 at the low end, 1 at the high end.
    pub fn share(&self, value: f64) -> f64 {
        let value = if self.logarithmic { value.ln() } else { value };
        (value - self.low) / (self.high - self.low)
    }

    /// The value at a place between 0 and 1.
    pub fn at(&self, share: f64) -> f64 {
        let value = self.low + share * (self.high - self.low);
        if self.logarithmic { value.exp() } else { value }
    }

    /// Values at which to draw ticks, about as many as asked for, with their labels.
    pub fn ticks(&self, about: usize) -> Vec<(f64, String)> {
        if self.logarithmic {
            return self.powers();
        }
        let step = nice_step((self.high - self.low) / about.max(1) as f64);
        let decimals = (-step.log10().floor()).clamp(0.0, 12.0) as usize;
        let first = (self.low / step).ceil() as i64;
        let last = (self.high / step).floor() as i64;
        (first..=last)
            .map(|index| {
                let value = index as f64 * step;
                let label = if !(1e-4..1e5).contains(&step) {
                    format!("{value:.1e}")
                } else {
                    format!("{value:.decimals$}")
                };
                (value, label.replace('-', "−"))
            })
            .collect()
    }

    /// Powers of ten, with 2 and 5 between them where there are few.
    fn powers(&self) -> Vec<(f64, String)> {
        let decades = (self.high - self.low) / std::f64::consts::LN_10;
        let (every, factors): (usize, &[f64]) = match decades {
            d if d > 6.0 => (2, &[1.0]),
            d if d > 2.5 => (1, &[1.0]),
            _ => (1, &[1.0, 2.0, 5.0]),
        };
        let first = (self.low / std::f64::consts::LN_10).floor() as i32;
        let last = (self.high / std::f64::consts::LN_10).ceil() as i32;
        (first..=last)
            .step_by(every)
            .flat_map(|exponent| factors.iter().map(move |f| f * 10f64.powi(exponent)))
            .filter(|value| (0.0..=1.0).contains(&self.share(*value)))
            .map(|value| (value, format!("{value}")))
            .collect()
    }
}

/// Smallest and largest finite value; 0 and 1 of nothing.
pub fn extent(values: impl IntoIterator<Item = f64>) -> (f64, f64) {
    let finite = values.into_iter().filter(|value| value.is_finite());
    finite
        .fold(None, |ends, value| match ends {
            None => Some((value, value)),
            Some((low, high)) => Some((value.min(low), value.max(high))),
        })
        .unwrap_or((0.0, 1.0))
}

/// The smallest of 1, 2 and 5 times a power of ten that is not below `rough`.
fn nice_step(rough: f64) -> f64 {
    let power = 10f64.powf(rough.log10().floor());
    let factor = match rough / power {
        f if f <= 1.0 => 1.0,
        f if f <= 2.0 => 2.0,
        f if f <= 5.0 => 5.0,
        _ => 10.0,
    };
    factor * power
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(scale: Scale) -> Vec<String> {
        scale.ticks(5).into_iter().map(|(_, label)| label).collect()
    }

    #[test]
    fn ticks_are_round_and_within() {
        assert_eq!(
            labels(Scale::from_to(0.0, 1.0)),
            ["0.0", "0.2", "0.4", "0.6", "0.8", "1.0"]
        );
        assert_eq!(
            labels(Scale::from_to(-0.013, 0.021)),
            ["−0.01", "0.00", "0.01", "0.02"]
        );
        assert_eq!(
            labels(Scale::from_to(3.0, 101.0)),
            ["20", "40", "60", "80", "100"]
        );
    }

    #[test]
    fn equal_values_and_none_still_have_an_axis() {
        for scale in [
            Scale::around([0.7, 0.7]),
            Scale::around([]),
            Scale::around([f64::NAN]),
            Scale::around([0.0]),
            Scale::logarithmic([5.0]),
        ] {
            assert!(scale.high > scale.low);
            assert!(!scale.ticks(5).is_empty() || scale.logarithmic, "{scale:?}");
        }
        assert!((Scale::around([0.7]).share(0.7) - 0.5).abs() < 1e-9);
        // Methods that all equal the pre-trained network.
        assert_eq!(
            labels(Scale::around([0.0, 0.0])),
            ["−0.4", "−0.2", "0.0", "0.2", "0.4"]
        );
    }

    #[test]
    fn logarithmic_ticks_are_powers_of_ten() {
        let scale = Scale::logarithmic([1.0, 10_000.0]);
        assert_eq!(labels(scale), ["1", "10", "100", "1000", "10000"]);
        assert!((scale.share(100.0) - 0.5).abs() < 1e-12);
        assert_eq!(
            labels(Scale::logarithmic([1.0, 40.0])),
            ["1", "2", "5", "10", "20"]
        );
    }
}
