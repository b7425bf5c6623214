//! Which box found takes which object, by the rule of the VOC devkit.

use metricopt_sdk::Detection;

use super::by_image::ByImage;
use super::overlap::Region;
use super::ranked::Ranked;
use super::truth::Truth;

/// Calls `visit` with each class that has a value and the precision wherever another of its objects is found.
///
/// From the highest score down, a box looks at the one object of its class and image that it overlaps most, the first
/// of several. Too small an overlap is an error, and so is an object that was found before; a difficult object makes the
/// box count nothing.
pub(crate) fn each_class(
    truth: &Truth,
    found: &Ranked,
    input: &Detection<'_>,
    iou: f64,
    mut visit: impl FnMut(usize, Vec<f64>),
) {
    let mut by_image = ByImage::new(found.images());
    let mut taken = vec![false; truth.objects().len()];
    for class in truth.scored_classes() {
        let precisions = by_image.with_class(truth, class, |by_image| {
            let mut precisions = Vec::with_capacity(truth.counted(class).min(found.len(class)));
            let mut counted = 0.0;
            for (row, image) in found.class(class) {
                counted += 1.0;
                let candidates = by_image.objects(image);
                if candidates.is_empty() {
                    continue;
                }
                let region = Region::new(input.boxes[row], truth.areas);
                let (mut best, mut largest) = (candidates.start, 0.0);
                for (object, at) in truth.objects()[candidates.clone()].iter().zip(candidates) {
                    let overlap = region.overlap(&object.region);
                    if overlap > largest {
                        (best, largest) = (at, overlap);
                    }
                }
                if largest < iou {
                    continue;
                }
                if truth.objects()[best].difficult {
                    counted -= 1.0;
                } else if !std::mem::replace(&mut taken[best], true) {
                    precisions.push((precisions.len() + 1) as f64 / counted);
                }
            }
            precisions
        });
        visit(class, precisions);
    }
}
