//! Which detector for which images.

use super::name::DetectorName;

/// What a detector takes and gives.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Shape {
    /// Which detector.
    pub network: DetectorName,
    /// Channels of the images: 1 or 3.
    pub channels: usize,
    /// Number of classes.
    pub classes: usize,
    /// What normalisations add to variances.
    pub epsilon: f64,
}

impl Shape {
    /// With what the detector decides filled in.
    pub fn new(network: DetectorName, channels: usize, classes: usize) -> Self {
        Self {
            network,
            channels,
            classes,
            epsilon: network.epsilon(),
        }
    }

    /// How the network is called in errors.
    pub fn title(self) -> String {
        let name = match self.network {
            DetectorName::Tiny => "the tiny detector",
            network => network.name(),
        };
        format!(
            "{name} of {} channels with {} classes",
            self.channels, self.classes
        )
    }
}
