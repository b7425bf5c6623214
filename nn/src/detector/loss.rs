//! Focal loss of scores and smooth L1 of codes (Lin et al., ICCV 2017; Girshick, ICCV 2015).

use metricopt_sdk::Result;
use metricopt_sdk::tch::{Device, Kind, Reduction, Tensor};

use super::Output;
use super::matching::Role;

/// Weight of objects against background.
const ALPHA: f64 = 0.25;

/// How much less a well classified anchor counts.
const GAMMA: f64 = 2.0;

/// How the loss of a detector adds up.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Terms {
    /// Where smooth L1 of the codes turns from a square into a line; at 0 it is L1.
    pub beta: f64,
    /// What the sum over anchors is divided by.
    pub average: Average,
}

/// What the sum over anchors is divided by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Average {
    /// The number of anchors with an object in the minibatch.
    Objects,
    /// That of each image for itself, and the number of images, as in torchvision.
    Images,
}

/// What the terms of a minibatch, of which some images are looked at, are measured by.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Scale {
    /// How they add up.
    pub terms: Terms,
    /// Anchors with an object in the whole minibatch; below 1 counts as 1.
    pub objects: f64,
    /// Images of the whole minibatch.
    pub images: f64,
}

/// What the anchors of some images should say, as tensors.
#[derive(Debug)]
pub struct Targets {
    /// 1 for the class of an anchor's object, `[N, A, classes]`.
    pub classes: Tensor,
    /// 0 for an anchor that is left out, else 1, `[N, A, 1]`.
    pub counted: Tensor,
    /// 1 for an anchor with an object, else 0, `[N, A, 1]`.
    pub objects: Tensor,
    /// Codes of the objects' boxes, zero without one, `[N, A, 4]`.
    pub codes: Tensor,
}

impl Targets {
    /// From the roles of the anchors of each image.
    ///
    /// # Errors
    ///
    /// Those of libtorch; if images have different numbers of anchors.
    pub fn new(images: &[&[Role]], classes: usize, device: Device) -> Result<Self> {
        let rows: usize = images.iter().map(|roles| roles.len()).sum();
        let mut hot = vec![0.0_f32; rows * classes];
        let mut counted = vec![1.0_f32; rows];
        let mut objects = vec![0.0_f32; rows];
        let mut codes = vec![0.0_f32; rows * 4];
        for (row, role) in images.iter().copied().flatten().enumerate() {
            match role {
                Role::Background => {}
                Role::Ignored => counted[row] = 0.0,
                Role::Object(class, code) => {
                    hot[row * classes + *class as usize] = 1.0;
                    objects[row] = 1.0;
                    codes[row * 4..][..4].copy_from_slice(code);
                }
            }
        }
        let tensor = |values: &[f32], width: usize| -> Result<Tensor> {
            let tensor = Tensor::f_from_slice(values)?;
            Ok(tensor
                .f_view([images.len() as i64, -1, width as i64])?
                .f_to_device(device)?)
        };
        Ok(Self {
            classes: tensor(&hot, classes)?,
            counted: tensor(&counted, 1)?,
            objects: tensor(&objects, 1)?,
            codes: tensor(&codes, 4)?,
        })
    }

    /// The same of some of the images, as `parts` pieces along the first axis.
    pub(super) fn chunk(&self, parts: i64) -> Result<Vec<Self>> {
        let [classes, counted, objects, codes] =
            [&self.classes, &self.counted, &self.objects, &self.codes]
                .map(|tensor| tensor.f_chunk(parts, 0));
        let pieces = classes?.into_iter().zip(counted?).zip(objects?).zip(codes?);
        Ok(pieces
            .map(|(((classes, counted), objects), codes)| Self {
                classes,
                counted,
                objects,
                codes,
            })
            .collect())
    }
}

/// The sum over anchors of focal loss and smooth L1, on the scale of a minibatch. `weights`, `[classes]`, counts
/// classes differently.
///
/// # Errors
///
/// Those of libtorch.
pub fn loss(
    output: &Output,
    targets: &Targets,
    scale: &Scale,
    weights: Option<&Tensor>,
) -> Result<Tensor> {
    let (logits, hot) = (&output.logits, &targets.classes);
    // 1 for the class of the object, -1 for the others: with s = sign * logit, p_t = sigmoid(s).
    let sign = hot.f_mul_scalar(2.0)?.f_sub_scalar(1.0)?;
    let signed = logits.f_mul(&sign)?;
    let easy = signed.f_neg()?.f_sigmoid()?.f_pow_tensor_scalar(GAMMA)?;
    let alpha = hot
        .f_mul_scalar(2.0 * ALPHA - 1.0)?
        .f_add_scalar(1.0 - ALPHA)?;
    let mut focal = signed
        .f_log_sigmoid()?
        .f_neg()?
        .f_mul(&easy)?
        .f_mul(&alpha)?
        .f_mul(&targets.counted)?;
    if let Some(weights) = weights {
        focal = focal.f_mul(weights)?;
    }
    let sum = scale
        .sum(focal, targets)?
        .f_add(&placement(output, targets, scale, weights)?)?;
    Ok(sum.f_div_scalar(scale.divisor())?)
}

/// The same with AP-loss in place of focal loss: what these images add to the loss of a minibatch whose
/// [`ApLoss::slopes`](super::ap_loss::ApLoss::slopes) at these images, f32 `[N, A, classes]`, are given. Its gradient with respect
/// to the logits is these slopes.
///
/// # Errors
///
/// Those of libtorch.
pub fn loss_by_slopes(
    output: &Output,
    targets: &Targets,
    slopes: &Tensor,
    scale: &Scale,
    weights: Option<&Tensor>,
) -> Result<Tensor> {
    // The slopes of the positives are their own errors, whose sum is the value; what is multiplied is 0, but has a gradient.
    let value = slopes.f_clamp_max(0.0)?.f_neg()?.f_sum(Kind::Float)?;
    let moved = output.logits.f_sub(&output.logits.f_detach()?)?;
    let placed = placement(output, targets, scale, weights)?.f_div_scalar(scale.divisor())?;
    let ranked = moved.f_mul(slopes)?.f_sum(Kind::Float)?.f_add(&value)?;
    Ok(ranked.f_add(&placed)?)
}

/// The sum of smooth L1 over the anchors with an object.
fn placement(
    output: &Output,
    targets: &Targets,
    scale: &Scale,
    weights: Option<&Tensor>,
) -> Result<Tensor> {
    let mut placed = output
        .codes
        .f_smooth_l1_loss(&targets.codes, Reduction::None, scale.terms.beta)?
        .f_mul(&targets.objects)?;
    if let Some(weights) = weights {
        let of_object = targets
            .classes
            .f_mul(weights)?
            .f_sum_dim_intlist(-1, true, Kind::Float)?;
        placed = placed.f_mul(&of_object)?;
    }
    scale.sum(placed, targets)
}

impl Scale {
    /// The sum of terms `[N, A, ..]`, before it is divided.
    fn sum(&self, terms: Tensor, targets: &Targets) -> Result<Tensor> {
        let terms = match self.terms.average {
            Average::Objects => terms,
            Average::Images => {
                let objects = targets.objects.f_sum_dim_intlist(1, true, Kind::Float)?;
                terms.f_div(&objects.f_clamp_min(1.0)?)?
            }
        };
        Ok(terms.f_sum(Kind::Float)?)
    }

    fn divisor(&self) -> f64 {
        let count = match self.terms.average {
            Average::Objects => self.objects,
            Average::Images => self.images,
        };
        count.max(1.0)
    }
}
