//! Candidates side by side in one pass, for devices that need large batches: the same numbers as one candidate after the other, but
//! for rounding.

use metricopt_nn::Film;
use metricopt_nn::detector::Output;
use metricopt_sdk::tch::{Tensor, no_grad};
use metricopt_sdk::{Call, Gradients, Result, autograd_each};

use crate::found::values;
use crate::minibatch::{Minibatch, Piece, pieces, rankings, sum};
use crate::part::{Entrance, Part};

/// Calls `each` with as many of the chosen images as fit at a time, and what every adapter `[P, D]` says of them.
///
/// # Errors
///
/// Those of libtorch and of `each`, or that the user asked to stop.
pub(crate) fn outputs<T>(
    entrance: &Entrance,
    part: &Part,
    chosen: &[u32],
    phis: &Tensor,
    call: &Call<'_>,
    mut each: impl FnMut(&[u32], Vec<Output>) -> Result<T>,
) -> Result<Vec<T>> {
    let detector = &entrance.detector;
    let film = Film::of(phis, detector.sites())?;
    let candidates = phis.size().first().map_or(1, |&count| count as usize);
    let values_a_row = candidates * entrance.stem_values();
    entrance.memory.each(chosen.len(), values_a_row, |range| {
        call.check()?;
        let rows = &chosen[range];
        let outputs = no_grad(|| detector.population_output(&film, &part.stem(entrance, rows)?))?;
        each(rows, outputs)
    })
}

/// As [`minibatch::gradients`](crate::minibatch::gradients), as many pieces in one pass and one way back as fit.
///
/// # Errors
///
/// Those of libtorch, or that the user asked to stop.
pub(crate) fn gradients(
    entrance: &Entrance,
    minibatches: &[Minibatch<'_>],
    phis: &Tensor,
    pool: &rayon::ThreadPool,
    call: &Call<'_>,
) -> Result<Gradients> {
    let detector = &entrance.detector;
    let said = |phis: &Tensor, stems: &Tensor| {
        detector.output_of_each(&Film::of(phis, detector.sites())?, stems)
    };
    let passes = Passes {
        entrance,
        minibatches,
        phis,
        call,
    };
    let rankings = rankings(minibatches, pool, || {
        passes.run(entrance.stem_values(), |pieces, phis, stems| {
            let outputs = no_grad(|| said(phis, stems))?;
            let logits =
                |(piece, output): (&Piece, Output)| Ok((piece.candidate, values(&output.logits)?));
            pieces.iter().zip(outputs).map(logits).collect()
        })
    })?;
    // Autograd keeps about as much at each site as stands in front of the first.
    let values_an_image = entrance.stem_values() * detector.sites().len();
    let parts = passes.run(values_an_image, |pieces, phis, stems| {
        let found = autograd_each(phis, |phis| {
            let share = |(piece, output): (&Piece, Output)| {
                let ranking = rankings[piece.candidate].as_deref();
                minibatches[piece.candidate].share_of(&output, &piece.block, ranking)
            };
            let outputs = said(phis, stems)?;
            let shares: Result<Vec<Tensor>> = pieces.iter().zip(outputs).map(share).collect();
            Ok(Tensor::f_stack(&shares?, 0)?)
        })?;
        let gradients = found.gradients.f_unbind(0)?;
        let found = pieces.iter().zip(found.losses).zip(gradients);
        Ok(found
            .map(|((piece, loss), gradient)| (piece.candidate, loss, gradient))
            .collect())
    })?;
    sum(parts, phis)
}

/// Minibatches that go through the detector in passes.
struct Passes<'a> {
    entrance: &'a Entrance,
    minibatches: &'a [Minibatch<'a>],
    /// Their adapters `[P, D]`.
    phis: &'a Tensor,
    call: &'a Call<'a>,
}

impl Passes<'_> {
    /// Calls `pass` with as many pieces of one size as fit, their adapters `[pieces, D]` and what stands in front of the first
    /// site, one piece after the other. Of a minibatch the pieces come in order, because only its last one is smaller.
    fn run<T>(
        &self,
        values_an_image: usize,
        mut pass: impl FnMut(&[Piece], &Tensor, &Tensor) -> Result<Vec<T>>,
    ) -> Result<Vec<T>> {
        let mut pieces = pieces(self.minibatches, self.phis)?;
        pieces.sort_by_key(|piece| std::cmp::Reverse(piece.block.len()));
        let mut all = Vec::new();
        for same in pieces.chunk_by(|a, b| a.block.len() == b.block.len()) {
            let values = same[0].block.len() * values_an_image;
            let found = self.entrance.memory.each(same.len(), values, |range| {
                self.call.check()?;
                let some = &same[range];
                let stem = |piece: &Piece| self.minibatches[piece.candidate].stem(&piece.block);
                let stems: Result<Vec<Tensor>> = some.iter().map(stem).collect();
                let phis: Vec<&Tensor> = some.iter().map(|piece| &piece.phi).collect();
                pass(
                    some,
                    &Tensor::f_stack(&phis, 0)?,
                    &Tensor::f_cat(&stems?, 0)?,
                )
            })?;
            all.extend(found.into_iter().flatten());
        }
        Ok(all)
    }
}
