//! Probabilities sample by sample: what the metrics of probabilities share.

use metricopt_sdk::{Classification, Error, Result};

/// How far the probabilities of a sample may sum from 1: the rounding of half-precision networks passes.
const SLACK: f64 = 1e-3;

/// Each sample's probabilities with its label: `[p]`, that of class 1, for binary scores, else one for each class.
///
/// Those of several classes must sum to 1: a loss on others could be driven down without getting any decision right.
pub(crate) fn samples<'a>(
    input: Classification<'a>,
) -> Result<impl Iterator<Item = (&'a [f32], usize)>> {
    if input.is_empty() {
        return Err(Error::undefined("no samples"));
    }
    let scores = input.probabilities()?;
    let columns = if input.is_binary() {
        1
    } else {
        input.classes()
    };
    let rows = scores.chunks_exact(columns);
    if !input.is_binary() {
        for (at, row) in rows.clone().enumerate() {
            let sum: f64 = row.iter().map(|&p| f64::from(p)).sum();
            if (sum - 1.0).abs() > SLACK {
                return Err(Error::data(format!(
                    "tensor `scores` sums to {sum} at row {at}, expected probabilities that sum to 1"
                ))
                .hint("apply a softmax over the classes to the network's outputs first"));
            }
        }
    }
    Ok(rows.zip(input.labels().iter().map(|&label| label as usize)))
}
