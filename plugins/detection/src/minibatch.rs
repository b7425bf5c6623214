//! One minibatch of the surrogate loss.

use metricopt_nn::Film;
use metricopt_nn::detector::Output;
use metricopt_nn::detector::ap_loss::ap_loss;
use metricopt_nn::detector::loss::{Scale, Targets, loss, loss_by_slopes};
use metricopt_sdk::tch::{Tensor, no_grad};
use metricopt_sdk::{Batch, Call, Error, Gradients, Result};
use rayon::prelude::*;
use std::ops::Range;

use crate::config::SurrogateLoss;
use crate::found::values;
use crate::part::{Entrance, Part};
use crate::truth::answering;

/// Images of a split and what the network should say of them.
pub(crate) struct Minibatch<'a> {
    loss: SurrogateLoss,
    classes: usize,
    entrance: &'a Entrance,
    part: &'a Part,
    rows: Vec<u32>,
    scale: Scale,
    /// With mean 1; empty for none.
    class_weights: Vec<f32>,
}

impl<'a> Minibatch<'a> {
    /// The images of a batch of this split.
    ///
    /// # Errors
    ///
    /// If there is not a weight for each class.
    pub(crate) fn new(
        loss: SurrogateLoss,
        classes: usize,
        entrance: &'a Entrance,
        part: &'a Part,
        batch: &Batch<'_>,
    ) -> Result<Self> {
        let rows = batch.rows(part.len());
        let weights = batch.class_weights;
        if !weights.is_empty() && weights.len() != classes {
            return Err(Error::data(format!(
                "{} class weights for {classes} classes",
                weights.len(),
            )));
        }
        let mean = weights.iter().sum::<f32>() / weights.len() as f32;
        Ok(Self {
            loss,
            classes,
            entrance,
            scale: Scale {
                terms: entrance.detector.shape().network.terms(),
                objects: answering(&part.roles(&rows)),
                images: rows.len() as f64,
            },
            part,
            rows,
            class_weights: weights.iter().map(|weight| weight / mean).collect(),
        })
    }

    /// The images that are worked on at once.
    pub(crate) fn blocks(&self) -> impl Iterator<Item = Range<usize>> {
        let (count, size) = (self.rows.len(), self.entrance.block());
        (0..count)
            .step_by(size)
            .map(move |first| first..count.min(first + size))
    }

    /// What AP-loss says to the logits of all images at an adapter, row by row; `None` for other losses, which look at each
    /// image for itself.
    ///
    /// # Errors
    ///
    /// Those of libtorch.
    pub(crate) fn ranking(&self, phi: &Tensor) -> Result<Option<Vec<f32>>> {
        if self.loss != SurrogateLoss::ApLoss {
            return Ok(None);
        }
        let logits: Result<Vec<Vec<f32>>> = self
            .blocks()
            .map(|block| self.logits(phi, &block))
            .collect();
        Ok(Some(self.ranked(&logits?.concat())))
    }

    fn logits(&self, phi: &Tensor, block: &Range<usize>) -> Result<Vec<f32>> {
        values(&no_grad(|| self.output(phi, block))?.logits)
    }

    fn ranked(&self, logits: &[f32]) -> Vec<f32> {
        let weights = (!self.class_weights.is_empty()).then_some(self.class_weights.as_slice());
        ap_loss(logits, &self.part.roles(&self.rows), self.classes, weights).slopes
    }

    fn output(&self, phi: &Tensor, block: &Range<usize>) -> Result<Output> {
        let detector = &self.entrance.detector;
        detector.output(&Film::of(phi, detector.sites())?, &self.stem(block)?)
    }

    /// What stands in front of the first FiLM site for some images.
    ///
    /// # Errors
    ///
    /// Those of libtorch.
    pub(crate) fn stem(&self, block: &Range<usize>) -> Result<Tensor> {
        no_grad(|| self.part.stem(self.entrance, &self.rows[block.clone()]))
    }

    /// What some images add to the loss.
    ///
    /// # Errors
    ///
    /// Those of libtorch.
    pub(crate) fn share(
        &self,
        phi: &Tensor,
        block: &Range<usize>,
        ranking: Option<&[f32]>,
    ) -> Result<Tensor> {
        self.share_of(&self.output(phi, block)?, block, ranking)
    }

    /// The same, given what the network says of these images.
    ///
    /// # Errors
    ///
    /// Those of libtorch.
    pub(crate) fn share_of(
        &self,
        output: &Output,
        block: &Range<usize>,
        ranking: Option<&[f32]>,
    ) -> Result<Tensor> {
        let device = self.entrance.device;
        let roles = self.part.roles(&self.rows[block.clone()]);
        let targets = Targets::new(&roles, self.classes, device)?;
        let weights = match self.class_weights.as_slice() {
            [] => None,
            weights => Some(Tensor::f_from_slice(weights)?.f_to_device(device)?),
        };
        let Some(ranking) = ranking else {
            return loss(output, &targets, &self.scale, weights.as_ref());
        };
        let image = ranking.len() / self.rows.len().max(1);
        let slopes = Tensor::f_from_slice(&ranking[block.start * image..block.end * image])?
            .f_view_as(&output.logits)?
            .f_to_device(device)?;
        loss_by_slopes(output, &targets, &slopes, &self.scale, weights.as_ref())
    }
}

