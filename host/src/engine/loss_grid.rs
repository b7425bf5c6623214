//! The grid that loss-only fine-tuning is tuned on, so that it is no straw man.

use metricopt_sdk::{ErrorKind, Result, Split};
use std::fmt;

use super::baselines::Baselines;
use super::config::{FinetuneConfig, OptimizerKind};
use super::events::EventLog;
use super::finetune::{Candidate, Method};

/// Optimizers and learning rates that are tried in any case. They reach far: where training and validation data differ, a
/// rate thirty times the usual one takes most of what the metric could give.
const GRID: [(OptimizerKind, f64); 7] = [
    (OptimizerKind::Sgd, 0.01),
    (OptimizerKind::Sgd, 0.03),
    (OptimizerKind::Sgd, 0.1),
    (OptimizerKind::Sgd, 0.3),
    (OptimizerKind::Adam, 0.003),
    (OptimizerKind::Adam, 0.01),
    (OptimizerKind::Adam, 0.03),
];

/// One point of the grid.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct GridPoint {
    /// Turns a gradient into a step.
    pub optimizer: OptimizerKind,
    /// Peak learning rate, width applied.
    pub learning_rate: f64,
}

impl fmt::Display for GridPoint {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "{} {}",
            self.optimizer.name(),
            self.learning_rate
        )
    }
}

/// The points: what `host run` tries, which is the configured rate as it is and times the width, and the fixed ones.
pub(super) fn grid(config: &FinetuneConfig, width: f64) -> Vec<GridPoint> {
    let rate = config.peak_learning_rate();
    let own = [rate, width * rate].map(|rate| (config.optimizer.unlearnt(), rate));
    let mut points: Vec<GridPoint> = Vec::with_capacity(own.len() + GRID.len());
    for (optimizer, learning_rate) in own.into_iter().chain(GRID) {
        let point = GridPoint {
            optimizer,
            learning_rate,
        };
        if !points.contains(&point) {
            points.push(point);
        }
    }
    points
}

/// The best of the grid.
pub struct TunedLoss {
    /// The best on validation, `phi_0` included.
    pub best: Candidate,
    /// Where it was found; `None` if nothing was better than `phi_0`.
    pub point: Option<GridPoint>,
    /// Points that failed, with the reason: a rate that is too large for this network leads to no finite loss.
    pub failed: Vec<String>,
}

impl Baselines<'_> {
    /// Fine-tuning on the surrogate loss of a split at every point of the grid; each point costs queries.
    ///
    /// # Errors
    ///
    /// Those of the task, the metric and the log if no point got through, or that the user asked to stop.
    pub fn tune_loss(&self, name: &str, split: Split, log: &mut dyn EventLog) -> Result<TunedLoss> {
        let mut tuned = TunedLoss {
            best: self.pretrained.clone(),
            point: None,
            failed: Vec::new(),
        };
        let mut first_error = None;
        let points = grid(&self.config.finetune, self.width);
        let count = points.len();
        for point in points {
            let mut method = Method {
                split,
                ..Method::loss_only(name)
            };
            let config = FinetuneConfig {
                optimizer: point.optimizer,
                learning_rate: Some(point.learning_rate),
                ..self.config.finetune.clone()
            };
            match self.run(&mut method, &config, 1.0, log) {
                Ok(found) => {
                    let direction = self.observer.direction;
                    if direction.is_better(found.best.validation, tuned.best.validation) {
                        tuned.best = found.best;
                        tuned.point = Some(point);
                    }
                }
                // Far away losses and gradients overflow, or predictions that were asked for are no numbers.
                Err(error)
                    if matches!(
                        error.kind(),
                        ErrorKind::Failed | ErrorKind::Undefined | ErrorKind::Data
                    ) =>
                {
                    tuned.failed.push(format!("{point}: {error}"));
                    first_error.get_or_insert(error);
                }
                Err(error) => return Err(error),
            }
        }
        match first_error {
            Some(error) if tuned.failed.len() == count => Err(error),
            _ => Ok(tuned),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_grid_holds_the_rates_of_a_run_and_reaches_far() {
        let points = grid(&FinetuneConfig::default(), 0.1);
        let texts: Vec<String> = points.iter().map(GridPoint::to_string).collect();
        assert_eq!(texts.len(), 8, "{texts:?}");
        for expected in ["adam 0.003", "sgd 0.3"] {
            assert!(texts.iter().any(|text| text == expected), "{texts:?}");
        }
        assert!((points[1].learning_rate - 0.0003).abs() < 1e-12);
        // At full width the calibrated rate is the plain one.
        assert_eq!(grid(&FinetuneConfig::default(), 1.0).len(), 7);
    }
}
