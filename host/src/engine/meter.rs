//! What a method found and what it cost.

use serde::Serialize;
use std::ops::AddAssign;

use super::finetune::Candidate;
use super::observe::Observer;

/// A finished method, before it is measured on the test split.
pub struct Finished {
    /// Its name in the table.
    pub name: &'static str,
    /// Natural metric value on the validation split.
    pub validation: f64,
    /// Its adapter.
    pub phi: Vec<f32>,
    /// Decision threshold, 0.5 for all methods but one.
    pub threshold: f64,
    /// Metric queries it took.
    pub queries: u64,
    /// Seconds it took.
    pub seconds: f64,
}

/// A method of the table that a run goes without.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LeftOut {
    /// Its name in the table.
    pub method: &'static str,
    /// Why.
    pub reason: String,
}

/// What something cost.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Cost {
    /// Metric queries.
    pub queries: u64,
    /// Wall-clock seconds.
    pub seconds: f64,
}

impl AddAssign for Cost {
    fn add_assign(&mut self, other: Self) {
        self.queries += other.queries;
        self.seconds += other.seconds;
    }
}

/// Queries and seconds since the last restart.
pub struct Meter<'a> {
    observer: &'a Observer<'a>,
    clock: &'a dyn Fn() -> f64,
    queries: u64,
    seconds: f64,
}

impl<'a> Meter<'a> {
    /// Starts counting.
    pub fn start(observer: &'a Observer<'a>, clock: &'a dyn Fn() -> f64) -> Self {
        Self {
            observer,
            clock,
            queries: observer.queries.get(),
            seconds: clock(),
        }
    }

    /// Counts from here.
    pub fn restart(&mut self) {
        *self = Self::start(self.observer, self.clock);
    }

    /// What was spent since the last restart.
    pub fn cost(&self) -> Cost {
        Cost {
            queries: self.observer.queries.get() - self.queries,
            seconds: (self.clock)() - self.seconds,
        }
    }

    /// What was spent since the last restart, and counts from here.
    pub fn lap(&mut self) -> Cost {
        let cost = self.cost();
        self.restart();
        cost
    }

    /// The method that ends here with a candidate.
    pub fn finish(&self, name: &'static str, candidate: &Candidate) -> Finished {
        let Cost { queries, seconds } = self.cost();
        Finished {
            name,
            validation: candidate.validation,
            phi: candidate.phi.clone(),
            threshold: 0.5,
            queries,
            seconds,
        }
    }
}
