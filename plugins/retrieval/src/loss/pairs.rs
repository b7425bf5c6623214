//! What the losses of a minibatch start from: who is how near to whom, and who is of one class.

use metricopt_sdk::tch::{Kind, Tensor};
use metricopt_sdk::{Error, Result};

/// Least length of an embedding that is divided by it.
const EPSILON: f64 = 1e-12;

/// All pairs of a minibatch of `N` embeddings.
pub struct Pairs {
    /// Cosine similarities, `[N, N]`.
    pub similarity: Tensor,
    /// 1 where two different items are of one class, else 0; `[N, N]`.
    pub positive: Tensor,
    /// 1 where two items are of different classes, else 0; `[N, N]`.
    pub negative: Tensor,
}

impl Pairs {
    /// Of embeddings f32 or f64 `[N, D]` and their classes.
    ///
    /// # Errors
    ///
    /// If there are not as many classes as embeddings, or none.
    pub fn new(embeddings: &Tensor, labels: &[i64]) -> Result<Self> {
        let count = labels.len() as i64;
        if count == 0 || embeddings.size().first() != Some(&count) {
            return Err(Error::failed(format!(
                "embeddings {:?} with {count} labels",
                embeddings.size()
            )));
        }
        let unit = unit(embeddings)?;
        let labels = Tensor::f_from_slice(labels)?.f_to_device(embeddings.device())?;
        let same = labels
            .f_unsqueeze(1)?
            .f_eq_tensor(&labels.f_unsqueeze(0)?)?;
        let same = same.f_to_kind(embeddings.kind())?;
        let own = Tensor::f_eye(count, (embeddings.kind(), embeddings.device()))?;
        Ok(Self {
            similarity: unit.f_matmul(&unit.f_transpose(0, 1)?)?,
            positive: same.f_sub(&own)?,
            negative: same.f_neg()?.f_add_scalar(1.0)?,
        })
    }

    /// Number of items.
    pub(super) fn count(&self) -> i64 {
        self.similarity.size()[0]
    }
}

/// Embeddings of length 1.
pub(super) fn unit(embeddings: &Tensor) -> Result<Tensor> {
    let length = embeddings
        .f_square()?
        .f_sum_dim_intlist(-1, true, embeddings.kind())?;
    Ok(embeddings.f_mul(&length.f_clamp_min(EPSILON)?.f_rsqrt()?)?)
}

/// The sum of `values` where `mask` is 1, divided by the number of places; 0 if there are none.
pub(super) fn mean_where(values: &Tensor, mask: &Tensor) -> Result<Tensor> {
    let kind = values.kind();
    let count = mask.f_sum(kind)?.f_clamp_min(1.0)?;
    Ok(values.f_mul(mask)?.f_sum(kind)?.f_div(&count)?)
}

/// 1 where a condition holds, as numbers of a kind.
pub(super) fn number(condition: &Tensor, kind: Kind) -> Result<Tensor> {
    Ok(condition.f_to_kind(kind)?)
}
