//! What a run keeps.

use metricopt_sdk::{Result, Site};

use super::events::EventLog;
use super::footing::Footing;
use super::interpolation::Interpolation;
use super::landscape::Landscape;
use super::predictions::Predictions;
use super::trajectory::Trajectories;
use super::trust::Trained;
use super::update_rule::UpdateRule;

/// Something worth keeping that a phase made.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Artifact<'a> {
    /// What the network predicts along trajectories, for other metrics later.
    Predictions(&'a Predictions, &'a Trajectories),
    /// The trajectories and the metric along them, with what stood before they were collected and the value of their
    /// best point on the whole validation split.
    Trajectories(&'a Trajectories, &'a Interpolation, &'a Footing<'a>, f64),
    /// The meta-trained value function, with what stood before, and the largest `|phi|` it has seen.
    ValueFunction(&'a Trained, &'a Footing<'a>, f64),
    /// The learned optimizer.
    Optimizer(&'a UpdateRule),
    /// The adapter that the run returns.
    Adapter(&'a [f32], &'a [Site]),
    /// What the report shows beside: the landscape, and the tuned adapter before acceptance.
    Report(&'a Landscape, &'a [f32], &'a [Site]),
}

/// Where events and artifacts go.
pub trait Recorder: EventLog {
    /// Keeps an artifact.
    ///
    /// # Errors
    ///
    /// If it cannot be kept.
    fn save(&mut self, artifact: Artifact<'_>) -> Result<()>;
}

/// Forgets everything.
impl Recorder for () {
    fn save(&mut self, _: Artifact<'_>) -> Result<()> {
        Ok(())
    }
}
