//! A published number, and whether the measured one agrees.

use super::statistics::mean;

/// What the mean over seeds must be.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Expected {
    /// From `low - tolerance` to `high + tolerance`.
    Between {
        /// Least published value.
        low: f64,
        /// Greatest published value.
        high: f64,
        /// How far outside is still agreement.
        tolerance: f64,
    },
    /// At least this.
    AtLeast(f64),
}

impl Expected {
    /// One published value and its tolerance.
    pub fn near(value: f64, tolerance: f64) -> Self {
        Self::Between {
            low: value,
            high: value,
            tolerance,
        }
    }
}

/// A published number and what was measured, one value a seed.
#[derive(Clone, Debug)]
pub struct Claim {
    /// What it is.
    pub quantity: String,
    /// Measured values.
    pub values: Vec<f64>,
    /// What their mean must be.
    pub expected: Expected,
}

impl Claim {
    /// Whether the mean is as expected; never where a value is missing or not a number.
    pub fn holds(&self) -> bool {
        let mean = mean(&self.values);
        match self.expected {
            Expected::Between {
                low,
                high,
                tolerance,
            } => low - tolerance <= mean && mean <= high + tolerance,
            Expected::AtLeast(bound) => mean >= bound,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn means_are_judged_and_nan_never_holds() {
        let claim = |values: &[f64], expected| Claim {
            quantity: String::new(),
            values: values.to_vec(),
            expected,
        };
        assert!(claim(&[14.8, 15.2], Expected::near(14.94, 0.2)).holds());
        assert!(!claim(&[14.8, 15.6], Expected::near(14.94, 0.2)).holds());
        assert!(claim(&[0.8, 1.0], Expected::AtLeast(0.85)).holds());
        assert!(!claim(&[f64::NAN, 1.0], Expected::AtLeast(0.0)).holds());
        assert!(!claim(&[], Expected::near(0.0, 1.0)).holds());
    }
}
