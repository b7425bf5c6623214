//! Scores and labels.

use super::{Kind, Predictions, check_finite, check_shape};
use crate::{Data, Error, Result, View, Views};

/// Scores and labels of `N` samples.
///
/// Binary tasks have one score a sample, the probability of the positive class, and labels 0 and 1. Tasks of `C`
/// classes have `C` scores a sample and labels `0..C`. Scores are finite; metrics that read them as probabilities ask
/// for [`probabilities`](Self::probabilities), metrics that only rank take [`scores`](Self::scores).
///
/// ```
/// use metricopt_sdk::Classification;
///
/// let input = Classification::binary(&[0.9, 0.2, 0.6], &[1, 0, 1])?;
/// assert_eq!((input.len(), input.classes(), input.is_binary()), (3, 2, true));
/// assert!(Classification::binary(&[0.9, f32::NAN], &[1, 0]).is_err());
/// assert!(Classification::binary(&[0.9, 0.1], &[1, 2]).is_err());
/// # Ok::<(), metricopt_sdk::Error>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Classification<'a> {
    scores: &'a [f32],
    labels: &'a [i64],
    /// 1 for binary scores `[N]`, else `C`.
    columns: usize,
}

impl<'a> Classification<'a> {
    /// Binary scores `[N]` with labels 0 and 1.
    ///
    /// # Errors
    ///
    /// If the lengths differ, a score is not finite or a label is neither 0 nor 1.
    pub fn binary(scores: &'a [f32], labels: &'a [i64]) -> Result<Self> {
        Self::new(scores, labels, 1)
    }

    /// Scores `[N, C]`, row-major, with labels `0..C`.
    ///
    /// # Errors
    ///
    /// If `classes < 2`, the lengths do not fit, a score is not finite or a label is out of range.
    ///
    /// ```
    /// use metricopt_sdk::Classification;
    ///
    /// let input = Classification::multiclass(&[0.7, 0.2, 0.1, 0.1, 0.1, 0.8], &[0, 2], 3)?;
    /// assert_eq!((input.len(), input.classes()), (2, 3));
    /// # Ok::<(), metricopt_sdk::Error>(())
    /// ```
    pub fn multiclass(scores: &'a [f32], labels: &'a [i64], classes: usize) -> Result<Self> {
        if classes < 2 {
            return Err(Error::data(format!(
                "tensor `scores` has {classes} columns, expected at least 2"
            ))
            .hint("binary scores have the shape [N], not [N, 1]"));
        }
        Self::new(scores, labels, classes)
    }

    fn new(scores: &'a [f32], labels: &'a [i64], columns: usize) -> Result<Self> {
        if labels.len().checked_mul(columns) != Some(scores.len()) {
            return Err(Error::data(format!(
                "tensor `scores` has {} rows, `labels` has {}",
                scores.len() / columns,
                labels.len()
            )));
        }
        check_finite("scores", scores)?;
        let this = Self {
            scores,
            labels,
            columns,
        };
        let classes = this.classes() as u64;
        // A negative label becomes a huge unsigned one, so that one comparison checks both ends.
        let largest = labels.iter().map(|&label| label as u64).max().unwrap_or(0);
        if largest >= classes {
            let at = labels.iter().position(|&label| label as u64 >= classes);
            let at = at.unwrap_or_default();
            return Err(Error::data(format!(
                "tensor `labels` holds {} at row {at}, expected 0..={}",
                labels[at],
                classes - 1
            )));
        }
        Ok(this)
    }

    /// Number of samples `N`.
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// Whether there is no sample.
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    /// Number of classes; 2 for binary scores.
    pub fn classes(&self) -> usize {
        self.columns.max(2)
    }

    /// Whether the scores are binary, `[N]`.
    pub fn is_binary(&self) -> bool {
        self.columns == 1
    }

