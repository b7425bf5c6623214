//! What a run keeps.

use metricopt_sdk::{Result, Site};

use super::events::EventLog;
use super::landscape::Landscape;
use super::trajectory::{Interpolation, Trajectories};
use super::update_rule::UpdateRule;
use super::value_function::ValueFunction;

/// Something worth keeping that a phase made.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Artifact<'a> {
    /// The trajectories and the metric along them.
    Trajectories(&'a Trajectories, &'a Interpolation),
    /// The meta-trained value function.
    ValueFunction(&'a ValueFunction),
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
