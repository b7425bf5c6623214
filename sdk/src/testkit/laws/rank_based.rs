//! A metric declared `RANK_BASED` looks at the order of the scores only.

use super::{Trial, close};
use crate::Kind;
use crate::testkit::draws::Draws;
use crate::testkit::report::{Finding, Law};
use crate::testkit::sources::TRANSFORMATIONS;

/// Inputs of each source.
const INPUTS: u64 = 3;

/// Steps of the scores: so coarse that no transformation maps two of them to the same number.
const STEPS: usize = 64;

impl Trial<'_> {
    pub(super) fn rank_based(&self) -> Finding {
        let declared = self.subject.entry.rank_based;
        let mut counterexample = None;
        let mut values = Vec::new();
        for (at, source) in self.sources.iter().enumerate() {
            for index in 0..INPUTS {
                let mut draws = Draws::new(self.seed, "rank-based", INPUTS * at as u64 + index);
                let sample = source.on_grid(&mut draws, STEPS);
                let Some(value) = self.subject.evaluate(&sample).value() else {
                    continue;
                };
                values.push(value);
                for map in 0..TRANSFORMATIONS {
                    let Some(mapped) = source.transformed(&sample, map) else {
                        continue;
                    };
                    let other = self.subject.evaluate(&mapped);
                    if other.value().is_none_or(|other| !close(value, other)) {
                        counterexample.get_or_insert_with(|| {
                            format!(
                                "{value}, but {} after an increasing transformation of the scores ({})",
                                other.describe(),
                                sample.name()
                            )
                        });
                    }
                }
            }
        }
        let varies = values.iter().any(|&value| !close(value, values[0]));
        match (declared, counterexample) {
            (true, Some(how)) => Finding::broken(Law::RankBased, how),
            (true, None) if values.is_empty() => {
                Finding::not_applicable(Law::RankBased, self.no_values())
            }
            (true, None) => Finding::held(
                Law::RankBased,
                format!(
                    "the same value after {TRANSFORMATIONS} increasing transformations of {} inputs",
                    values.len()
                ),
            ),
            // Scaling embeddings says too little to advise anything.
            (false, None) if varies && self.subject.entry.kind != Kind::Retrieval => {
                Finding::not_applicable(
                    Law::RankBased,
                    "not declared, though no increasing transformation changed a value: could declare `RANK_BASED`",
                )
            }
            (false, _) => Finding::not_applicable(Law::RankBased, "`RANK_BASED` is not declared"),
        }
    }
}
