//! Predictions made up to test metrics on: one source for each shape that a prediction kind can have.

mod classification;
mod detection;
mod retrieval;

use super::Sample;
use super::draws::Draws;
use crate::Kind;

pub(crate) use classification::Scores;
pub(crate) use detection::Boxes;
pub(crate) use retrieval::Embeddings;

/// Number of increasing transformations of the scores.
pub(crate) const TRANSFORMATIONS: usize = 4;

/// Makes predictions of one shape.
pub(crate) trait Source: Sync {
    /// What it makes, for reports.
    fn name(&self) -> String;

    /// Predictions that are somewhat right, with distinct scores.
    fn ordinary(&self, draws: &mut Draws) -> Sample;

    /// The same with scores on a grid of that many steps: a power of two.
    fn on_grid(&self, draws: &mut Draws, steps: usize) -> Sample;

    /// Random predictions of which a share is replaced by right ones. From the same seed, what is right at one share is
    /// right at every larger one and nothing else changes, so that no metric can be better at the smaller.
    fn graded(&self, seed: u64, share: f64) -> Sample;

    /// Predictions that differ, on the same rows.
    fn candidates(&self, draws: &mut Draws, count: usize) -> Vec<Sample>;

    /// Increasing transformation `index` of the scores; none if the kind has no scores to transform.
    fn transformed(&self, sample: &Sample, index: usize) -> Option<Sample>;

    /// Inputs at the edge of what is allowed.
    fn degenerate(&self) -> Vec<Sample>;

    /// A small model whose predictions depend on a parameter vector.
    fn scorer(&self, draws: &mut Draws) -> Box<dyn Scorer>;
}

/// A built-in model with an adapter: at `phi = 0` it is right, though not as right as it could be.
pub(crate) trait Scorer {
    /// Length of `phi`.
    fn dimensions(&self) -> usize;

    /// Predictions on the rows of a fold, `0..FOLDS`.
    fn predict(&self, phi: &[f64], fold: usize) -> Sample;
}

/// Number of folds of a [`Scorer`].
pub(crate) const FOLDS: usize = 5;

/// The sources of a kind.
pub(crate) fn sources(kind: Kind) -> Vec<Box<dyn Source>> {
    match kind {
        Kind::Classification => vec![
            Box::new(Scores { columns: 1 }),
            Box::new(Scores { columns: 3 }),
        ],
        Kind::Retrieval => vec![
            Box::new(Embeddings { queries: false }),
            Box::new(Embeddings { queries: true }),
        ],
        Kind::Detection => vec![Box::new(Boxes)],
        Kind::Named => Vec::new(),
    }
}

/// Increasing maps of `[0, 1]` into itself.
fn increasing(index: usize, x: f32) -> f32 {
    match index % TRANSFORMATIONS {
        0 => x * x,
        1 => x.sqrt(),
        2 => x / (2.0 - x),
        _ => 0.25 + 0.5 * x,
    }
}

fn sigmoid(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

/// Whether no two numbers of any column are equal.
fn are_distinct(values: &[f32], columns: usize) -> bool {
    (0..columns).all(|column| {
        let mut column: Vec<f32> = values
            .iter()
            .skip(column)
            .step_by(columns)
            .copied()
            .collect();
        column.sort_by(f32::total_cmp);
        column.windows(2).all(|pair| pair[0] < pair[1])
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn transformations_keep_the_order_of_the_grid() {
        for index in 0..TRANSFORMATIONS {
            let mapped: Vec<f32> = (0..=64)
                .map(|step| increasing(index, step as f32 / 64.0))
                .collect();
            assert!(mapped.is_sorted_by(|a, b| a < b), "{index}");
            assert!(mapped.iter().all(|x| (0.0..=1.0).contains(x)), "{index}");
        }
    }

    #[test]
    fn all_predictions_are_of_their_kind() {
        use crate::{Classification, Detection, Predictions, Retrieval};
        for kind in [Kind::Classification, Kind::Retrieval, Kind::Detection] {
            for source in sources(kind) {
                let mut draws = Draws::new(1, "test", 0);
                let mut samples = vec![
                    source.ordinary(&mut draws),
                    source.on_grid(&mut draws, 4),
                    source.on_grid(&mut draws, 64),
                    source.graded(0, 0.0),
                    source.graded(0, 0.5),
                    source.graded(0, 1.0),
                ];
                samples.extend(source.candidates(&mut draws, 3));
                samples.extend(source.degenerate());
                let scorer = source.scorer(&mut draws);
                let phi = draws.normals(scorer.dimensions());
                samples.extend((0..FOLDS).map(|fold| scorer.predict(&phi, fold)));
                let grid = samples[2].clone();
                samples
                    .extend((0..TRANSFORMATIONS).filter_map(|map| source.transformed(&grid, map)));
                for sample in samples {
                    let valid = sample.with_views(|views| match kind {
                        Kind::Classification => Classification::from_views(views).map(drop),
                        Kind::Retrieval => Retrieval::from_views(views).map(drop),
                        _ => Detection::from_views(views).map(drop),
                    });
                    assert!(valid.is_ok(), "{}: {valid:?}", sample.name());
                }
            }
        }
    }
}
