//! Augmentation and normalisation against what they promise.

#![expect(
    clippy::unwrap_used,
    reason = "the helpers of these tests are tests too"
)]

use metricopt_data::{Augmentation, Normalisation};
use std::collections::BTreeSet;

const SHAPE: [usize; 3] = [2, 4, 5];

fn image() -> Vec<u8> {
    (1..=40).collect()
}

fn changed(augmentation: &Augmentation, at: (u64, u64, u64)) -> Vec<u8> {
    let mut out = vec![99; 40];
    augmentation.apply(&image(), SHAPE, at, &mut out).unwrap();
    out
}

/// The image moved by (down, right) pixels and mirrored, by the definition.
fn by_definition(down: isize, right: isize, mirrored: bool) -> Vec<u8> {
    let [channels, height, width] = SHAPE.map(|size| size as isize);
    let mut out = Vec::new();
    for c in 0..channels {
        for y in 0..height {
            for x in 0..width {
                let x = if mirrored { width - 1 - x } else { x };
                let (y, x) = (y - down, x - right);
                let inside = (0..height).contains(&y) && (0..width).contains(&x);
                let index = (c * height + y) * width + x;
                out.push(if inside { image()[index as usize] } else { 0 });
            }
        }
    }
    out
}

#[test]
fn every_change_is_a_shift_with_or_without_a_mirror_and_all_of_them_occur() {
    let augmentation = Augmentation {
        padding: 1,
        flip: true,
    };
    let mut possible = BTreeSet::new();
    for down in -1..=1 {
        for right in -1..=1 {
            possible.insert(by_definition(down, right, false));
            possible.insert(by_definition(down, right, true));
        }
    }
    assert_eq!(possible.len(), 18);
    let seen: BTreeSet<_> = (0..400)
        .map(|row| changed(&augmentation, (1, 2, row)))
        .collect();
    assert_eq!(seen, possible);
}

#[test]
fn the_change_follows_from_seed_step_and_row() {
    let augmentation = Augmentation {
        padding: 2,
        flip: true,
    };
    let batch = |seed, step| -> Vec<_> {
        (0..50)
            .map(|row| changed(&augmentation, (seed, step, row)))
            .collect()
    };
    assert_eq!(batch(3, 4), batch(3, 4));
    assert_ne!(batch(3, 4), batch(3, 5));
    assert_ne!(batch(3, 4), batch(4, 3));
    assert_eq!(changed(&Augmentation::default(), (1, 1, 1)), image());
}

#[test]
fn lengths_that_do_not_fit_are_errors() {
    let augmentation = Augmentation::default();
    assert!(
        augmentation
            .apply(&[0; 39], SHAPE, (0, 0, 0), &mut [0; 40])
            .is_err()
    );
    assert!(
        augmentation
            .apply(&[0; 40], SHAPE, (0, 0, 0), &mut [0; 39])
            .is_err()
    );
    assert!(
        augmentation
            .apply(&[], [0, 4, 5], (0, 0, 0), &mut [])
            .is_err()
    );
    let normal = Normalisation::new(&[0.5, 0.5], &[1.0, 1.0]).unwrap();
    assert!(normal.apply(&[0; 30], 20, &mut [0.0; 30]).is_err());
    assert!(normal.apply(&[0; 40], 20, &mut [0.0; 20]).is_err());
    assert!(Normalisation::new(&[0.5], &[0.0]).is_err());
    assert!(Normalisation::new(&[0.5], &[1.0, 1.0]).is_err());
    assert!(Normalisation::new(&[f32::NAN], &[1.0]).is_err());
}

#[test]
fn each_channel_has_its_own_mean_and_deviation() {
    let normal = Normalisation::new(&[0.0, 1.0], &[1.0, 0.5]).unwrap();
    let mut out = [0.0; 8];
    normal
        .apply(&[0, 255, 255, 0, 51, 51, 255, 255], 2, &mut out)
        .unwrap();
    assert_eq!(out, [0.0, 1.0, 0.0, -2.0, 0.2, 0.2, 0.0, 0.0]);
}
