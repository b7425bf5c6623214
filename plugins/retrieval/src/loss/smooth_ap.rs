//! Smooth average precision.

use metricopt_sdk::Result;
use metricopt_sdk::tch::Tensor;

use super::pairs::Pairs;

/// Width of the sigmoid, as published.
const TEMPERATURE: f64 = 0.01;

/// `1 - mean over queries of AP`, where in the ranks of AP each step `[s_j > s_i]` is a sigmoid `1 / (1 + exp((s_i - s_j) / 0.01))`;
/// a query ranks all other items. Queries without a positive are left out.
///
/// Source: Brown, Xie, Kalogeiton and Zisserman, Smooth-AP, ECCV 2020, equation 6.
///
/// # Errors
///
/// Those of libtorch.
pub fn smooth_ap(pairs: &Pairs) -> Result<Tensor> {
    let (s, kind) = (&pairs.similarity, pairs.similarity.kind());
    // `[q, i, j]`: how far item `j` stands before item `i` for query `q`; not itself, and not the query.
    let before = s.f_unsqueeze(1)?.f_sub(&s.f_unsqueeze(2)?)?;
    let before = before.f_div_scalar(TEMPERATURE)?.f_sigmoid()?;
    let own = Tensor::f_eye(pairs.count(), (kind, s.device()))?;
    let other = own.f_neg()?.f_add_scalar(1.0)?;
    let before = before.f_mul(&other.f_unsqueeze(0)?)?;
    let rank = |among: &Tensor| -> Result<Tensor> {
        let counted = before.f_mul(&among.f_unsqueeze(1)?)?;
        Ok(counted
            .f_sum_dim_intlist(2, false, kind)?
            .f_add_scalar(1.0)?)
    };
    let precision = rank(&pairs.positive)?.f_div(&rank(&other)?)?;
    let positives = pairs.positive.f_sum_dim_intlist(1, false, kind)?;
    let sums = precision
        .f_mul(&pairs.positive)?
        .f_sum_dim_intlist(1, false, kind)?;
    let average = sums.f_div(&positives.f_clamp_min(1.0)?)?;
    let has = positives.f_clamp_max(1.0)?;
    let missing = has.f_sub(&average)?.f_sum(kind)?;
    Ok(missing.f_div(&has.f_sum(kind)?.f_clamp_min(1.0)?)?)
}
