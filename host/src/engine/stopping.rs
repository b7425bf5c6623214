//! When fine-tuning ends before its last step: the acceptance test is decided, or the queries are spent.

use metricopt_sdk::Result;

use super::acceptance::decide;
use super::config::FinetuneConfig;
use super::events::StopReason;
use super::observation::Observation;
use super::observe::Observer;

/// Watches for the acceptance test to be decided.
///
/// With `n` the number of observations in a row without a better point: from `n = patience` on the best point is put to
/// the test, once. If it passes, the test is decided; if it does not, or if it is the pre-trained network itself, the
/// test is decided at `n = 2 patience`. The look is the very query that the acceptance test would take: whoever stops
/// here has paid for it.
pub struct Patience<'a> {
    /// The pre-trained network on the folds of the test.
    pretrained: &'a Observation,
    threshold: f64,
    patience: usize,
    /// Observations since the best point was met.
    stale: usize,
    /// The best point on the folds of the test, once it was put to it.
    tested: Option<Observation>,
}

impl<'a> Patience<'a> {
    /// Begins to watch, if the configuration asks for it.
    pub fn new(config: &FinetuneConfig, pretrained: &'a Observation) -> Option<Self> {
        config.stop_when_decided.then_some(Self {
            pretrained,
            threshold: config.accept_t,
            patience: config.patience,
            stale: 0,
            tested: None,
        })
    }

    /// Takes note of an observation, after which `best` is the best point: whether the test is decided, and how.
    ///
    /// # Errors
    ///
    /// Those of the task and of the metric.
    pub fn observed(
        &mut self,
        observer: &Observer<'_>,
        improved: bool,
        best: &[f32],
    ) -> Result<Option<StopReason>> {
        if improved {
            (self.stale, self.tested) = (0, None);
            return Ok(None);
        }
        self.stale += 1;
        if self.stale < self.patience {
            return Ok(None);
        }
        let is_pretrained = best.iter().all(|&x| x == 0.0);
        // One query stays for the test at the end, should a better point come.
        if !is_pretrained && self.tested.is_none() && observer.affords(2) {
            let folds = self.pretrained.folds.len();
            self.tested = observer.observe(&[best], folds)?.pop();
        }
        let passes = self.tested.as_ref().is_some_and(|tested| {
            decide(self.pretrained, tested, observer.direction, self.threshold).accepted
        });
        Ok(if passes {
            Some(StopReason::Accepted)
        } else if self.stale >= 2 * self.patience {
            Some(StopReason::NotAccepted)
        } else {
            None
        })
    }

    /// The best point on the folds of the test, if it was put to it.
    pub fn tested(self) -> Option<Observation> {
        self.tested
    }
}
