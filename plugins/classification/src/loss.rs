//! The surrogate loss: cross-entropy with weights of the classes.

use metricopt_sdk::tch::{Reduction, Tensor};
use metricopt_sdk::{Error, Result};

/// Cross-entropy of a minibatch that is computed in shards.
///
/// `sum of w(y) * -ln p(y) / sum of w(y)` over the rows of the whole minibatch, as PyTorch's weighted mean.
pub(crate) struct CrossEntropy<'a> {
    class_weights: &'a [f32],
    /// Sum of the weights of all rows.
    total: f64,
}

impl<'a> CrossEntropy<'a> {
    /// For a minibatch of these labels. No weights are equal weights.
    ///
    /// # Errors
    ///
    /// If there is not one positive weight for each class, or no row.
    pub(crate) fn new(class_weights: &'a [f32], classes: usize, labels: &[i64]) -> Result<Self> {
        let total: f64 = if class_weights.is_empty() {
            labels.len() as f64
        } else if class_weights.len() == classes {
            labels
                .iter()
                .map(|&label| f64::from(class_weights[label as usize]))
                .sum()
        } else {
            return Err(Error::failed(format!(
                "{} class weights were given for {classes} classes",
                class_weights.len()
            )));
        };
        if total > 0.0 && total.is_finite() {
            return Ok(Self {
                class_weights,
                total,
            });
        }
        Err(Error::failed(format!(
            "the class weights of the minibatch sum to {total}"
        )))
    }

    /// The share of some rows in the loss: logits `[n, C]` and their labels.
    ///
    /// # Errors
    ///
    /// Those of libtorch.
    pub(crate) fn of(&self, logits: &Tensor, labels: &[i64]) -> Result<Tensor> {
        let device = logits.device();
        let weights = if self.class_weights.is_empty() {
            None
        } else {
            Some(Tensor::f_from_slice(self.class_weights)?.f_to_device(device)?)
        };
        let labels = Tensor::f_from_slice(labels)?.f_to_device(device)?;
        let sum = logits.f_cross_entropy_loss(&labels, weights, Reduction::Sum, -100, 0.0)?;
        Ok(sum.f_div_scalar(self.total)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shards_add_up_to_the_weighted_mean() {
        let logits = Tensor::from_slice(&[0.0_f32, 0.0, 3.0_f32.ln(), 0.0]).view([2, 2]);
        let labels = [1, 0];
        // The surprises are ln 2 and ln 4/3.
        let surprises = [2.0_f64.ln(), (4.0_f64 / 3.0).ln()];
        for (weights, expected) in [
            (&[][..], (surprises[0] + surprises[1]) / 2.0),
            (&[1.0, 3.0][..], (3.0 * surprises[0] + surprises[1]) / 4.0),
        ] {
            let loss = CrossEntropy::new(weights, 2, &labels).unwrap();
            let shards: f64 = (0..2)
                .map(|row| {
                    let share = loss.of(&logits.narrow(0, row, 1), &labels[row as usize..][..1]);
                    share.unwrap().double_value(&[])
                })
                .sum();
            assert!(
                (shards - expected).abs() < 1e-6,
                "{shards} is not {expected}"
            );
        }
        assert!(CrossEntropy::new(&[1.0], 2, &labels).is_err());
        assert!(CrossEntropy::new(&[0.0, 0.0], 2, &labels).is_err());
        assert!(CrossEntropy::new(&[], 2, &[]).is_err());
    }
}
