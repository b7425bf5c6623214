//! The supervised contrastive loss.

use metricopt_sdk::Result;
use metricopt_sdk::tch::Tensor;

use super::pairs::Pairs;

const TEMPERATURE: f64 = 0.1;

/// Takes an item out of its own softmax.
const FAR: f64 = 1e4;

/// `mean over anchors i of -1 / |P(i)| sum over p in P(i) of ln(exp(s_ip / t) / sum over a != i of exp(s_ia / t))` with `t` = 0.1.
/// Anchors without positives are left out.
///
/// Source: Khosla et al., Supervised contrastive learning, NeurIPS 2020, equation 2 (the form with the sum outside the logarithm).
///
/// # Errors
///
/// Those of libtorch.
pub fn supervised_contrastive(pairs: &Pairs) -> Result<Tensor> {
    let (s, kind) = (&pairs.similarity, pairs.similarity.kind());
    let own = Tensor::f_eye(pairs.count(), (kind, s.device()))?;
    let logits = s
        .f_div_scalar(TEMPERATURE)?
        .f_sub(&own.f_mul_scalar(FAR)?)?;
    let surprise = logits
        .f_log_softmax(1, kind)?
        .f_neg()?
        .f_mul(&pairs.positive)?;
    let positives = pairs.positive.f_sum_dim_intlist(1, false, kind)?;
    let of_anchor = surprise
        .f_sum_dim_intlist(1, false, kind)?
        .f_div(&positives.f_clamp_min(1.0)?)?;
    let anchors = positives.f_clamp_max(1.0)?.f_sum(kind)?.f_clamp_min(1.0)?;
    Ok(of_anchor.f_sum(kind)?.f_div(&anchors)?)
}