    /// The scores, `[N]` or row-major `[N, C]`; finite, nothing else is promised.
    pub fn scores(&self) -> &'a [f32] {
        self.scores
    }

    /// The labels, `[N]`.
    pub fn labels(&self) -> &'a [i64] {
        self.labels
    }

    /// The scores, after checking that each lies in `[0, 1]`.
    ///
    /// # Errors
    ///
    /// Names the first score that is no probability.
    pub fn probabilities(&self) -> Result<&'a [f32]> {
        // Two folds without early exit vectorise; the position is looked for only when something is wrong.
        let low = self.scores.iter().copied().fold(0.0_f32, f32::min);
        let high = self.scores.iter().copied().fold(1.0_f32, f32::max);
        if low >= 0.0 && high <= 1.0 {
            return Ok(self.scores);
        }
        let at = self
            .scores
            .iter()
            .position(|score| !(0.0..=1.0).contains(score));
        let at = at.unwrap_or_default();
        Err(Error::data(format!(
            "tensor `scores` holds {} at row {}, which is no probability",
            self.scores[at],
            at / self.columns
        ))
        .hint("apply a sigmoid or a softmax to the network's outputs first"))
    }

    /// The class each sample is assigned to: for binary scores 1 where the probability is at least 0.5, else the
    /// class with the largest score, the first of equals.
    ///
    /// # Errors
    ///
    /// If binary scores are no probabilities.
    pub fn decisions(&self) -> Result<impl Iterator<Item = usize> + 'a> {
        let columns = self.columns;
        let scores = if columns == 1 {
            self.probabilities()?
        } else {
            self.scores
        };
        Ok(scores.chunks_exact(columns).map(move |row| match row {
            [score] => usize::from(*score >= 0.5),
            row => (1..columns).fold(
                0,
                |best, class| {
                    if row[class] > row[best] { class } else { best }
                },
            ),
        }))
    }

    /// Copies the given rows, in the given order and as often as they stand there: one bootstrap sample.
    ///
    /// # Panics
    ///
    /// If a row is out of range.
    ///
    /// ```
    /// use metricopt_sdk::Classification;
    ///
    /// let input = Classification::binary(&[0.9, 0.2, 0.6], &[1, 0, 1])?;
    /// let sample = input.select(&[2, 2, 1]);
    /// assert_eq!(sample.view().scores(), [0.6, 0.6, 0.2]);
    /// # Ok::<(), metricopt_sdk::Error>(())
    /// ```
    pub fn select(&self, rows: &[u32]) -> OwnedClassification {
        let chosen = rows.iter().map(|&row| row as usize);
        let scores = match self.columns {
            // A run of one value is no run: copying it as one would take longer than all else.
            1 => chosen.clone().map(|row| self.scores[row]).collect(),
            columns => {
                let mut scores = Vec::with_capacity(rows.len() * columns);
                for row in chosen.clone() {
                    scores.extend_from_slice(&self.scores[row * columns..(row + 1) * columns]);
                }
                scores
            }
        };
        OwnedClassification {
            scores,
            labels: chosen.map(|row| self.labels[row]).collect(),
            columns: self.columns,
        }
    }

    /// Copies everything.
    pub fn to_owned(&self) -> OwnedClassification {
        OwnedClassification {
            scores: self.scores.to_vec(),
            labels: self.labels.to_vec(),
            columns: self.columns,
        }
    }
}

impl<'a> Predictions<'a> for Classification<'a> {
    const KIND: Kind = Kind::Classification;

    fn from_views(views: &Views<'a>) -> Result<Self> {
        let scores = views.get("scores")?;
        let labels = views.get("labels")?;
        let (rows, columns) = match *scores.shape() {
            [rows] => (rows, 1),
            [_, columns] if columns < 2 => {
                return Self::multiclass(scores.f32()?, labels.i64()?, columns);
            }
            [rows, columns] => (rows, columns),
            _ => {
                return Err(Error::data(format!(
                    "tensor `scores` has shape {:?}, expected [N] or [N, C]",
                    scores.shape()
                )));
            }
        };
        check_shape("labels", labels.shape(), &[rows])?;
        Self::new(scores.f32()?, labels.i64()?, columns)
    }
}

/// Scores and labels that own their memory; see [`Classification`].
///
/// ```
/// use metricopt_sdk::Classification;
///
/// let mut owned = Classification::binary(&[0.2, 0.7], &[0, 1])?.to_owned();
/// owned.map_scores(|score| 1.0 - score)?;
/// assert_eq!(owned.view().scores(), [0.8, 0.3]);
/// assert!(owned.map_scores(|_| f32::NAN).is_err());
/// assert_eq!(owned.view().scores(), [0.8, 0.3]);
/// # Ok::<(), metricopt_sdk::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct OwnedClassification {
    scores: Vec<f32>,
    labels: Vec<i64>,
    columns: usize,
}

impl OwnedClassification {
    /// The validated view. Nothing is checked again: the numbers came from one, or were mapped by
    /// [`map_scores`](Self::map_scores), which checks.
    pub fn view(&self) -> Classification<'_> {
        Classification {
            scores: &self.scores,
            labels: &self.labels,
            columns: self.columns,
        }
    }

    /// Replaces every score.
    ///
    /// # Errors
    ///
    /// If a new score is not finite; nothing is replaced then.
    pub fn map_scores(&mut self, map: impl Fn(f32) -> f32) -> Result<()> {
        let mapped: Vec<f32> = self.scores.iter().map(|&score| map(score)).collect();
        // Checked before it counts: a view of what is owned here is valid at any time.
        check_finite("scores", &mapped)?;
        self.scores = mapped;
        Ok(())
    }

    /// Calls `call` with the named tensors, as they cross to a metric.
    ///
    /// # Errors
    ///
    /// Those of `call`.
    pub fn with_views<T>(&self, call: impl FnOnce(&Views<'_>) -> Result<T>) -> Result<T> {
        let rows = self.labels.len();
        let flat = [rows];
        let matrix = [rows, self.columns];
        let shape: &[usize] = if self.columns == 1 { &flat } else { &matrix };
        let tensors = [
            View::new("scores", shape, Data::F32(&self.scores))?,
            View::new("labels", &flat, Data::I64(&self.labels))?,
        ];
        call(&Views::new(&tensors))
    }
}