/// Some images of a minibatch, and the adapter that they are for.
pub(crate) struct Piece {
    /// The place of the minibatch and of its adapter.
    pub(crate) candidate: usize,
    /// The images.
    pub(crate) block: Range<usize>,
    /// The adapter `[D]`.
    pub(crate) phi: Tensor,
}

/// Losses and gradients of minibatches, each at its row of the adapters `[P, D]`. All pieces of all minibatches are shared out among
/// the threads and added in order.
///
/// AP-loss goes through the network once more: its gradient at one image needs the logits of all, and to keep what autograd needs
/// of all of them until then would take gigabytes.
///
/// # Errors
///
/// Those of libtorch, or that the user asked to stop.
pub(crate) fn gradients(
    minibatches: &[Minibatch<'_>],
    phis: &Tensor,
    pool: &rayon::ThreadPool,
    call: &Call<'_>,
) -> Result<Gradients> {
    let rankings = rankings(minibatches, pool, || {
        let logits = |piece: Piece| {
            call.check()?;
            let minibatch = &minibatches[piece.candidate];
            Ok((piece.candidate, minibatch.logits(&piece.phi, &piece.block)?))
        };
        let pieces = pieces(minibatches, phis)?;
        pool.install(|| pieces.into_par_iter().map(logits).collect())
    })?;
    let follow = |Piece {
                      candidate,
                      block,
                      phi,
                  }: Piece| {
        call.check()?;
        let ranking = rankings[candidate].as_deref();
        let share = |phi: &Tensor| minibatches[candidate].share(phi, &block, ranking);
        let (loss, gradient) = metricopt_sdk::autograd(&phi, share)?;
        Ok((candidate, loss, gradient))
    };
    let pieces = pieces(minibatches, phis)?;
    let parts: Result<Vec<(usize, f64, Tensor)>> =
        pool.install(|| pieces.into_par_iter().map(follow).collect());
    sum(parts?, phis)
}

/// What the pieces add up to, in their order.
///
/// # Errors
///
/// Those of libtorch.
pub(crate) fn sum(parts: Vec<(usize, f64, Tensor)>, phis: &Tensor) -> Result<Gradients> {
    let gradients = phis.f_zeros_like()?;
    let mut losses = vec![0.0; phis.size().first().map_or(0, |&count| count as usize)];
    for (candidate, loss, gradient) in parts {
        losses[candidate] += loss;
        let mut sum = gradients.f_get(candidate as i64)?;
        let _ = sum.f_add_(&gradient)?;
    }
    Ok(Gradients { losses, gradients })
}

/// Every block of images of every minibatch, with its adapter.
///
/// # Errors
///
/// Those of libtorch.
pub(crate) fn pieces(minibatches: &[Minibatch<'_>], phis: &Tensor) -> Result<Vec<Piece>> {
    let mut pieces = Vec::new();
    for (candidate, minibatch) in minibatches.iter().enumerate() {
        for block in minibatch.blocks() {
            pieces.push(Piece {
                candidate,
                block,
                phi: phis.f_get(candidate as i64)?.f_detach_copy()?,
            });
        }
    }
    Ok(pieces)
}

/// What AP-loss says to the logits of each minibatch, nothing for other losses. `logits` tells those of the pieces, for a minibatch
/// in the order of its images.
///
/// # Errors
///
/// Those of `logits`.
pub(crate) fn rankings(
    minibatches: &[Minibatch<'_>],
    pool: &rayon::ThreadPool,
    logits: impl FnOnce() -> Result<Vec<(usize, Vec<f32>)>>,
) -> Result<Vec<Option<Vec<f32>>>> {
    let ranks = |minibatch: &Minibatch<'_>| minibatch.loss == SurrogateLoss::ApLoss;
    if !minibatches.iter().any(ranks) {
        return Ok(vec![None; minibatches.len()]);
    }
    let mut all = vec![Vec::new(); minibatches.len()];
    for (candidate, logits) in logits()? {
        all[candidate].extend(logits);
    }
    let ranked = |(minibatch, logits): (&Minibatch<'_>, Vec<f32>)| Some(minibatch.ranked(&logits));
    Ok(pool.install(|| {
        let pairs = minibatches.par_iter().zip(all.into_par_iter());
        pairs.map(ranked).collect()
    }))
}
