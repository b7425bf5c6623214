//! One pass through a network: the same layers, with different things done at the FiLM sites.

use metricopt_sdk::Result;
use metricopt_sdk::tch::{Kind, Tensor};
use std::cell::RefCell;

use crate::film::Film;
use crate::layers::{Conv, Linear, Modulated, Norm, Predictor};

/// What happens at a normalisation.
pub(crate) enum Mode<'a> {
    /// Running statistics, nothing more: the unmodified network.
    Plain,
    /// Running statistics, with FiLM folded into scale and shift: no further pass over the activations.
    Film(&'a Film<'a>),
    /// The same for a population of `P` adapters, each with its own images: activations are `[P * N, C, H, W]`.
    Population(&'a Film<'a>),
    /// Statistics of the images at hand, which are noted down: mean and unbiased variance.
    Training(&'a RefCell<Vec<(Norm, Tensor, Tensor)>>),
}

/// One pass through a network.
pub(crate) struct Pass<'a> {
    /// The tensors of the network in the order of its layout.
    pub(crate) tensors: &'a [Tensor],
    pub(crate) mode: Mode<'a>,
}

impl Pass<'_> {
    pub(crate) fn conv(&self, conv: &Conv, x: &Tensor) -> Result<Tensor> {
        conv.apply(self.tensors, x)
    }

    pub(crate) fn predictor(&self, predictor: &Predictor, x: &Tensor) -> Result<Tensor> {
        predictor.apply(self.tensors, x)
    }

    /// The convolution, and FiLM on what comes out: to fold it into the kernel would cost autograd a gradient of the kernel.
    pub(crate) fn modulated(&self, layer: &Modulated, x: &Tensor) -> Result<Tensor> {
        let y = self.predictor(&layer.inner, x)?;
        match &self.mode {
            Mode::Plain | Mode::Training(_) => Ok(y),
            Mode::Film(film) | Mode::Population(film) => {
                let (deviation, shift) = film.at(layer.site)?;
                let channels = [-1, y.size()[1]];
                let scale = deviation.f_add_scalar(1.0)?.f_view(channels)?;
                per_candidate(&y, &scale, &shift.f_view(channels)?)
            }
        }
    }

    pub(crate) fn linear(&self, linear: &Linear, x: &Tensor) -> Result<Tensor> {
        linear.apply(self.tensors, x)
    }

    pub(crate) fn norm(&self, norm: &Norm, x: &Tensor) -> Result<Tensor> {
        let [scale, shift, mean, variance] =
            [norm.scale, norm.shift, norm.mean, norm.variance].map(|index| &self.tensors[index]);
        let frozen = |scale: &Tensor, shift: &Tensor| {
            x.f_batch_norm(
                Some(scale),
                Some(shift),
                Some(mean),
                Some(variance),
                false,
                0.0,
                norm.epsilon,
                true,
            )
        };
        match &self.mode {
            Mode::Plain => Ok(frozen(scale, shift)?),
            Mode::Film(film) => {
                let [scale, shift] = film.fold(norm.site, scale, shift)?;
                Ok(frozen(&scale, &shift)?)
            }
            Mode::Population(film) => {
                let [scale, shift] = film.fold(norm.site, scale, shift)?;
                let deviation = variance.f_add_scalar(norm.epsilon)?.f_sqrt()?;
                let scale = scale.f_div(&deviation)?;
                let shift = shift.f_sub(&scale.f_mul(mean)?)?;
                let [scale, shift] = [scale.f_to_kind(x.kind())?, shift.f_to_kind(x.kind())?];
                per_candidate(x, &scale, &shift)
            }
            Mode::Training(noted) => {
                let buffer = || Tensor::f_zeros(mean.size(), (Kind::Float, mean.device()));
                let [batch_mean, batch_variance] = [buffer()?, buffer()?];
                // A momentum of one leaves the statistics of this batch alone in the buffers.
                let y = x.f_batch_norm(
                    Some(scale),
                    Some(shift),
                    Some(&batch_mean),
                    Some(&batch_variance),
                    true,
                    1.0,
                    norm.epsilon,
                    true,
                )?;
                noted.borrow_mut().push((*norm, batch_mean, batch_variance));
                Ok(y)
            }
        }
    }
}

/// `scale * x + shift` with scale and shift `[P, C]` of candidates whose images stand one candidate after the other in
/// `x` `[P * N, C, H, W]`.
fn per_candidate(x: &Tensor, scale: &Tensor, shift: &Tensor) -> Result<Tensor> {
    let size = x.size();
    let population = scale.size()[0];
    let mut split = vec![population, size[0] / population.max(1)];
    split.extend(&size[1..]);
    let channel = [population, 1, size[1], 1, 1];
    let y = shift
        .f_view(channel)?
        .f_addcmul(&x.f_reshape(&split)?, &scale.f_view(channel)?)?;
    Ok(y.f_flatten(0, 1)?)
}
