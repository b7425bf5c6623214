//! Which box found takes which object, by the rule of the COCO API.

use metricopt_sdk::Detection;

use super::by_image::ByImage;
use super::overlap::Region;
use super::ranked::Ranked;
use super::thresholds::MOST;
use super::truth::{Object, Truth};

/// What the boxes found of one class come to.
pub(crate) struct Matched<'a> {
    pub(crate) class: usize,
    /// For each threshold the precision wherever another object is found, from the highest score down.
    pub(crate) precisions: &'a [Vec<f64>],
}

/// Calls `visit` with each class that has a value.
///
/// Of each image and class the `most` highest scores count. For each threshold by itself, from the highest score down, a
/// box takes the object that it overlaps most, at least by the threshold, among those not taken yet; the last of
/// several. Only if there is none it takes a difficult one, and then counts nothing.
pub(crate) fn each_class(
    truth: &Truth,
    found: &Ranked,
    input: &Detection<'_>,
    thresholds: &[f64],
    most: usize,
    mut visit: impl FnMut(Matched<'_>),
) {
    let mut by_image = ByImage::new(found.images());
    let mut seen = vec![0_usize; found.images()];
    // Of each object the thresholds at which it is taken, as bits.
    let mut taken = vec![0_u16; truth.objects().len()];
    let mut overlaps = Vec::new();
    let mut precisions = vec![Vec::new(); thresholds.len()];
    for class in truth.scored_classes() {
        precisions.iter_mut().for_each(Vec::clear);
        by_image.with_class(truth, class, |by_image| {
            let mut rank = 0;
            let mut ignored = [0_u32; MOST];
            for (row, image) in found.class(class) {
                seen[image] += 1;
                if seen[image] > most {
                    continue;
                }
                rank += 1;
                let candidates = by_image.objects(image);
                if candidates.is_empty() {
                    continue;
                }
                let objects = &truth.objects()[candidates.clone()];
                let region = Region::new(input.boxes[row], truth.areas);
                overlaps.clear();
                overlaps.extend(objects.iter().map(|object| region.overlap(&object.region)));
                let largest = overlaps.iter().copied().fold(0.0, f64::max);
                for (at, &threshold) in thresholds.iter().enumerate() {
                    if largest < threshold {
                        break;
                    }
                    let taken = &mut taken[candidates.clone()];
                    let Some(best) = best(&overlaps, objects, taken, 1 << at, threshold) else {
                        continue;
                    };
                    taken[best] |= 1 << at;
                    if objects[best].difficult {
                        ignored[at] += 1;
                    } else {
                        let hits = precisions[at].len() + 1;
                        precisions[at].push(hits as f64 / f64::from(rank - ignored[at]));
                    }
                }
            }
        });
        for (_, image) in found.class(class) {
            seen[image] = 0;
        }
        visit(Matched {
            class,
            precisions: &precisions,
        });
    }
}

/// The object that a box takes, if any.
fn best(
    overlaps: &[f64],
    objects: &[Object],
    taken: &[u16],
    bit: u16,
    threshold: f64,
) -> Option<usize> {
    let (mut best, mut least, mut of_difficult) = (None, threshold, true);
    for (at, (&overlap, object)) in overlaps.iter().zip(objects).enumerate() {
        if taken[at] & bit != 0 || overlap < threshold {
            continue;
        }
        // An object that counts is preferred to a difficult one however large the overlap.
        let preferred = of_difficult && !object.difficult;
        if preferred || (object.difficult == of_difficult && overlap >= least) {
            (best, least, of_difficult) = (Some(at), overlap, object.difficult);
        }
    }
    best
}
