//! Many adapters on many images: blocks of images and candidates are worked off side by side.
//!
//! How the images are cut into blocks does not depend on the number of threads, and each pass of one candidate over one
//! block runs on one thread (libtorch must be set to one thread an operation). So the bits of all results are the same
//! for any number of threads.

use metricopt_sdk::tch::{Tensor, no_grad};
use metricopt_sdk::{Call, DeviceMemory, Error, Gradients, Result, autograd, autograd_each};
use rayon::{ThreadPool, prelude::*};
use std::ops::Range;

use crate::film::Film;
use crate::network::Network;
use crate::tensors::Shared;

/// How images are cut into blocks.
///
/// ```
/// let blocks = metricopt_nn::population::Blocks { images: 5, size: 2 };
/// assert_eq!(blocks.ranges().collect::<Vec<_>>(), [0..2, 2..4, 4..5]);
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Blocks {
    /// Number of images.
    pub images: usize,
    /// Images in a block, at least 1; the last one may be smaller. Small blocks stay in cache and share out well, large
    /// ones have less overhead: 32 to 64 images of CIFAR size are a good choice on a CPU, 128 of 8 x 8 pixels, 8 of
    /// ImageNet's.
    pub size: usize,
}

impl Blocks {
    /// The blocks in order.
    pub fn ranges(self) -> impl Iterator<Item = Range<usize>> {
        let size = self.size.max(1);
        (0..self.images)
            .step_by(size)
            .map(move |start| start..(start + size).min(self.images))
    }
}

/// Logits f32 `[P, images, classes]` of adapters `[P, D]`, without gradients.
///
/// `stem` gives what [`Network::stem`] makes of a range of images, computed on the spot or taken from a cache. It is
/// asked once a block: all candidates share it.
///
/// # Errors
///
/// Those of `stem` and of the network, or that the user asked to stop.
pub fn logits(
    network: &dyn Network,
    phis: &Tensor,
    blocks: Blocks,
    stem: &(dyn Fn(Range<usize>) -> Result<Tensor> + Sync),
    pool: &ThreadPool,
    call: &Call<'_>,
) -> Result<Tensor> {
    let candidates = Shared::new(phis.f_unbind(0)?);
    let ranges: Vec<Range<usize>> = blocks.ranges().collect();
    let evaluate = |range: Range<usize>| -> Result<Tensor> {
        call.check()?;
        let stem = no_grad(|| stem(range))?;
        let stem = Shared::new(vec![stem]);
        let of_candidates: Result<Vec<Tensor>> = candidates
            .get()
            .into_par_iter()
            .map(|phi| {
                call.check()?;
                let film = Film::of(&phi, network.sites())?;
                no_grad(|| network.logits(&film, &stem.get()[0]))
            })
            .collect();
        Ok(Tensor::f_stack(&of_candidates?, 0)?)
    };
    let found: Result<Vec<Tensor>> =
        pool.install(|| ranges.into_par_iter().map(evaluate).collect());
    join(&found?)
}

/// As [`logits`], all candidates in one pass over as many images as fit into the memory of a GPU; one image takes `values`
/// numbers in front of the first site.
///
/// # Errors
///
/// As those of [`logits`].
pub fn logits_in_one_pass(
    network: &dyn Network,
    phis: &Tensor,
    images: usize,
    (memory, values): (&DeviceMemory, usize),
    stem: &dyn Fn(Range<usize>) -> Result<Tensor>,
    call: &Call<'_>,
) -> Result<Tensor> {
    let film = Film::of(phis, network.sites())?;
    let candidates = phis.size().first().map_or(1, |&count| count as usize);
    let found = memory.each(images, candidates * values, |range| {
        call.check()?;
        no_grad(|| network.population_logits(&film, &stem(range)?))
    })?;
    join(&found)
}

/// Logits of consecutive ranges of images as those of all.
fn join(found: &[Tensor]) -> Result<Tensor> {
    if found.is_empty() {
        return Err(Error::data("there are no images to evaluate"));
    }
    Ok(Tensor::f_cat(found, 1)?)
}

