//! A metric along random lines through a small built-in model.

use super::draws::Draws;
use super::profile::Profile;
use super::sources::{FOLDS, Source};
use super::subject::Subject;

const LINES: u64 = 3;
/// Points of a line.
const POINTS: i32 = 33;
/// Standard deviation of a direction's components: at the ends of a line the model is clearly worse.
const REACH: f64 = 0.5;

/// The metric at `t * direction` for `t` in `[-1, 1]`, for random directions through `phi = 0`.
pub(crate) fn profiles(subject: &Subject<'_>, source: &dyn Source, seed: u64) -> Vec<Profile> {
    let scorer = source.scorer(&mut Draws::new(seed, "scorer", 0));
    (0..LINES)
        .map(|line| {
            let direction = Draws::new(seed, "line", line).normals(scorer.dimensions());
            let t: Vec<f64> = (0..POINTS)
                .map(|point| f64::from(2 * point + 1 - POINTS) / f64::from(POINTS - 1))
                .collect();
            let folds: Vec<Vec<f64>> = (0..FOLDS)
                .map(|fold| {
                    let values = t.iter().map(|t| {
                        let phi: Vec<f64> = direction.iter().map(|x| REACH * t * x).collect();
                        let value = subject.evaluate(&scorer.predict(&phi, fold)).value();
                        value.unwrap_or(f64::NAN)
                    });
                    values.collect()
                })
                .collect();
            Profile::of(&t, &folds)
        })
        .collect()
}
