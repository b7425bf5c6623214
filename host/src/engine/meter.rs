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
    /// What it took.
    pub cost: Cost,
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
    /// Evaluations of the network, as [`Observer::evaluations`] counts them.
    pub evaluations: u64,
    /// Those of the evaluations that were loss gradients.
    pub gradients: u64,
    /// Wall-clock seconds.
    pub seconds: f64,
}

impl AddAssign for Cost {
    fn add_assign(&mut self, other: Self) {
        self.queries += other.queries;
        self.evaluations += other.evaluations;
        self.gradients += other.gradients;
        self.seconds += other.seconds;
    }
}

/// One phase of a run, and what it cost.
#[derive(Clone, Debug, PartialEq)]
pub struct Phase {
    /// Its name: a part of the method, or a row of the table.
    pub name: &'static str,
    /// What it cost.
    pub cost: Cost,
}

/// Cost since the last restart.
pub struct Meter<'a> {
    observer: &'a Observer<'a>,
    clock: &'a dyn Fn() -> f64,
    begun: Cost,
}

impl<'a> Meter<'a> {
    /// Starts counting.
    pub fn start(observer: &'a Observer<'a>, clock: &'a dyn Fn() -> f64) -> Self {
        Self {
            observer,
            clock,
            begun: now(observer, clock),
        }
    }

    /// Counts from here.
    pub fn restart(&mut self) {
        *self = Self::start(self.observer, self.clock);
    }

    /// What was spent since the last restart.
    pub fn cost(&self) -> Cost {
        let now = now(self.observer, self.clock);
        Cost {
            queries: now.queries - self.begun.queries,
            evaluations: now.evaluations - self.begun.evaluations,
            gradients: now.gradients - self.begun.gradients,
            seconds: now.seconds - self.begun.seconds,
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
        Finished {
            name,
            validation: candidate.validation,
            phi: candidate.phi.clone(),
            threshold: 0.5,
            cost: self.cost(),
        }
    }
}

/// Everything that was counted so far, and the time.
fn now(observer: &Observer<'_>, clock: &dyn Fn() -> f64) -> Cost {
    Cost {
        queries: observer.queries.get(),
        evaluations: observer.evaluations.get(),
        gradients: observer.loss_gradients.get(),
        seconds: clock(),
    }
}
