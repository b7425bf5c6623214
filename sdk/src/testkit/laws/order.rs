//! The order of the samples does not count, with distinct scores and with equal ones.

use super::{Trial, close};
use crate::Kind;
use crate::testkit::Sample;
use crate::testkit::draws::Draws;
use crate::testkit::report::{Finding, Law};

/// Orders tried of each input with distinct scores.
const ORDERS: u64 = 3;

/// Inputs with equal scores of each source, and orders tried of each.
const TIED: u64 = 3;
const TIED_ORDERS: u64 = 12;

/// Steps of the scores: three values for most scores.
const STEPS: usize = 4;

impl Trial<'_> {
    pub(super) fn permutation(&self) -> Finding {
        let kind = self.subject.entry.kind;
        if kind == Kind::Named {
            let why = "rows of named tensors are not known to belong together";
            return Finding::not_applicable(Law::Permutation, why);
        }
        let mut inputs = 0;
        for (at, (sample, value)) in self.valued().enumerate() {
            for order in 0..ORDERS {
                let mut draws = Draws::new(self.seed, "permutation", ORDERS * at as u64 + order);
                if let Some(how) = self.moved_by_order(sample, value, &mut draws) {
                    return Finding::broken(Law::Permutation, how);
                }
            }
            inputs += 1;
        }
        if inputs == 0 {
            return Finding::not_applicable(Law::Permutation, self.no_values());
        }
        let orders = "the same value, to 1e-9 of its size, in";
        Finding::held(
            Law::Permutation,
            format!(
                "{orders} {} shuffled orders of {inputs} inputs",
                ORDERS * inputs
            ),
        )
    }

    pub(super) fn ties(&self) -> Finding {
        if self.subject.entry.ties_by_index {
            let why = "declared: equal scores are ordered by the place of their rows";
            return Finding::not_applicable(Law::Ties, why);
        }
        let mut inputs = 0;
        for (at, source) in self.sources.iter().enumerate() {
            for index in 0..TIED {
                let mut draws = Draws::new(self.seed, "ties", TIED * at as u64 + index);
                let sample = source.on_grid(&mut draws, STEPS);
                let Some(value) = self.subject.evaluate(&sample).value() else {
                    continue;
                };
                for _ in 0..TIED_ORDERS {
                    if let Some(how) = self.moved_by_order(&sample, value, &mut draws) {
                        let how = format!("with many equal scores, {how}");
                        return Finding::broken(Law::Ties, how);
                    }
                }
                inputs += 1;
            }
        }
        if inputs == 0 {
            return Finding::not_applicable(Law::Ties, self.no_values());
        }
        let orders = TIED_ORDERS * inputs;
        Finding::held(
            Law::Ties,
            format!(
                "the same value in {orders} shuffled orders of {inputs} inputs with many equal scores"
            ),
        )
    }

    /// How the value changes when the rows are shuffled, if it does.
    fn moved_by_order(&self, sample: &Sample, value: f64, draws: &mut Draws) -> Option<String> {
        let kind = self.subject.entry.kind;
        let shuffled = self.subject.evaluate(&sample.shuffled(kind, draws));
        let rounding = match shuffled.value() {
            Some(other) if close(value, other) => return None,
            Some(other) if (value - other).abs() < 1e-5 * value.abs().max(1.0) => {
                ": so little looks like rounding"
            }
            _ => "",
        };
        Some(format!(
            "{value}, but {} in another order ({}){rounding}",
            shuffled.describe(),
            sample.name()
        ))
    }
}
