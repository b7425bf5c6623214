//! Weights of a RetinaNet from a file, for the classes of the data.

use metricopt_data::detection::Splits;
use metricopt_nn::Weights;
use metricopt_nn::detector::retinanet::{class_count, select_classes};
use metricopt_sdk::{Error, Result};
use std::path::Path;

/// Reads weights and leaves of their scores those of the classes of the data, in the order of these. `logits` says which they
/// are; if it is empty, they are found by [`places`].
///
/// # Errors
///
/// If the file cannot be read or is not that of a RetinaNet, or if it cannot be told which scores are meant.
pub(crate) fn retinanet(path: &Path, logits: &[usize], splits: &Splits) -> Result<Weights> {
    let weights = Weights::read(path)?;
    // What is no RetinaNet is refused with all differences named when the network is built.
    let Some(scored) = class_count(&weights) else {
        return Ok(weights);
    };
    let classes = splits.train.classes.len();
    let places = places(scored, classes, logits, &splits.class_numbers)
        .map_err(|error| error.context(format!("`{}`", path.display())))?;
    if places.iter().copied().eq(0..scored) {
        return Ok(weights);
    }
    select_classes(weights, &places)
}

/// Where the classes of the data stand among those that are scored.
///
/// As many as are scored: in their order. One more is scored: the first is background, as in torchvision. More: by the numbers that
/// the annotations give the classes, as torchvision's weights for COCO have them.
fn places(
    scored: usize,
    classes: usize,
    logits: &[usize],
    numbers: &[usize],
) -> Result<Vec<usize>> {
    let within = |places: &[usize]| places.iter().all(|&place| place < scored);
    if !logits.is_empty() {
        if logits.len() != classes || !within(logits) {
            return Err(Error::configuration(format!(
                "`logits` names {} places among {scored} scores, but the data has {classes} classes",
                logits.len()
            ))
            .hint(format!("name {classes} numbers from 0 to {}", scored.saturating_sub(1))));
        }
        return Ok(logits.to_vec());
    }
    if scored == classes {
        return Ok((0..classes).collect());
    }
    if scored == classes + 1 {
        return Ok((1..scored).collect());
    }
    if scored > classes && numbers.len() == classes && within(numbers) {
        return Ok(numbers.to_vec());
    }
    Err(Error::configuration(format!(
        "the weights score {scored} classes, but the data has {classes}"
    ))
    .hint(
        "the numbers are the same, or one more for torchvision's background; otherwise say which score belongs to each class, \
         as in `--set 'task.logits=[1, 17, 18]'`",
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scores_are_found_by_their_number_and_by_the_numbers_of_the_annotations() {
        assert_eq!(places(3, 3, &[], &[]).unwrap(), [0, 1, 2]);
        assert_eq!(places(4, 3, &[], &[]).unwrap(), [1, 2, 3]);
        assert_eq!(places(91, 2, &[], &[17, 90]).unwrap(), [17, 90]);
        assert_eq!(places(91, 2, &[3, 1], &[17, 90]).unwrap(), [3, 1]);
    }

    #[test]
    fn what_cannot_be_told_names_both_numbers() {
        for (logits, numbers) in [
            (&[][..], &[][..]),
            (&[], &[1, 91]),
            (&[1], &[]),
            (&[1, 91], &[]),
        ] {
            let error = places(91, 2, logits, numbers).unwrap_err().to_string();
            assert!(error.contains("91") && error.contains('2'), "{error}");
        }
        assert!(places(2, 3, &[], &[]).is_err());
    }
}
