//! The gradient of a minibatch, part by part.

use metricopt_sdk::tch::{Kind, Reduction, Tensor, with_grad};
use metricopt_sdk::{Error, Result};
use std::cell::RefCell;

use crate::architecture::Architecture;
use crate::layers::Norm;
use crate::layout::Layout;
use crate::pass::{Mode, Pass};
use crate::tensors::channels_last;

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

/// The share of one part in loss and gradient of a minibatch of `size` images.
pub(super) fn of_part(
    architecture: &dyn Architecture,
    layout: &Layout,
    tensors: Vec<Tensor>,
    images: &Tensor,
    labels: &Tensor,
    size: i64,
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
    let loss = with_grad(|| -> Result<Tensor> {
        let stem = architecture.stem(&pass, &channels_last(images)?)?;
        let maps = architecture.maps(&pass, &stem)?;
        let last = maps
            .last()
            .ok_or_else(|| Error::failed("a network without stages"))?;
        let logits = architecture.classify(&pass, &architecture.features(last)?)?;
        let none: Option<&Tensor> = None;
        let loss = logits.f_cross_entropy_loss(labels, none, Reduction::Sum, -100, 0.0)?;
        Ok(loss.f_div_scalar(size as f64)?)
    })?;
    let trained: Vec<&Tensor> = leaves.iter().filter(|leaf| leaf.requires_grad()).collect();
    Ok(Gradient {
        loss: f64::try_from(loss.f_to_kind(Kind::Double)?)?,
        slopes: Tensor::f_run_backward(&[&loss], &trained, false, false)?,
        statistics: noted.into_inner(),
    })
}
