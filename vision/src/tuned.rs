//! A frozen network with an adapter in front of three parts of images: what tasks share that ask a network about images.

use metricopt_data::Augmentation;
use metricopt_nn::Film;
use metricopt_nn::population::{self, BlockLoss, Blocks};
use metricopt_sdk::tch::{Device, Tensor};
use metricopt_sdk::{Call, DeviceMemory, Gradients, NamedTensor, Result, Split};
use std::ops::Range;

use crate::part::{Entrance, Part};
use crate::sites::TunedSites;

/// Most values in front of the first FiLM site that a population has at once on a GPU, to begin with: 1 GB.
const MAX_DEVICE_VALUES: usize = 1 << 28;

/// Most values of predictions that are held at once: 64 MB.
const MAX_EMITTED: usize = 1 << 24;

/// The network, where it is tuned, and the images.
pub struct Tuned {
    /// The frozen network.
    pub entrance: Entrance,
    /// Where it is tuned.
    pub sites: TunedSites,
    /// How training images are changed at random.
    pub augmentation: Augmentation,
    /// The threads that blocks of images and adapters are shared out among.
    pub pool: rayon::ThreadPool,
    /// The images by [`Split`].
    pub parts: [Part; 3],
    /// What a GPU takes at a time.
    pub memory: DeviceMemory,
}

/// The place of a minibatch in its training, which its random changes follow from.
#[derive(Clone, Copy, Debug)]
pub struct Moment {
    /// Seed of the training.
    pub seed: u64,
    /// Step of the training.
    pub step: u64,
}

/// What an opened task starts with on a GPU.
pub const fn device_memory() -> DeviceMemory {
    DeviceMemory::new(MAX_DEVICE_VALUES)
}

impl Tuned {
    /// Keeps what no adapter changes of as many splits as fit into so many MiB: first of the validation images, which are
    /// looked at most often. Of training images that change it is never the same.
    ///
    /// # Errors
    ///
    /// Those of libtorch, or that the user asked to stop.
    pub fn keep_stems(&mut self, mebibytes: usize, call: &Call<'_>) -> Result<()> {
        let mut left = (mebibytes << 20) / size_of::<f32>();
        for split in [Split::Validation, Split::Train, Split::Test] {
            let changes = self.changes(split);
            let part = &mut self.parts[split as usize];
            let values = part.images().len() * self.entrance.stem_values();
            if !changes && values <= left {
                left -= values;
                part.keep_stems(&self.entrance, &self.pool, call)?;
            }
        }
        Ok(())
    }

    /// Whether the images of a split are changed at random in the surrogate loss.
    fn changes(&self, split: Split) -> bool {
        split == Split::Train && self.augmentation != Augmentation::default()
    }

    /// What stands in front of the first FiLM site for some rows of a minibatch, the first of them at place `first` in it;
    /// training images are changed at random before.
    ///
    /// # Errors
    ///
    /// Those of libtorch, or if there is no image of a row.
    pub fn stem(&self, split: Split, rows: &[u32], moment: Moment, first: usize) -> Result<Tensor> {
        let part = &self.parts[split as usize];
        if self.changes(split) {
            let at = (moment.seed, moment.step, first);
            return part.augmented_stem(&self.entrance, rows, &self.augmentation, at);
        }
        part.stem(&self.entrance, rows)
    }

    /// What the network says at one adapter `[D]`, given what stands in front of the first site: `[n, outputs]`.
    ///
    /// # Errors
    ///
    /// If the adapter has another length, or those of libtorch.
    pub fn follow(&self, phi: &Tensor, stem: &Tensor) -> Result<Tensor> {
        let network = self.entrance.network.as_ref();
        let whole = self.sites.whole(phi)?;
        network.logits(&Film::of(&whole, network.sites())?, stem)
    }

