//! Inputs at the edge of what is allowed.

use super::Trial;
use crate::testkit::report::{Finding, Law, plural};
use crate::testkit::subject::Outcome;

/// Different faults shown; the others are counted.
const SHOWN: usize = 3;

/// A fault with the first input it was seen on, and on how many others.
struct Fault {
    text: String,
    first: String,
    others: usize,
}

impl Trial<'_> {
    pub(super) fn degenerate(&self) -> Finding {
        let sources = self.sources.iter().chain(&self.refused);
        let (mut values, mut errors) = (0, 0);
        let mut faults: Vec<Fault> = Vec::new();
        for sample in sources.flat_map(|source| source.degenerate()) {
            match self.subject.evaluate(&sample) {
                Outcome::Value(_) => values += 1,
                Outcome::NoValue(_) => errors += 1,
                Outcome::Fault(text) => match faults.iter_mut().find(|fault| fault.text == text) {
                    Some(fault) => fault.others += 1,
                    None => faults.push(Fault {
                        text,
                        first: sample.name().to_owned(),
                        others: 0,
                    }),
                },
            }
        }
        if faults.is_empty() {
            return match values + errors {
                0 => Finding::not_applicable(Law::Degenerate, self.no_values()),
                _ => Finding::held(
                    Law::Degenerate,
                    format!(
                        "{values} odd inputs have a value, {errors} an error that says why not"
                    ),
                ),
            };
        }
        let mut how: Vec<String> = faults
            .iter()
            .take(SHOWN)
            .map(|fault| match fault.others {
                0 => format!("{}: {}", fault.first, fault.text),
                others => format!("{} and {others} more: {}", fault.first, fault.text),
            })
            .collect();
        if let more @ 1.. = faults.len().saturating_sub(SHOWN) {
            how.push(format!("and {more} other fault{}", plural(more)));
        }
        Finding::broken(Law::Degenerate, how.join("; "))
    }
}
