//! The gradient of a minibatch, part by part.

use metricopt_sdk::tch::{Kind, Tensor, with_grad};
use metricopt_sdk::{Error, Result};
use rayon::{ThreadPool, prelude::*};
use std::cell::RefCell;

use super::Objective;
use crate::architecture::Architecture;
use crate::layers::Norm;
use crate::layout::Layout;
use crate::pass::{Mode, Pass};
use crate::tensors::channels_last;

/// Slopes of one part, and its statistics.
type Part = (Vec<Tensor>, Vec<(Norm, Tensor, Tensor)>);

/// What one minibatch says about the weights.
pub(super) struct Gradient {
    pub(super) loss: f64,
    /// Of each tensor that is trained.
    pub(super) slopes: Vec<Tensor>,
    /// Mean and unbiased variance of each normalisation, in the order of execution.
    pub(super) statistics: Vec<(Norm, Tensor, Tensor)>,
}

/// What is left of a pass of one part for its way back.
pub(super) struct Followed {
    /// The tensors of the network, as autograd knows them.
    leaves: Vec<Tensor>,
    logits: Tensor,
    statistics: Vec<(Norm, Tensor, Tensor)>,
}

/// The pass of one part of a minibatch.
pub(super) fn forward(
    architecture: &dyn Architecture,
    layout: &Layout,
    tensors: Vec<Tensor>,
    images: &Tensor,
) -> Result<Followed> {
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
    let logits = with_grad(|| -> Result<Tensor> {
        let stem = architecture.stem(&pass, &channels_last(images)?)?;
        let maps = architecture.maps(&pass, &stem)?;
        let last = maps
            .last()
            .ok_or_else(|| Error::failed("a network without stages"))?;
        architecture.classify(&pass, &architecture.features(last)?)
    })?;
    Ok(Followed {
        statistics: noted.into_inner(),
        leaves,
        logits,
    })
}

impl Followed {
    /// The slopes that one part adds, given those of the loss at its logits.
    fn backward(&self, slopes: &Tensor) -> Result<Vec<Tensor>> {
        let loss = with_grad(|| self.logits.f_mul(slopes)?.f_sum(Kind::Float))?;
        let is_trained = |leaf: &&Tensor| leaf.requires_grad();
        let trained: Vec<&Tensor> = self.leaves.iter().filter(is_trained).collect();
        Ok(Tensor::f_run_backward(&[&loss], &trained, false, false)?)
    }
}

impl Gradient {
    /// Of all parts of a minibatch: the loss is that of all logits together, the way back of each part goes side by side,
    /// and slopes and statistics are added in order.
    pub(super) fn of(
        parts: Vec<Followed>,
        labels: &Tensor,
        objective: &Objective<'_>,
        pool: &ThreadPool,
    ) -> Result<Self> {
        let sizes: Vec<i64> = parts.iter().map(|part| part.logits.size()[0]).collect();
        let logits: Vec<&Tensor> = parts.iter().map(|part| &part.logits).collect();
        let logits = Tensor::f_cat(&logits, 0)?.f_detach()?;
        let logits = logits.f_set_requires_grad(true)?;
        let loss = with_grad(|| objective(&logits, labels))?;
        let slopes = Tensor::f_run_backward(&[&loss], &[&logits], false, false)?
            .pop()
            .ok_or_else(|| Error::failed("the objective does not depend on the logits"))?;
        let loss = f64::try_from(loss.f_to_kind(Kind::Double)?)?;
        let work: Vec<(Followed, Tensor)> = parts
            .into_iter()
            .zip(slopes.f_split_with_sizes(&sizes, 0)?)
            .collect();
        let done: Result<Vec<_>> = pool.install(|| {
            work.into_par_iter()
                .map(|(part, slopes)| Ok((part.backward(&slopes)?, part.statistics)))
                .collect()
        });
        Self::sum(loss, done?)
    }

    /// Adds slopes and averages statistics, in order.
    fn sum(loss: f64, parts: Vec<Part>) -> Result<Self> {
        let count = parts.len() as f64;
        let mut parts = parts.into_iter();
        let (slopes, statistics) = parts
            .next()
            .ok_or_else(|| Error::failed("a minibatch without parts"))?;
        let mut total = Self {
            loss,
            slopes,
            statistics,
        };
        for (slopes, statistics) in parts {
            for (sum, slope) in total.slopes.iter_mut().zip(&slopes) {
                *sum = sum.f_add_(slope)?;
            }
            for (sum, new) in total.statistics.iter_mut().zip(&statistics) {
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
