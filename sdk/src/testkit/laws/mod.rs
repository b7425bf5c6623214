//! The laws, one file each.

mod degenerate;
mod determinism;
mod direction;
mod order;
mod population;
mod range;
mod rank_based;

use super::Sample;
use super::draws::Draws;
use super::report::{Finding, Law, Verdict};
use super::sources::{Source, sources};
use super::subject::{Outcome, Subject};

/// Values may differ by this share of their size and still count as equal, or by as much where they are below 1: sums
/// in another order round differently.
const TOLERANCE: f64 = 1e-9;

/// Ordinary predictions of each source.
const ORDINARY: u64 = 8;

/// A metric and the predictions that it is tried on.
pub(crate) struct Trial<'a> {
    subject: Subject<'a>,
    /// Those that the metric has values on.
    sources: Vec<Box<dyn Source>>,
    /// The others: the metric does not take such predictions.
    refused: Vec<Box<dyn Source>>,
    /// What the metric says of ordinary predictions, and of those that the caller gave.
    ordinary: Vec<(Sample, Outcome)>,
    seed: u64,
    pub(crate) notes: Vec<String>,
}

impl<'a> Trial<'a> {
    pub(crate) fn new(subject: Subject<'a>, given: &[Sample], seed: u64) -> Self {
        let mut this = Self {
            sources: Vec::new(),
            refused: Vec::new(),
            ordinary: Vec::new(),
            seed,
            notes: Vec::new(),
            subject,
        };
        for (at, source) in sources(this.subject.entry.kind).into_iter().enumerate() {
            let samples = (0..ORDINARY).map(|index| {
                let index = index + ORDINARY * at as u64;
                source.ordinary(&mut Draws::new(seed, "ordinary", index))
            });
            let tried: Vec<(Sample, Outcome)> = samples
                .map(|sample| {
                    let outcome = this.subject.evaluate(&sample);
                    (sample, outcome)
                })
                .collect();
            let refusal = tried
                .iter()
                .all(|(_, outcome)| matches!(outcome, Outcome::NoValue(_)));
            if let (true, Some((_, outcome))) = (refusal, tried.first()) {
                let (name, why) = (source.name(), outcome.describe());
                this.notes
                    .push(format!("not checked on {name} predictions: {why}"));
                this.refused.push(source);
            } else {
                this.ordinary.extend(tried);
                this.sources.push(source);
            }
        }
        for sample in given {
            let outcome = this.subject.evaluate(sample);
            if let Outcome::NoValue(_) = outcome {
                let (name, why) = (sample.name(), outcome.describe());
                this.notes.push(format!("not checked on {name}: {why}"));
            } else {
                this.ordinary.push((sample.clone(), outcome));
            }
        }
        if this.valued().next().is_none() {
            let note =
                "most laws need predictions that the metric has a value on: give some of your own";
            this.notes.push(note.to_owned());
        }
        this
    }

    /// Checks every law.
    pub(crate) fn findings(&self) -> Vec<Finding> {
        let determinism = self.determinism();
        let repeats = determinism.verdict != Verdict::Broken;
        // A law about equal values says nothing of a metric that does not even repeat itself.
        let if_it_repeats = |law: Law, check: &dyn Fn() -> Finding| match repeats {
            true => check(),
            false => Finding::not_applicable(law, "values do not repeat in the first place"),
        };
        let permutation = if_it_repeats(Law::Permutation, &|| self.permutation());
        let ties = match permutation.verdict {
            Verdict::Broken => {
                Finding::not_applicable(Law::Ties, "the order of all samples counts anyway")
            }
            _ => if_it_repeats(Law::Ties, &|| self.ties()),
        };
        vec![
            determinism,
            permutation,
            ties,
            self.degenerate(),
            self.range(),
            self.direction(),
            if_it_repeats(Law::RankBased, &|| self.rank_based()),
            if_it_repeats(Law::Population, &|| self.population()),
        ]
    }

    /// The first source that the metric has values on.
    pub(crate) fn first_source(&self) -> Option<&dyn Source> {
        self.sources.first().map(Box::as_ref)
    }

    pub(crate) fn subject(&self) -> &Subject<'a> {
        &self.subject
    }

    /// Ordinary predictions that the metric has a value on.
    fn valued(&self) -> impl Iterator<Item = (&Sample, f64)> {
        self.ordinary
            .iter()
            .filter_map(|(sample, outcome)| Some((sample, outcome.value()?)))
    }

    /// Why there is no prediction to check a law on.
    fn no_values(&self) -> String {
        if self.ordinary.is_empty() && self.refused.is_empty() {
            let kind = self.subject.entry.kind;
            return format!("there are no made-up {kind} predictions: give some of your own");
        }
        "there is no value on any of the predictions".to_owned()
    }
}

/// Whether two values are equal but for rounding.
fn close(a: f64, b: f64) -> bool {
    (a - b).abs() <= TOLERANCE * a.abs().max(b.abs()).max(1.0)
}
