//! How much is asked of metric and network.

use serde::Serialize;
use std::fmt;
use std::iter::Sum;
use std::ops::{Add, AddAssign, Mul};

/// A number of queries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Count {
    /// The most that can come.
    pub most: u64,
    /// Whether exactly so many come.
    pub exact: bool,
}

impl Count {
    /// Exactly so many.
    pub const fn exactly(most: u64) -> Self {
        Self { most, exact: true }
    }

    /// So many or fewer; no number is fewer than none.
    pub const fn at_most(most: u64) -> Self {
        Self {
            most,
            exact: most == 0,
        }
    }
}

impl Add for Count {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            most: self.most.saturating_add(other.most),
            exact: self.exact && other.exact,
        }
    }
}

impl Mul for Count {
    type Output = Self;

    fn mul(self, other: Self) -> Self {
        let most = self.most.saturating_mul(other.most);
        Self {
            most,
            exact: (self.exact && other.exact) || most == 0,
        }
    }
}

impl Sum for Count {
    fn sum<I: Iterator<Item = Self>>(counts: I) -> Self {
        counts.fold(Self::exactly(0), Add::add)
    }
}

impl fmt::Display for Count {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words = if self.exact { "" } else { "at most " };
        formatter.pad(&format!("{words}{}", self.most))
    }
}

/// Work of one kind for the network.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Work {
    /// Adapters, once for each set of rows they are asked for: what `network_evaluations` of a run counts.
    pub evaluations: u64,
    /// Units (rows, images) that go through the network, once for each adapter.
    pub units: u64,
}

impl Work {
    /// So many evaluations of so many units each.
    pub(super) fn of(evaluations: u64, units: usize) -> Self {
        Self {
            evaluations,
            units: evaluations.saturating_mul(units as u64),
        }
    }

    /// So many adapters on all folds of so many units.
    pub(super) fn on_folds(adapters: u64, folds: usize, units: usize) -> Self {
        Self {
            evaluations: adapters.saturating_mul(folds as u64),
            units: adapters.saturating_mul(units as u64),
        }
    }
}

impl Mul<u64> for Work {
    type Output = Self;

    fn mul(self, times: u64) -> Self {
        Self {
            evaluations: self.evaluations.saturating_mul(times),
            units: self.units.saturating_mul(times),
        }
    }
}

impl AddAssign for Work {
    fn add_assign(&mut self, other: Self) {
        self.evaluations = self.evaluations.saturating_add(other.evaluations);
        self.units = self.units.saturating_add(other.units);
    }
}

/// What the network does in a phase, at most. One adapter alone takes longer than its share of many side by side.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Passes {
    /// Predictions of one adapter at a time.
    pub forward_alone: Work,
    /// Predictions of many adapters at a time.
    pub forward_together: Work,
    /// Gradients at one adapter at a time.
    pub gradient_alone: Work,
    /// Gradients at many adapters at a time.
    pub gradient_together: Work,
}

impl Passes {
    /// Evaluations of the network, of either kind.
    pub fn evaluations(&self) -> u64 {
        self.parts().iter().map(|work| work.evaluations).sum()
    }

    /// Units that go forward only.
    pub fn forward(&self) -> u64 {
        self.forward_alone
            .units
            .saturating_add(self.forward_together.units)
    }

    /// Units that go forward and back.
    pub fn gradient(&self) -> u64 {
        self.gradient_alone
            .units
            .saturating_add(self.gradient_together.units)
    }

    fn parts(&self) -> [Work; 4] {
        [
            self.forward_alone,
            self.forward_together,
            self.gradient_alone,
            self.gradient_together,
        ]
    }
}

impl AddAssign for Passes {
    fn add_assign(&mut self, other: Self) {
        self.forward_alone += other.forward_alone;
        self.forward_together += other.forward_together;
        self.gradient_alone += other.gradient_alone;
        self.gradient_together += other.gradient_together;
    }
}

impl Mul<u64> for Passes {
    type Output = Self;

    fn mul(self, times: u64) -> Self {
        Self {
            forward_alone: self.forward_alone * times,
            forward_together: self.forward_together * times,
            gradient_alone: self.gradient_alone * times,
            gradient_together: self.gradient_together * times,
        }
    }
}

impl Sum for Passes {
    fn sum<I: Iterator<Item = Self>>(passes: I) -> Self {
        passes.fold(Self::default(), |mut sum, more| {
            sum += more;
            sum
        })
    }
}
