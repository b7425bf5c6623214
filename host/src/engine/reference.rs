//! What tells one pre-trained network from another.

use super::vector::norm;

/// Relative difference below which two measurements are of the same network.
const SAME: f64 = 1e-3;

/// Surrogate loss and its gradient at `phi_0`, on validation rows: they tell one pre-trained network from another.
#[derive(Clone, Debug, PartialEq)]
pub struct Reference {
    /// The loss.
    pub loss: f64,
    /// The gradient, `[D]`.
    pub gradient: Vec<f32>,
}

impl Reference {
    /// Whether another measurement is of the same network: equal but for rounding, which differs between devices.
    pub fn is_of_same_network(&self, other: &Self) -> bool {
        let difference: Vec<f32> = self
            .gradient
            .iter()
            .zip(&other.gradient)
            .map(|(a, b)| a - b)
            .collect();
        self.gradient.len() == other.gradient.len()
            && (self.loss - other.loss).abs() <= SAME * self.loss.abs()
            && norm(&difference) <= SAME * norm(&self.gradient)
    }
}
