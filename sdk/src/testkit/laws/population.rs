//! `evaluate_many` gives the values of `evaluate`.

use super::Trial;
use crate::testkit::Sample;
use crate::testkit::draws::Draws;
use crate::testkit::report::{Finding, Law};

/// Candidates of the larger call.
const CANDIDATES: usize = 5;

impl Trial<'_> {
    pub(super) fn population(&self) -> Finding {
        let mut groups: Vec<Vec<Sample>> = Vec::new();
        for (at, source) in self.sources.iter().enumerate() {
            let mut draws = Draws::new(self.seed, "population", at as u64);
            groups.push(source.candidates(&mut draws, 1));
            groups.push(source.candidates(&mut draws, CANDIDATES));
        }
        groups.extend(self.valued().map(|(sample, _)| vec![sample.clone()]));
        let mut compared = 0;
        for group in groups {
            let singly: Option<Vec<f64>> = group
                .iter()
                .map(|sample| self.subject.evaluate(sample).value())
                .collect();
            let Some(singly) = singly else { continue };
            let samples: Vec<&Sample> = group.iter().collect();
            let Some(together) = self.subject.evaluate_many(&samples) else {
                return Finding::not_applicable(
                    Law::Population,
                    "no `evaluate_many` of its own: the host calls `evaluate` for each candidate",
                );
            };
            let how = match together {
                Err(fault) => Some(format!(
                    "`evaluate_many` failed where `evaluate` has values: {fault}"
                )),
                Ok(together) if together.len() != singly.len() => Some(format!(
                    "`evaluate_many` returned {} values for {} candidates",
                    together.len(),
                    singly.len()
                )),
                Ok(together) => differ(&singly, &together),
            };
            if let Some(how) = how {
                return Finding::broken(Law::Population, how);
            }
            compared += singly.len();
        }
        if compared == 0 {
            return Finding::not_applicable(Law::Population, self.no_values());
        }
        Finding::held(
            Law::Population,
            format!("`evaluate_many` gave the bits of `evaluate` for {compared} candidates"),
        )
    }
}

fn differ(singly: &[f64], together: &[f64]) -> Option<String> {
    let mut pairs = singly.iter().zip(together).enumerate();
    let (at, (one, many)) = pairs.find(|(_, (one, many))| one.to_bits() != many.to_bits())?;
    let count = singly.len();
    Some(format!(
        "{one} from `evaluate`, but {many} from `evaluate_many` (candidate {at} of {count})"
    ))
}
