//! The validation metric along the steps of a method, as a comparison keeps it.

use metricopt_sdk::{Direction, Result};
use serde::{Deserialize, Serialize};

use super::events::{Event, EventLog};
use super::recorder::{Artifact, Recorder};

/// One observation of the validation metric.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Observed {
    /// Steps done.
    pub step: usize,
    /// Natural value on the whole validation split.
    pub validation: f64,
}

/// Hears of the observations of one method and forgets the rest. A method may pass through its steps several times, with
/// other learning rates or class weights.
#[derive(Debug, Default)]
pub struct History {
    passes: Vec<Vec<Observed>>,
}

impl History {
    /// The pass with the best observation, the first of equals; empty for a method without steps.
    pub fn best(self, direction: Direction) -> Vec<Observed> {
        let mut best: Option<(f64, Vec<Observed>)> = None;
        for pass in self.passes {
            let values = pass.iter().map(|seen| seen.validation);
            let Some(peak) = values.reduce(|a, b| if direction.is_better(b, a) { b } else { a })
            else {
                continue;
            };
            let leads = best
                .as_ref()
                .is_none_or(|&(incumbent, _)| direction.is_better(peak, incumbent));
            if leads {
                best = Some((peak, pass));
            }
        }
        best.map_or_else(Vec::new, |(_, pass)| pass)
    }
}

impl EventLog for History {
    fn record(&mut self, event: &Event) -> Result<()> {
        if let &Event::Observed {
            step, validation, ..
        } = event
        {
            let seen = Observed { step, validation };
            match self.passes.last_mut() {
                // Steps of one pass ascend.
                Some(pass) if pass.last().is_some_and(|last| last.step < step) => pass.push(seen),
                _ => self.passes.push(vec![seen]),
            }
        }
        Ok(())
    }
}

impl Recorder for History {
    fn save(&mut self, _: Artifact<'_>) -> Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn best(values: &[(usize, f64)], direction: Direction) -> Vec<(usize, f64)> {
        let mut history = History::default();
        for &(step, validation) in values {
            let event = Event::Observed {
                method: "es".to_owned(),
                step,
                validation,
                queries: 0,
            };
            history.record(&event).unwrap();
        }
        let pass = history.best(direction);
        pass.iter()
            .map(|seen| (seen.step, seen.validation))
            .collect()
    }

    #[test]
    fn the_pass_with_the_best_observation_is_kept() {
        let values = [
            (5, 0.3),
            (10, 0.6),
            (5, 0.7),
            (10, 0.2),
            (5, 0.7),
            (10, 0.5),
        ];
        let maximised = best(&values, Direction::Maximise);
        assert_eq!(maximised, [(5, 0.7), (10, 0.2)], "the first of equals");
        let minimised = best(&values, Direction::Minimise);
        assert_eq!(minimised, [(5, 0.7), (10, 0.2)]);
        assert_eq!(best(&values[..2], Direction::Minimise), values[..2]);
        assert!(best(&[], Direction::Maximise).is_empty());
    }
}
