//! Names that the writers and the readers of a run directory share, and what ties its files together.

use sha2::{Digest, Sha256};

use crate::engine::trajectory::Trajectories;

pub(super) const TRAJECTORIES: &str = "trajectories.safetensors";
pub(super) const PREDICTIONS: &str = "predictions.safetensors";
pub(super) const VALUE_FUNCTION: &str = "value_function.safetensors";

/// The tensor that ties predictions to their trajectories.
pub(super) const POINTS: &str = "points_sha256";

/// Tells the points of some trajectories from others.
pub(super) fn digest_of(trajectories: &Trajectories) -> Vec<u8> {
    let mut digest = Sha256::new();
    for point in &trajectories.points {
        digest.update(point.to_le_bytes());
    }
    digest.finalize().to_vec()
}
