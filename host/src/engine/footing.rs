//! What a run stands on before it collects anything.

use super::calibrate::Calibration;
use super::finetune::Candidate;
use super::observation::Observation;

/// What stands before any trajectory.
#[derive(Clone, Copy, Debug)]
pub struct Footing<'a> {
    /// The pre-trained network.
    pub pretrained: &'a Candidate,
    /// The pre-trained network on the folds of the acceptance test, if there will be one.
    pub folds: Option<&'a Observation>,
    /// The calibrated width, and by what the network can be told from another.
    pub calibration: &'a Calibration,
}
