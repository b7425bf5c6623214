//! Predictions of one candidate: from outputs of the detector to rows of boxes.

use metricopt_data::detection::Frame;
use metricopt_nn::detector::detect::{Keeping, detect};
use metricopt_nn::detector::{Anchors, Output};
use metricopt_sdk::Result;
use metricopt_sdk::tch::{Device, Tensor};

/// Boxes found, in pixels of the original images.
#[derive(Debug, Default)]
pub(crate) struct FoundBoxes {
    pub(crate) boxes: Vec<f32>,
    pub(crate) scores: Vec<f32>,
    pub(crate) labels: Vec<i64>,
    pub(crate) image_ids: Vec<i64>,
}

impl FoundBoxes {
    /// Of the outputs for some images: their numbers and frames, in order. `size` is `[height, width]` of what the detector saw.
    ///
    /// # Errors
    ///
    /// Those of libtorch.
    pub(crate) fn of(
        output: &Output,
        images: &[(u32, Frame)],
        anchors: &Anchors,
        size: [f32; 2],
        keeping: &Keeping,
    ) -> Result<Self> {
        let (logits, codes) = (values(&output.logits)?, values(&output.codes)?);
        let classes = logits.len() / (images.len() * anchors.boxes().len()).max(1);
        let anchor_count = anchors.boxes().len();
        let mut all = Self::default();
        for ((&(row, frame), logits), codes) in images
            .iter()
            .zip(logits.chunks_exact((anchor_count * classes).max(1)))
            .zip(codes.chunks_exact(anchor_count * 4))
        {
            for found in detect(logits, codes, anchors, size, keeping) {
                all.boxes.extend(frame.outward(found.corners));
                all.scores.push(found.score);
                all.labels.push(i64::from(found.class));
                all.image_ids.push(i64::from(row));
            }
        }
        Ok(all)
    }

    /// Adds those of further images.
    pub(crate) fn append(&mut self, mut other: Self) {
        self.boxes.append(&mut other.boxes);
        self.scores.append(&mut other.scores);
        self.labels.append(&mut other.labels);
        self.image_ids.append(&mut other.image_ids);
    }
}

/// All numbers of a tensor, row by row.
///
/// # Errors
///
/// Those of libtorch.
pub(crate) fn values(tensor: &Tensor) -> Result<Vec<f32>> {
    let flat = tensor.f_to_device(Device::Cpu)?.f_reshape([-1])?;
    Ok(Vec::try_from(flat)?)
}
