//! Training of all weights of a detector from scratch.

use metricopt_sdk::tch::{Device, Kind, Tensor};
use metricopt_sdk::{Call, Error, Result};
use rayon::ThreadPool;

use super::loss::{Scale, Targets, loss};
use super::network::Output;
use super::network::layers;
use super::shape::Shape;
use crate::layout::Layout;
use crate::tensors::channels_last;
use crate::train::{Forward, Step, Trainer, Training, descend, shards};
use crate::weights::Weights;

/// A minibatch: images f32 `[N, C, H, W]` and what the anchors should say.
pub type Minibatch = (Tensor, Targets);

/// What training starts from.
#[derive(Clone, Copy, Debug)]
pub struct Start<'a> {
    /// The detector.
    pub shape: Shape,
    /// Its weights: those of [`Shape::initialise`], or others to go on from.
    pub weights: &'a Weights,
    /// Where it is trained.
    pub device: Device,
}

/// Trains all weights of a detector, as [`train`](crate::train()) does for classification: the result does not depend on the
/// number of threads.
///
/// # Errors
///
/// If the weights do not fit, a minibatch is empty, the training diverges, or the user asked to stop.
pub fn train(
    start: &Start<'_>,
    training: &Training,
    steps: u64,
    batch: &mut dyn FnMut(u64) -> Result<Minibatch>,
    progress: &mut dyn FnMut(u64, f64),
    pool: &ThreadPool,
    call: &Call<'_>,
) -> Result<Weights> {
    let &Start {
        shape,
        weights,
        device,
    } = start;
    let mut layout = Layout::default();
    let layers = layers(&shape, &mut layout);
    let layers = layers.as_ref();
    let trainer = Trainer::new(layout, weights, &shape.title(), device)?;
    let mut minibatch = |step: u64| -> Result<Step<'_>> {
        let (images, targets) = batch(step)?;
        if images.size().first() == Some(&0)
            || images.size().first() != targets.classes.size().first()
        {
            return Err(Error::data(format!(
                "a minibatch of images {:?} and targets {:?}",
                images.size(),
                targets.classes.size()
            )));
        }
        let scale = Scale {
            terms: shape.network.terms(),
            objects: targets.objects.f_sum(Kind::Double)?.f_double_value(&[])?,
            images: images.size()[0] as f64,
        };
        let count = shards(device);
        let images = images.f_to_device(device)?.f_chunk(count, 0)?;
        let part = |(images, targets): (Tensor, Targets)| -> Forward<'_> {
            Box::new(move |pass| {
                let stem = layers.stem(pass, &channels_last(&images)?)?;
                let [logits, codes] = layers.heads(pass, &stem)?;
                let share = loss(&Output { logits, codes }, &targets, &scale, None)?;
                Ok(share.f_view([1])?)
            })
        };
        let parts = images.into_iter().zip(targets.chunk(count)?);
        Ok(Step {
            parts: parts.map(part).collect(),
            // What the parts lead to are their shares.
            loss: Box::new(|shares| Ok(shares.f_sum(Kind::Float)?)),
        })
    };
    descend(
        trainer,
        training,
        steps,
        &mut minibatch,
        progress,
        pool,
        call,
    )
}
