//! Boxes found and boxes true.

use super::{Kind, Predictions, check_finite, check_shape};
use crate::{Error, Result, View, Views};

/// `M` predicted and `G` true boxes over a set of images.
///
/// Boxes are `x1, y1, x2, y2` in pixels; `image_ids` say which image a box belongs to; difficult objects are marked by
/// a non-zero byte.
///
/// ```
/// use metricopt_sdk::{Data, Detection, Predictions, View, Views};
///
/// let tensors = [
///     View::new("boxes", &[1, 4], Data::F32(&[0.0, 0.0, 9.0, 9.0]))?,
///     View::new("scores", &[1], Data::F32(&[0.8]))?,
///     View::new("labels", &[1], Data::I64(&[3]))?,
///     View::new("image_ids", &[1], Data::I64(&[0]))?,
///     View::new("gt_boxes", &[1, 4], Data::F32(&[0.0, 0.0, 8.0, 9.0]))?,
///     View::new("gt_labels", &[1], Data::I64(&[3]))?,
///     View::new("gt_image_ids", &[1], Data::I64(&[0]))?,
///     View::new("gt_difficult", &[1], Data::U8(&[0]))?,
/// ];
/// let input = Detection::from_views(&Views::new(&tensors))?;
/// assert_eq!((input.boxes.len(), input.gt_boxes.len()), (1, 1));
/// # Ok::<(), metricopt_sdk::Error>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Detection<'a> {
    /// Predicted boxes, `[M]` of `x1, y1, x2, y2`.
    pub boxes: &'a [[f32; 4]],
    /// Confidence of each predicted box, `[M]`.
    pub scores: &'a [f32],
    /// Class of each predicted box, `[M]`.
    pub labels: &'a [i64],
    /// Image of each predicted box, `[M]`.
    pub image_ids: &'a [i64],
    /// True boxes, `[G]`.
    pub gt_boxes: &'a [[f32; 4]],
    /// Class of each true box, `[G]`.
    pub gt_labels: &'a [i64],
    /// Image of each true box, `[G]`.
    pub gt_image_ids: &'a [i64],
    /// Non-zero where the true box is marked difficult, `[G]`.
    pub gt_difficult: &'a [u8],
}

fn boxes<'a>(view: &View<'a>) -> Result<&'a [[f32; 4]]> {
    let &[_, 4] = view.shape() else {
        return Err(Error::data(format!(
            "tensor `{}` has shape {:?}, expected [M, 4]",
            view.name(),
            view.shape()
        )));
    };
    let values = view.f32()?;
    check_finite(view.name(), values)?;
    Ok(values.as_chunks().0)
}

impl<'a> Predictions<'a> for Detection<'a> {
    const KIND: Kind = Kind::Detection;

    fn from_views(views: &Views<'a>) -> Result<Self> {
        let found = boxes(views.get("boxes")?)?;
        let truth = boxes(views.get("gt_boxes")?)?;
        let flat = |name: &str, rows: usize| -> Result<&'a View<'a>> {
            let view = views.get(name)?;
            check_shape(name, view.shape(), &[rows])?;
            Ok(view)
        };
        let scores = flat("scores", found.len())?.f32()?;
        check_finite("scores", scores)?;
        Ok(Self {
            boxes: found,
            scores,
            labels: flat("labels", found.len())?.i64()?,
            image_ids: flat("image_ids", found.len())?.i64()?,
            gt_boxes: truth,
            gt_labels: flat("gt_labels", truth.len())?.i64()?,
            gt_image_ids: flat("gt_image_ids", truth.len())?.i64()?,
            gt_difficult: flat("gt_difficult", truth.len())?.u8()?,
        })
    }
}
