//! The numbers in the events of a run, one by one: what tables and plots are made of.

use std::collections::BTreeMap;

use crate::engine::events::Event;

/// One number that was measured.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Scalar {
    pub(super) name: &'static str,
    pub(super) value: f64,
}

/// The numbers of one event.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Reading {
    /// The method they belong to, or the phase.
    pub(super) method: String,
    /// Which of several passes of a method, from 1 on; none for what is about the method as a whole.
    pub(super) attempt: Option<usize>,
    /// None for what belongs to no step.
    pub(super) step: Option<usize>,
    /// Metric queries of the run so far, where the event says; of the method, for its final values.
    pub(super) queries: Option<u64>,
    pub(super) scalars: Vec<Scalar>,
}

/// Takes events apart.
///
/// A baseline is run with several learning rates or weights, under one name: such a pass is known by its steps, which begin
/// again.
#[derive(Debug, Default)]
pub(super) struct Reader {
    /// By method: the pass at hand, and its latest step.
    attempts: BTreeMap<String, (usize, usize)>,
}

impl Reader {
    /// The numbers of an event.
    pub(super) fn read(&mut self, event: &Event) -> Vec<Reading> {
        match event {
            Event::Calibrated {
                width,
                loss,
                probed,
                ..
            } => {
                let probes = probed.iter().enumerate().map(|(step, &(width, loss))| {
                    let scalars = [("probed_width", width), ("probed_loss", loss)];
                    phase("calibration", Some(step), scalars)
                });
                let chosen = phase("calibration", None, [("width", *width), ("loss", *loss)]);
                probes.chain([chosen]).collect()
            }
            Event::TrajectoriesObserved { step, mean, best } => vec![phase(
                "trajectories",
                Some(*step),
                [("mean", *mean), ("best", *best)],
            )],
            Event::ValueFunctionTrained {
                rank_correlation,
                correlation,
                weight,
            } => {
                let measured = [
                    ("rank_correlation", *rank_correlation),
                    ("correlation", *correlation),
                    ("weight", Some(*weight)),
                ];
                let known = measured
                    .into_iter()
                    .filter_map(|(name, value)| Some((name, value?)));
                vec![phase("value-function", None, known)]
            }
            Event::Step {
                method,
                step,
                loss,
                loss_gradient_norm,
                value_gradient_norm,
                search_gradient_norm,
                adapter_norm,
                queries,
            } => {
                let scalars = [
                    ("loss", *loss),
                    ("loss_gradient_norm", *loss_gradient_norm),
                    ("value_gradient_norm", *value_gradient_norm),
                    ("search_gradient_norm", *search_gradient_norm),
                    ("adapter_norm", *adapter_norm),
                ];
                vec![self.of_method(method, *step, *queries, scalars)]
            }
            Event::Observed {
                method,
                step,
                validation,
                queries,
            } => vec![self.of_method(method, *step, *queries, [("validation", *validation)])],
            // Reasons, and counts that are in the summary.
            Event::LandscapeLeftOut { .. }
            | Event::MetaTestingBegun { .. }
            | Event::PredictionsNotKept { .. }
            | Event::MethodLeftOut { .. }
            | Event::Stopped { .. } => Vec::new(),
            Event::OptimizerLearned { objective_changes } => {
                let changes = objective_changes.iter().enumerate();
                changes
                    .map(|(iteration, &change)| {
                        phase(
                            "learned-optimizer",
                            Some(iteration),
                            [("objective_change", change)],
                        )
                    })
                    .collect()
            }
            Event::Finished {
                method,
                validation,
                test,
                queries,
            } => {
                let scalars = [("final_validation", *validation), ("final_test", *test)];
                vec![Reading {
                    queries: Some(*queries),
                    ..phase(method, None, scalars)
                }]
            }
            Event::Decided {
                accepted,
                t,
                threshold,
            } => vec![phase(
                "acceptance",
                None,
                [
                    ("accepted", f64::from(u8::from(*accepted))),
                    ("t", *t),
                    ("threshold", *threshold),
                ],
            )],
        }
    }

    fn of_method(
        &mut self,
        method: &str,
        step: usize,
        queries: u64,
        scalars: impl IntoIterator<Item = (&'static str, f64)>,
    ) -> Reading {
        let (attempt, latest) = self.attempts.entry(method.to_owned()).or_insert((1, 0));
        if step < *latest {
            *attempt += 1;
        }
        *latest = step;
        Reading {
            attempt: Some(*attempt),
            queries: Some(queries),
            ..phase(method, Some(step), scalars)
        }
    }
}

fn phase(
    method: &str,
    step: Option<usize>,
    scalars: impl IntoIterator<Item = (&'static str, f64)>,
) -> Reading {
    Reading {
        method: method.to_owned(),
        attempt: None,
        step,
        queries: None,
        scalars: scalars
            .into_iter()
            .map(|(name, value)| Scalar { name, value })
            .collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_method_that_begins_again_is_another_attempt() {
        let mut reader = Reader::default();
        let attempts: Vec<Option<usize>> = [5, 10, 5, 10, 5]
            .into_iter()
            .flat_map(|step| {
                reader.read(&Event::Observed {
                    method: "loss-only".to_owned(),
                    step,
                    validation: 0.5,
                    queries: 1,
                })
            })
            .map(|reading| reading.attempt)
            .collect();
        assert_eq!(attempts, [1, 1, 2, 2, 3].map(Some));
    }
}
