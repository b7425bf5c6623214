//! Inputs at the edge of what is allowed.

use super::{Trial, plural};
use crate::testkit::report::{Finding, Law};
use crate::testkit::subject::Outcome;

/// Faults shown; the others are counted.
const SHOWN: usize = 3;

impl Trial<'_> {
    pub(super) fn degenerate(&self) -> Finding {
        let sources = self.sources.iter().chain(&self.refused);
        let (mut values, mut errors, mut faults) = (0, 0, Vec::new());
        for sample in sources.flat_map(|source| source.degenerate()) {
            match self.subject.evaluate(&sample) {
                Outcome::Value(_) => values += 1,
                Outcome::NoValue(_) => errors += 1,
                Outcome::Fault(fault) => faults.push(format!("{}: {fault}", sample.name())),
            }
        }
        if values + errors + faults.len() == 0 {
            return Finding::not_applicable(Law::Degenerate, self.no_values());
        }
        if faults.is_empty() {
            return Finding::held(
                Law::Degenerate,
                format!("{values} odd inputs have a value, {errors} an error that says why not"),
            );
        }
        let more = faults.len().saturating_sub(SHOWN);
        faults.truncate(SHOWN);
        let mut how = faults.join("; ");
        if more > 0 {
            how.push_str(&format!("; and {more} more odd input{}", plural(more)));
        }
        Finding::broken(Law::Degenerate, how)
    }
}
