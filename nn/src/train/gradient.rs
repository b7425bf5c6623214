//! The gradient of a minibatch: its parts go through the network side by side, the loss looks at all of them.

use metricopt_sdk::tch::{Kind, Tensor, with_grad};
use metricopt_sdk::{Error, Result};
use rayon::{ThreadPool, prelude::*};
use std::cell::RefCell;

use crate::layers::Norm;
use crate::layout::Layout;
use crate::pass::{Mode, Pass};
use crate::tensors::Shared;

/// A minibatch that knows its network: what one step of training is about.
pub(crate) struct Step<'a> {
    /// The way of each part through the network in training, to a tensor with one row a thing.
    pub(crate) parts: Vec<Forward<'a>>,
    /// From the rows of all parts, in order, to a scalar.
    pub(crate) loss: Loss<'a>,
}

/// The way of one part through the network.
pub(crate) type Forward<'a> = Box<dyn FnOnce(&Pass<'_>) -> Result<Tensor> + Send + 'a>;

/// The loss of all that the parts lead to.
pub(crate) type Loss<'a> = Box<dyn FnOnce(&Tensor) -> Result<Tensor> + 'a>;

/// Mean and unbiased variance of each normalisation, in the order of execution.
type Statistics = Vec<(Norm, Tensor, Tensor)>;

/// What one minibatch says about the weights.
pub(super) struct Gradient {
    pub(super) loss: f64,
    /// Of each tensor that is trained.
    pub(super) slopes: Vec<Tensor>,
    /// Of each normalisation.
    pub(super) statistics: Statistics,
}

/// What is left of one part's way for the way back.
struct Followed {
    /// The tensors of the network, as autograd knows them.
    leaves: Vec<Tensor>,
    output: Tensor,
    statistics: Statistics,
}

impl Gradient {
    /// Of a minibatch at the weights of a network. Slopes and statistics of the parts are added in order.
    pub(super) fn of(
        step: Step<'_>,
        layout: &Layout,
        tensors: &Shared,
        pool: &ThreadPool,
    ) -> Result<Self> {
        let there = |part| follow(part, layout, tensors.get());
        let parts: Result<Vec<Followed>> =
            pool.install(|| step.parts.into_par_iter().map(there).collect());
        let parts = parts?;
        let sizes: Result<Vec<i64>> = parts.iter().map(|part| rows(&part.output)).collect();
        let outputs: Vec<&Tensor> = parts.iter().map(|part| &part.output).collect();
        let outputs = Tensor::f_cat(&outputs, 0)?.f_detach()?;
        let outputs = outputs.f_set_requires_grad(true)?;
        let loss = with_grad(|| (step.loss)(&outputs))?;
        let slopes = Tensor::f_run_backward(&[&loss], &[&outputs], false, false)?
            .pop()
            .ok_or_else(|| Error::failed("the loss does not depend on the network"))?;
        let loss = f64::try_from(loss.f_to_kind(Kind::Double)?)?;
        let slopes = slopes.f_split_with_sizes(sizes?, 0)?;
        let work: Vec<(Followed, Tensor)> = parts.into_iter().zip(slopes).collect();
        let back = |(part, slopes): (Followed, Tensor)| Ok((part.back(&slopes)?, part.statistics));
        let done: Result<Vec<_>> = pool.install(|| work.into_par_iter().map(back).collect());
        Self::sum(loss, done?)
    }

    /// Adds slopes and averages statistics, in order.
    fn sum(loss: f64, parts: Vec<(Vec<Tensor>, Statistics)>) -> Result<Self> {
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

fn follow(part: Forward<'_>, layout: &Layout, tensors: Vec<Tensor>) -> Result<Followed> {
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
    let output = with_grad(|| part(&pass))?;
    Ok(Followed {
        output,
        statistics: noted.into_inner(),
        leaves,
    })
}

impl Followed {
    /// The slopes that this part adds, given those of the loss at its output.
    fn back(&self, slopes: &Tensor) -> Result<Vec<Tensor>> {
        let loss = with_grad(|| self.output.f_mul(slopes)?.f_sum(Kind::Float))?;
        let is_trained = |leaf: &&Tensor| leaf.requires_grad();
        let trained: Vec<&Tensor> = self.leaves.iter().filter(is_trained).collect();
        Ok(Tensor::f_run_backward(&[&loss], &trained, false, false)?)
    }
}

fn rows(output: &Tensor) -> Result<i64> {
    let size = output.size();
    size.first()
        .copied()
        .ok_or_else(|| Error::failed("a part of a minibatch leads to a scalar"))
}
