//! The triplet loss with semi-hard negatives.

use metricopt_sdk::Result;
use metricopt_sdk::tch::Tensor;

use super::pairs::{Pairs, mean_where, number};

/// How much nearer the positive has to be, in squared Euclidean distance of unit embeddings.
const MARGIN: f64 = 0.2;

/// `mean over (a, p) of max(0, d(a, p) - d(a, n) + margin)`, margin 0.2, where `n` is the nearest of the negatives that are
/// farther from `a` than `p`, or the farthest of all negatives if none is; `d` is the squared distance of unit embeddings.
///
/// Source: Schroff, Kalenichenko and Philbin, FaceNet, CVPR 2015, sections 3.1 and 3.2.
///
/// # Errors
///
/// Those of libtorch.
pub fn triplet(pairs: &Pairs) -> Result<Tensor> {
    let kind = pairs.similarity.kind();
    let distance = pairs.similarity.f_mul_scalar(-2.0)?.f_add_scalar(2.0)?;
    let known = distance.f_detach()?;
    // `[a, p, n]`: whether `n` is a negative of `a` that is farther than `p`.
    let farther = known.f_unsqueeze(1)?.f_gt_tensor(&known.f_unsqueeze(2)?)?;
    let semi_hard = number(&farther, kind)?.f_mul(&pairs.negative.f_unsqueeze(1)?)?;
    // What is no candidate is out of the range of distances, 0 to 4.
    let out = semi_hard.f_neg()?.f_add_scalar(1.0)?.f_mul_scalar(10.0)?;
    let nearest = known.f_unsqueeze(1)?.f_add(&out)?.f_argmin(2, false)?;
    let out = pairs
        .negative
        .f_neg()?
        .f_add_scalar(1.0)?
        .f_mul_scalar(10.0)?;
    let farthest = known
        .f_sub(&out)?
        .f_argmax(1, true)?
        .f_expand_as(&nearest)?;
    let any = semi_hard.f_amax([2], false)?.f_gt(0.0)?;
    let chosen = nearest.f_where_self(&any, &farthest)?;
    let to_negative = distance.f_gather(1, &chosen, false)?;
    let hinge = distance
        .f_sub(&to_negative)?
        .f_add_scalar(MARGIN)?
        .f_relu()?;
    let has_negative = pairs.negative.f_amax([1], true)?;
    mean_where(&hinge, &pairs.positive.f_mul(&has_negative)?)
}
