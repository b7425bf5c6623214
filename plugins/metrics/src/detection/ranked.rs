//! The boxes found of each class, from the highest score down.

use metricopt_sdk::prelude::*;

use super::ids::Ids;
use super::input::check_found;
use super::ties::{TieOrder, by_corners};
use super::truth::Truth;

/// The boxes found, class by class of the truth, by descending score. Those of classes without objects are left out.
#[derive(Debug)]
pub(crate) struct Ranked {
    /// A score's key above a row; see [`key`].
    keys: Vec<u64>,
    /// Where each class of the truth begins, and the end.
    starts: Vec<u32>,
    /// Number of the image of each row; those that the truth does not have come after it.
    image_of: Vec<u32>,
    images: usize,
}

impl Ranked {
    pub(crate) fn new(input: &Detection<'_>, truth: &Truth, ties: TieOrder) -> Result<Self> {
        check_found(input)?;
        let (image_of, images) = number_images(input, &truth.images);
        let mut starts = vec![0_u32; truth.labels.len() + 1];
        let classes: Vec<Option<u32>> = input
            .labels
            .iter()
            .map(|&label| truth.labels.number(label))
            .collect();
        for class in classes.iter().flatten() {
            starts[*class as usize + 1] += 1;
        }
        for class in 1..starts.len() {
            starts[class] += starts[class - 1];
        }
        let mut next = starts.clone();
        let mut keys = vec![0_u64; starts[truth.labels.len()] as usize];
        for ((class, &score), row) in classes.iter().zip(input.scores).zip(0..) {
            if let Some(class) = class {
                let place = &mut next[*class as usize];
                keys[*place as usize] = key(score, row);
                *place += 1;
            }
        }
        for class in starts.windows(2) {
            sort(&mut keys[class[0] as usize..class[1] as usize], input, ties);
        }
        Ok(Self {
            keys,
            starts,
            image_of,
            images,
        })
    }

    /// Number of images, with those that have no object.
    pub(crate) fn images(&self) -> usize {
        self.images
    }

    /// How many boxes of the class were found.
    pub(crate) fn len(&self, class: usize) -> usize {
        (self.starts[class + 1] - self.starts[class]) as usize
    }

    /// Row and number of the image of each box found of a class, by descending score.
    pub(crate) fn class(&self, class: usize) -> impl Iterator<Item = (usize, usize)> {
        let keys = &self.keys[self.starts[class] as usize..self.starts[class + 1] as usize];
        keys.iter().map(|&key| {
            let row = row(key);
            (row, self.image_of[row] as usize)
        })
    }
}

/// A number for the image of each box found, and how many images there are.
fn number_images(input: &Detection<'_>, known: &Ids) -> (Vec<u32>, usize) {
    let mut strangers = Vec::new();
    let mut numbers: Vec<u32> = input
        .image_ids
        .iter()
        .zip(0_u32..)
        .map(|(&image, row)| {
            known.number(image).unwrap_or_else(|| {
                strangers.push(row);
                0
            })
        })
        .collect();
    let images: Vec<i64> = strangers
        .iter()
        .map(|&row| input.image_ids[row as usize])
        .collect();
    let others = Ids::of(&images);
    for (&row, &image) in strangers.iter().zip(&images) {
        if let Some(number) = others.number(image) {
            numbers[row as usize] = known.len() as u32 + number;
        }
    }
    (numbers, known.len() + others.len())
}

/// Ascending keys are descending scores, then ascending rows; minus zero is zero.
fn key(score: f32, row: u32) -> u64 {
    let bits = (score + 0.0).to_bits();
    // Negative numbers ascend with falling magnitude.
    let descending = if bits >> 31 == 0 {
        bits ^ 0x7FFF_FFFF
    } else {
        bits
    };
    u64::from(descending) << 32 | u64::from(row)
}

fn row(key: u64) -> usize {
    key as u32 as usize
}

fn sort(keys: &mut [u64], input: &Detection<'_>, ties: TieOrder) {
    keys.sort_unstable();
    if ties == TieOrder::Row {
        return;
    }
    for equal in keys.chunk_by_mut(|a, b| a >> 32 == b >> 32) {
        if equal.len() > 1 {
            equal.sort_unstable_by(|&a, &b| {
                let image = |key: u64| input.image_ids[row(key)];
                let by_image = image(a).cmp(&image(b));
                let by_content = match ties {
                    TieOrder::ImageThenCorners => {
                        by_image.then_with(|| by_corners(input.boxes, a as u32, b as u32))
                    }
                    _ => by_image,
                };
                by_content.then(a.cmp(&b))
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_order_scores_of_both_signs() {
        let scores = [f32::MAX, 1.0, 1e-40, 0.0, -1e-40, -1.0, f32::MIN];
        let keys: Vec<u64> = scores.iter().map(|&score| key(score, 5)).collect();
        assert!(keys.is_sorted_by(|a, b| a < b));
        assert_eq!(key(-0.0, 5), key(0.0, 5));
        assert_eq!(row(key(0.5, 5)), 5);
    }
}
