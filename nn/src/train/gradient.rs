//! The gradient of a minibatch, part by part.

use metricopt_sdk::tch::{Kind, Tensor, with_grad};
use metricopt_sdk::{Error, Result};
use std::cell::RefCell;

use crate::layers::Norm;
use crate::layout::Layout;
use crate::pass::{Mode, Pass};

/// What one minibatch says about the weights.
pub(super) struct Gradient {
    pub(super) loss: f64,
    /// Of each tensor that is trained.
    pub(super) slopes: Vec<Tensor>,
    /// Mean and unbiased variance of each normalisation, in the order of execution.
    pub(super) statistics: Vec<(Norm, Tensor, Tensor)>,
}

impl Gradient {
    /// Adds gradients and averages statistics, in order.
    pub(super) fn sum(parts: Vec<Self>) -> Result<Self> {
        let count = parts.len() as f64;
        let mut parts = parts.into_iter();
        let mut total = parts
            .next()
            .ok_or_else(|| Error::failed("a minibatch without parts"))?;
        for part in parts {
            total.loss += part.loss;
            for (sum, slope) in total.slopes.iter_mut().zip(&part.slopes) {
                *sum = sum.f_add_(slope)?;
            }
            for (sum, new) in total.statistics.iter_mut().zip(&part.statistics) {
                sum.1 = sum.1.f_add_(&new.1)?;
                sum.2 = sum.2.f_add_(&new.2)?;
            }
        }
        for (_, mean, variance) in &mut total.statistics {
            *mean = mean.f_div_scalar_(count)?;
            *variance = variance.f_div_scalar_(count)?;
        }
        Ok(total)
    }
}

/// What one part of a minibatch adds to the loss, as a scalar: a pass over the layers in training, and the loss of its outputs.
pub(crate) type PartLoss<'a> = Box<dyn FnOnce(&Pass<'_>) -> Result<Tensor> + Send + 'a>;

/// The share of one part in loss and gradient of a minibatch.
pub(super) fn of_part(
    layout: &Layout,
    tensors: Vec<Tensor>,
    part: PartLoss<'_>,
) -> Result<Gradient> {
    let mut leaves = Vec::with_capacity(tensors.len());
    for (tensor, parameter) in tensors.iter().zip(layout.parameters()) {
        let own = tensor.f_detach()?;
        leaves.push(own.f_set_requires_grad(parameter.role.is_trained())?);
    }
    let noted = RefCell::new(Vec::new());
    let pass = Pass {
        tensors: &leaves,
        mode: Mode::Training(&noted),
    };
    let loss = with_grad(|| part(&pass))?;
    let trained: Vec<&Tensor> = leaves.iter().filter(|leaf| leaf.requires_grad()).collect();
    Ok(Gradient {
        loss: f64::try_from(loss.f_to_kind(Kind::Double)?)?,
        slopes: Tensor::f_run_backward(&[&loss], &trained, false, false)?,
        statistics: noted.into_inner(),
    })
}
