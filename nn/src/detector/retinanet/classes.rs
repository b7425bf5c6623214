//! Which classes the weights of a RetinaNet score.

use metricopt_sdk::tch::Tensor;
use metricopt_sdk::{Error, Result};

use super::{PER_CELL, SCORES};
use crate::weights::Weights;

/// Number of classes that weights score; `None` if they are not those of a RetinaNet.
pub fn class_count(weights: &Weights) -> Option<usize> {
    let outputs = weights.get(&format!("{SCORES}.bias"))?.size();
    let outputs = outputs.first().copied()? as usize;
    outputs
        .is_multiple_of(PER_CELL)
        .then_some(outputs / PER_CELL)
}

/// The same weights with some of the classes alone, in this order.
///
/// # Errors
///
/// If there is no such class; those of libtorch.
pub fn select_classes(weights: Weights, classes: &[usize]) -> Result<Weights> {
    let count = class_count(&weights).unwrap_or(0);
    if let Some(beyond) = classes.iter().find(|&&class| class >= count) {
        return Err(Error::data(format!(
            "class {beyond} was asked for, but the weights score classes 0 to below {count}"
        )));
    }
    let chosen: Vec<i64> = (0..PER_CELL)
        .flat_map(|anchor| {
            classes
                .iter()
                .map(move |class| (anchor * count + class) as i64)
        })
        .collect();
    let chosen = Tensor::f_from_slice(&chosen)?;
    weights.replace(|name, tensor| {
        let scores = name
            .strip_prefix(SCORES)
            .is_some_and(|rest| rest.starts_with('.'));
        Ok(match scores {
            true => tensor.f_index_select(0, &chosen)?,
            false => tensor,
        })
    })
}
