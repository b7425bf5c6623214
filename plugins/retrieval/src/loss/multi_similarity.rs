//! The multi-similarity loss.

use metricopt_sdk::Result;
use metricopt_sdk::tch::Tensor;

use super::pairs::{Pairs, number};

/// Weights of positives and negatives, the similarity in between and the margin of the mining, as published.
const ALPHA: f64 = 2.0;
const BETA: f64 = 50.0;
const BASE: f64 = 0.5;
const MARGIN: f64 = 0.1;

/// Out of the range of similarities.
const FAR: f64 = 10.0;

/// `mean over anchors of ln(1 + sum over P of exp(-alpha (s - base))) / alpha + ln(1 + sum over N of exp(beta (s - base))) / beta`
/// with alpha 2, beta 50 and base 0.5. `P` are positives less similar than the most similar negative plus 0.1, `N` negatives more
/// similar than the least similar positive minus 0.1. Anchors without either add 0.
///
/// Source: Wang, Han, Huang, Dong and Scott, CVPR 2019, equations 15 to 18.
///
/// # Errors
///
/// Those of libtorch.
pub fn multi_similarity(pairs: &Pairs) -> Result<Tensor> {
    let s = &pairs.similarity;
    let (kind, known) = (s.kind(), s.f_detach()?);
    let without = |mask: &Tensor| mask.f_neg()?.f_add_scalar(1.0)?.f_mul_scalar(FAR);
    let hardest_negative = known.f_sub(&without(&pairs.negative)?)?.f_amax([1], true)?;
    let hardest_positive = known.f_add(&without(&pairs.positive)?)?.f_amin([1], true)?;
    let close = known.f_sub_scalar(MARGIN)?.f_lt_tensor(&hardest_negative)?;
    let positive = number(&close, kind)?.f_mul(&pairs.positive)?;
    let close = known.f_add_scalar(MARGIN)?.f_gt_tensor(&hardest_positive)?;
    let negative = number(&close, kind)?.f_mul(&pairs.negative)?;
    let part = |weight: f64, mask: &Tensor| -> Result<Tensor> {
        let terms = s
            .f_sub_scalar(BASE)?
            .f_mul_scalar(weight)?
            .f_exp()?
            .f_mul(mask)?;
        let sums = terms.f_sum_dim_intlist(1, false, kind)?;
        Ok(sums.f_log1p()?.f_div_scalar(weight.abs())?)
    };
    let total = part(-ALPHA, &positive)?.f_add(&part(BETA, &negative)?)?;
    Ok(total.f_mean(kind)?)
}