    /// What the network says at `P` adapters `[P, D]` about some rows, `[P, rows, outputs]`.
    ///
    /// # Errors
    ///
    /// Those of libtorch, or that the user asked to stop.
    pub fn outputs(
        &self,
        phis: &Tensor,
        split: Split,
        rows: &[u32],
        call: &Call<'_>,
    ) -> Result<Tensor> {
        let part = &self.parts[split as usize];
        let network = self.entrance.network.as_ref();
        let whole = self.sites.whole(phis)?;
        let stem = |range: Range<usize>| part.stem(&self.entrance, &rows[range]);
        let images = rows.len();
        if self.entrance.device != Device::Cpu {
            let memory = (&self.memory, self.entrance.stem_values());
            return population::logits_in_one_pass(network, &whole, images, memory, &stem, call);
        }
        let blocks = Blocks {
            images,
            size: self.entrance.block(),
        };
        population::logits(network, &whole, blocks, &stem, &self.pool, call)
    }

    /// Losses and gradients at adapters `[P, D]`, each with a minibatch of its own: of `images[p]` images, whose `stem` and `loss`
    /// are asked for by adapter and range. On the CPU minibatches are cut into ranges of `block` images; a GPU takes as many of
    /// them as fit, whole and in one pass.
    ///
    /// # Errors
    ///
    /// Those of the functions and of libtorch, or that the user asked to stop.
    pub fn gradients(
        &self,
        phis: &Tensor,
        images: &[usize],
        block: usize,
        stem: &(dyn Fn(usize, Range<usize>) -> Result<Tensor> + Sync),
        loss: &BlockLoss<'_>,
        call: &Call<'_>,
    ) -> Result<Gradients> {
        let network = self.entrance.network.as_ref();
        let whole = self.sites.whole(phis)?;
        let mut parts = Vec::new();
        let mut first = 0;
        // Adapters whose minibatches have one size go side by side.
        for same in images.chunk_by(|a, b| a == b) {
            let (start, images) = (first, same[0]);
            first += same.len();
            let phis = whole.f_narrow(0, start as i64, same.len() as i64)?;
            let stem = |index: usize, range: Range<usize>| stem(start + index, range);
            let loss = |index: usize, range: Range<usize>, logits: &Tensor| {
                loss(start + index, range, logits)
            };
            parts.push(if self.entrance.device == Device::Cpu {
                let size = block;
                let blocks = Blocks { images, size };
                population::gradients(network, &phis, blocks, &stem, &loss, &self.pool, call)?
            } else {
                let memory = (&self.memory, self.entrance.stem_values());
                population::gradients_in_one_pass(
                    network, &phis, images, memory, &stem, &loss, call,
                )?
            });
        }
        let found = Gradients::join(parts)?;
        Ok(Gradients {
            gradients: self.sites.own(&found.gradients)?,
            ..found
        })
    }

    /// The weights of the network with an adapter `[D]` folded in, under their own names.
    ///
    /// # Errors
    ///
    /// If the adapter has another length, or those of libtorch.
    pub fn fold(&self, phi: &Tensor) -> Result<Vec<NamedTensor>> {
        let folded = self.entrance.network.fold(&self.sites.whole(phi)?)?;
        let named = |(name, tensor): (String, Tensor)| NamedTensor::new(name, tensor);
        Ok(folded.into_tensors().map(named).collect())
    }
}

/// Calls `emit` with groups of the adapters `[P, D]` and the index of the first of each, so that the predictions of a group,
/// `values` numbers a candidate, are not too much for the memory.
///
/// # Errors
///
/// Those of libtorch and of `emit`.
pub fn in_groups(
    phis: &Tensor,
    values: usize,
    mut emit: impl FnMut(usize, &Tensor) -> Result<()>,
) -> Result<()> {
    let group = (MAX_EMITTED / values.max(1)).max(1);
    let candidates = phis.size().first().map_or(0, |&count| count as usize);
    for first in (0..candidates).step_by(group) {
        let count = group.min(candidates - first);
        emit(first, &phis.f_narrow(0, first as i64, count as i64)?)?;
    }
    Ok(())
}
