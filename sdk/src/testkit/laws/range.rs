//! Values lie in the declared range.

use super::Trial;
use crate::testkit::digits::short;
use crate::testkit::report::{Finding, Law};
use crate::testkit::subject::Outcome;

/// Random predictions tried of each source, beside the ordinary ones.
const RANDOM: u64 = 12;

impl Trial<'_> {
    pub(super) fn range(&self) -> Finding {
        let (low, high) = self.subject.entry.range;
        let mut seen = Vec::new();
        let mut fault = None;
        let mut look = |name: &str, outcome: &Outcome| match outcome {
            Outcome::Value(value) => seen.push(*value),
            Outcome::Fault(text) => {
                fault.get_or_insert_with(|| format!("{text} ({name})"));
            }
            Outcome::NoValue(_) => {}
        };
        for (sample, outcome) in &self.ordinary {
            look(sample.name(), outcome);
        }
        for source in &self.sources {
            for index in 0..RANDOM {
                let share = index as f64 / (RANDOM - 1) as f64;
                let sample = source.graded(self.seed ^ index, share);
                look(sample.name(), &self.subject.evaluate(&sample));
            }
        }
        if let Some(fault) = fault {
            return Finding::broken(Law::Range, fault);
        }
        if seen.is_empty() {
            return Finding::not_applicable(Law::Range, self.no_values());
        }
        let least = seen.iter().copied().fold(f64::INFINITY, f64::min);
        let greatest = seen.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let values = format!(
            "{} values from {} to {}",
            seen.len(),
            short(least),
            short(greatest)
        );
        Finding::held(
            Law::Range,
            match (low.is_finite(), high.is_finite()) {
                (true, true) => format!("{values}, within [{}, {}]", short(low), short(high)),
                (true, false) => format!(
                    "{values}, from {} on; no upper bound is declared",
                    short(low)
                ),
                (false, true) => format!(
                    "{values}, up to {}; no lower bound is declared",
                    short(high)
                ),
                (false, false) => format!("{values}; no bounds are declared"),
            },
        )
    }
}
