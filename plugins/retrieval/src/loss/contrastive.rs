//! The contrastive loss on cosine similarities.

use metricopt_sdk::Result;
use metricopt_sdk::tch::Tensor;

use super::pairs::{Pairs, mean_where, number};

/// Negatives are pushed below this similarity.
const MARGIN: f64 = 0.5;

/// `mean over positive pairs of (1 - s) + mean over negative pairs with s > margin of (s - margin)`, margin 0.5.
///
/// Source: Hadsell, Chopra and LeCun, CVPR 2006, equation 4, with cosine similarities for distances and without squares, as
/// Wang et al. (Cross-batch memory, CVPR 2020, equation 1) use it. Negatives beyond the margin do not count in the mean.
///
/// # Errors
///
/// Those of libtorch.
pub fn contrastive(pairs: &Pairs) -> Result<Tensor> {
    let s = &pairs.similarity;
    let pull = mean_where(&s.f_neg()?.f_add_scalar(1.0)?, &pairs.positive)?;
    let above = s.f_sub_scalar(MARGIN)?;
    let active = number(&above.f_gt(0.0)?, s.kind())?.f_mul(&pairs.negative)?;
    Ok(pull.f_add(&mean_where(&above, &active)?)?)
}
