//! What every detection metric asks of its input.

use metricopt_sdk::{Detection, Error, Result};

/// Checks the true boxes: lengths, finite corners, and corners the right way round.
pub(crate) fn check_truth(input: &Detection<'_>) -> Result<()> {
    let rows = input.gt_boxes.len();
    check_rows("gt_boxes", rows)?;
    check_length("gt_labels", input.gt_labels.len(), rows)?;
    check_length("gt_image_ids", input.gt_image_ids.len(), rows)?;
    check_length("gt_difficult", input.gt_difficult.len(), rows)?;
    check_finite("gt_boxes", input.gt_boxes.as_flattened())?;
    let inverted = |[x1, y1, x2, y2]: &[f32; 4]| x2 < x1 || y2 < y1;
    match input.gt_boxes.iter().position(inverted) {
        Some(at) => Err(Error::data(format!(
            "tensor `gt_boxes` row {at} is {:?}: its second corner lies before its first",
            input.gt_boxes[at]
        ))
        .hint("boxes are `x1, y1, x2, y2` with x1 <= x2 and y1 <= y2")),
        None => Ok(()),
    }
}

/// Checks the boxes found: lengths, finite corners and scores. A network may turn corners round.
pub(crate) fn check_found(input: &Detection<'_>) -> Result<()> {
    let rows = input.boxes.len();
    check_rows("boxes", rows)?;
    check_length("scores", input.scores.len(), rows)?;
    check_length("labels", input.labels.len(), rows)?;
    check_length("image_ids", input.image_ids.len(), rows)?;
    check_finite("boxes", input.boxes.as_flattened())?;
    check_finite("scores", input.scores)
}

/// Rows are numbered by 32 bits.
fn check_rows(name: &str, rows: usize) -> Result<()> {
    if rows < u32::MAX as usize {
        return Ok(());
    }
    Err(Error::unsupported(format!(
        "tensor `{name}` has {rows} rows, more than 2^32"
    )))
}

fn check_length(name: &str, length: usize, rows: usize) -> Result<()> {
    if length == rows {
        return Ok(());
    }
    Err(Error::data(format!(
        "tensor `{name}` has {length} elements, expected {rows}: one a box"
    )))
}

fn check_finite(name: &str, values: &[f32]) -> Result<()> {
    match values.iter().position(|value| !value.is_finite()) {
        Some(at) => Err(Error::data(format!(
            "tensor `{name}` holds {} at element {at}",
            values[at]
        ))),
        None => Ok(()),
    }
}
