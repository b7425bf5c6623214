//! Embeddings and labels.

use super::{Kind, Predictions, check_finite, check_shape};
use crate::{Error, Result, Views};

/// Embeddings of `N` items with the class of each.
///
/// ```
/// use metricopt_sdk::Retrieval;
///
/// let input = Retrieval::new(&[1.0, 0.0, 0.0, 1.0], 2, &[7, 7])?;
/// assert_eq!((input.len(), input.dimensions()), (2, 2));
/// # Ok::<(), metricopt_sdk::Error>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Retrieval<'a> {
    embeddings: &'a [f32],
    labels: &'a [i64],
    dimensions: usize,
}

impl<'a> Retrieval<'a> {
    /// Embeddings `[N, dimensions]`, row-major, and labels `[N]`.
    ///
    /// # Errors
    ///
    /// If the lengths do not fit or an embedding is not finite.
    pub fn new(embeddings: &'a [f32], dimensions: usize, labels: &'a [i64]) -> Result<Self> {
        if dimensions == 0 {
            return Err(Error::data("tensor `embeddings` has no columns"));
        }
        if labels.len().checked_mul(dimensions) != Some(embeddings.len()) {
            return Err(Error::data(format!(
                "tensor `embeddings` has {} rows, `labels` has {}",
                embeddings.len() / dimensions,
                labels.len()
            )));
        }
        check_finite("embeddings", embeddings)?;
        Ok(Self {
            embeddings,
            labels,
            dimensions,
        })
    }

    /// Number of items `N`.
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// Whether there is no item.
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    /// Length of an embedding `D`.
    pub fn dimensions(&self) -> usize {
        self.dimensions
    }

    /// The embeddings, row-major `[N, D]`.
    pub fn embeddings(&self) -> &'a [f32] {
        self.embeddings
    }

    /// The class of each item, any integers.
    pub fn labels(&self) -> &'a [i64] {
        self.labels
    }
}

impl<'a> Predictions<'a> for Retrieval<'a> {
    const KIND: Kind = Kind::Retrieval;

    fn from_views(views: &Views<'a>) -> Result<Self> {
        let embeddings = views.get("embeddings")?;
        let labels = views.get("labels")?;
        let &[rows, dimensions] = embeddings.shape() else {
            return Err(Error::data(format!(
                "tensor `embeddings` has shape {:?}, expected [N, D]",
                embeddings.shape()
            )));
        };
        check_shape("labels", labels.shape(), &[rows])?;
        Self::new(embeddings.f32()?, dimensions, labels.i64()?)
    }
}