/// What a block of images adds to the loss of a candidate: from candidate, range and logits `[range, classes]` to a
/// scalar. The loss is the sum over the blocks.
pub type BlockLoss<'a> = dyn Fn(usize, Range<usize>, &Tensor) -> Result<Tensor> + Sync + 'a;

/// Losses and gradients at adapters `[P, D]`, each with images of its own.
///
/// `stem` gives what [`Network::stem`] makes of a range of a candidate's images. Gradients of blocks are added in order.
///
/// # Errors
///
/// Those of the functions and of the network, if a loss is not finite, or that the user asked to stop.
pub fn gradients(
    network: &dyn Network,
    phis: &Tensor,
    blocks: Blocks,
    stem: &(dyn Fn(usize, Range<usize>) -> Result<Tensor> + Sync),
    loss: &BlockLoss<'_>,
    pool: &ThreadPool,
    call: &Call<'_>,
) -> Result<Gradients> {
    let candidates = phis.f_detach()?.f_unbind(0)?;
    let population = candidates.len();
    let ranges: Vec<Range<usize>> = blocks.ranges().collect();
    if ranges.is_empty() {
        return Err(Error::data("there are no images to take the loss of"));
    }
    let mut work = Vec::with_capacity(population * ranges.len());
    for (candidate, phi) in candidates.iter().enumerate() {
        for range in &ranges {
            work.push((candidate, range.clone(), phi.f_detach_copy()?));
        }
    }
    let follow = |(candidate, range, phi): (usize, Range<usize>, Tensor)| {
        call.check()?;
        let stem = no_grad(|| stem(candidate, range.clone()))?;
        autograd(&phi, |phi| {
            let film = Film::of(phi, network.sites())?;
            loss(candidate, range, &network.logits(&film, &stem)?)
        })
    };
    let parts: Result<Vec<(f64, Tensor)>> =
        pool.install(|| work.into_par_iter().map(follow).collect());
    let mut losses = vec![0.0; population];
    let mut sums = Vec::with_capacity(population);
    for (candidate, parts) in parts?.chunks(ranges.len()).enumerate() {
        let mut sum = parts[0].1.f_zeros_like()?;
        for (loss, gradient) in parts {
            losses[candidate] += loss;
            sum = sum.f_add_(gradient)?;
        }
        sums.push(sum);
    }
    Ok(Gradients {
        losses,
        gradients: Tensor::f_stack(&sums, 0)?,
    })
}

/// As [`gradients`], the candidates side by side in one pass and one way back, as many as fit into the memory of a GPU; one image
/// takes `values` numbers in front of the first site, and autograd keeps about as many for each site.
///
/// # Errors
///
/// As those of [`gradients`].
pub fn gradients_in_one_pass(
    network: &dyn Network,
    phis: &Tensor,
    images: usize,
    (memory, values): (&DeviceMemory, usize),
    stem: &dyn Fn(usize, Range<usize>) -> Result<Tensor>,
    loss: &BlockLoss<'_>,
    call: &Call<'_>,
) -> Result<Gradients> {
    if images == 0 {
        return Err(Error::data("there are no images to take the loss of"));
    }
    let population = phis.size().first().map_or(0, |&count| count as usize);
    let values_a_candidate = images * values * network.sites().len();
    let parts = memory.each(population, values_a_candidate, |candidates| {
        call.check()?;
        let stems: Result<Vec<Tensor>> = candidates
            .clone()
            .map(|candidate| no_grad(|| stem(candidate, 0..images)))
            .collect();
        let stems = Tensor::f_cat(&stems?, 0)?;
        let (start, count) = (candidates.start as i64, candidates.len() as i64);
        autograd_each(&phis.f_narrow(0, start, count)?, |phis| {
            let logits = network.logits_of_each(&Film::of(phis, network.sites())?, &stems)?;
            let losses: Result<Vec<Tensor>> = candidates
                .zip(logits.f_unbind(0)?)
                .map(|(candidate, logits)| loss(candidate, 0..images, &logits))
                .collect();
            Ok(Tensor::f_stack(&losses?, 0)?)
        })
    })?;
    Gradients::join(parts)
}
