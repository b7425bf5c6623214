//! Better predictions are not worse, in the declared direction.

use super::{Trial, close};
use crate::testkit::digits::short;
use crate::testkit::profile::mean;
use crate::testkit::report::{Finding, Law};
use crate::testkit::sources::Source;

/// Shares of right predictions, the others being random.
const SHARES: [f64; 5] = [0.0, 0.25, 0.5, 0.75, 1.0];

const SEEDS: u64 = 6;

/// A step back counts if it is this many standard errors long: chance alone makes small ones.
const STANDARD_ERRORS: f64 = 3.0;

/// Values at [`SHARES`], of one seed.
type Steps = [f64; SHARES.len()];

impl Trial<'_> {
    pub(super) fn direction(&self) -> Finding {
        let direction = self.subject.entry.direction;
        let (mut curves, mut broken, mut constant) = (Vec::new(), None, Vec::new());
        for source in &self.sources {
            let seeds: Vec<Steps> = (0..SEEDS)
                .filter_map(|index| self.steps(source.as_ref(), index))
                .collect();
            if seeds.is_empty() {
                continue;
            }
            let means: Vec<f64> = (0..SHARES.len())
                .map(|at| mean(&seeds.iter().map(|steps| steps[at]).collect::<Vec<_>>()))
                .collect();
            let shown: Vec<String> = means.iter().map(|&value| short(value)).collect();
            let curve = format!("{} {}", source.name(), shown.join(" "));
            if seeds.iter().flatten().all(|&value| close(value, means[0])) {
                constant.push(curve);
                continue;
            }
            if gets_worse(&seeds, direction.sign()) {
                broken.get_or_insert_with(|| curve.clone());
            }
            curves.push(curve);
        }
        if let Some(curve) = broken {
            let verb = match direction {
                crate::Direction::Maximise => "falls",
                crate::Direction::Minimise => "rises",
            };
            return Finding::broken(
                Law::Direction,
                format!(
                    "declared to {direction}, yet it {verb} as predictions go from random to right: {curve}"
                ),
            );
        }
        match (curves.is_empty(), constant.is_empty()) {
            (true, true) => Finding::not_applicable(Law::Direction, self.no_values()),
            (true, false) => Finding::not_applicable(
                Law::Direction,
                format!(
                    "right and random predictions have the same value: {}",
                    constant.join("; ")
                ),
            ),
            _ => Finding::held(
                Law::Direction,
                format!("{direction}d from random to right: {}", curves.join("; ")),
            ),
        }
    }

    fn steps(&self, source: &dyn Source, index: u64) -> Option<Steps> {
        let seed = crate::rows::mix(self.seed, 1000 + index);
        let mut steps = SHARES;
        for share in &mut steps {
            *share = self
                .subject
                .evaluate(&source.graded(seed, *share))
                .value()?;
        }
        Some(steps)
    }
}

/// Whether right predictions are worse than others, or a larger share of them is worse than a smaller one by more than
/// chance.
fn gets_worse(seeds: &[Steps], sign: f64) -> bool {
    let last = SHARES.len() - 1;
    let gains = |from: usize, to: usize| -> Vec<f64> {
        seeds
            .iter()
            .map(|steps| sign * (steps[from] - steps[to]))
            .collect()
    };
    let pairs = (0..last)
        .map(|at| (at, at + 1))
        .chain((0..last).map(|at| (at, last)));
    pairs.into_iter().any(|(from, to)| {
        let gains = gains(from, to);
        let gain = mean(&gains);
        let squares: f64 = gains.iter().map(|g| (g - gain).powi(2)).sum();
        let n = gains.len() as f64;
        let error = (squares / (n * (n - 1.0)).max(1.0)).sqrt();
        let size = seeds
            .iter()
            .map(|steps| steps[from].abs())
            .fold(1.0, f64::max);
        gain < -STANDARD_ERRORS * error - 1e-9 * size
    })
}
