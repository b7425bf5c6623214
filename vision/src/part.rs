//! The images of a split, ready for the network.

use metricopt_data::{Augmentation, Images};
use metricopt_nn::Network;
use metricopt_sdk::tch::{Device, Tensor, no_grad};
use metricopt_sdk::{Call, Result};

use crate::pixels::Pixels;
use crate::stems::Stems;

/// Values in front of the first FiLM site that a block of images should not exceed: 4 MB, so that what a thread works on
/// stays in cache.
const BLOCK_VALUES: usize = 1 << 20;

/// Most images of a block: more gain nothing where the images are small.
const MAX_BLOCK: usize = 256;

/// A frozen network and what comes before it.
pub struct Entrance {
    /// The network.
    pub network: Box<dyn Network>,
    /// How bytes become what it takes.
    pub pixels: Pixels,
    /// Where it lives.
    pub device: Device,
    /// `[channels, height, width]` in front of the first FiLM site.
    stem: [usize; 3],
}

impl Entrance {
    /// Tries the network with one black image.
    ///
    /// # Errors
    ///
    /// If the images are too small for the network.
    pub fn new(network: Box<dyn Network>, pixels: Pixels, device: Device) -> Result<Self> {
        let black = vec![0; pixels.shape().iter().product()];
        let size = no_grad(|| -> Result<Vec<i64>> {
            let stem = network.stem(&pixels.tensor(&black, device)?)?;
            drop(network.plain_logits(&stem)?);
            Ok(stem.size())
        })?;
        let extent = |axis: usize| size.get(axis).map_or(0, |&extent| extent as usize);
        Ok(Self {
            network,
            pixels,
            device,
            stem: [1, 2, 3].map(extent),
        })
    }

    /// Number of values in front of the first FiLM site for one image.
    pub fn stem_values(&self) -> usize {
        self.stem.iter().product()
    }

    /// Number of images that are worked on at once: it follows from the kind of images alone, so that results do not depend
    /// on threads.
    pub fn block(&self) -> usize {
        (BLOCK_VALUES / self.stem_values().max(1)).clamp(1, MAX_BLOCK)
    }

    fn stem_of(&self, bytes: &[u8]) -> Result<Tensor> {
        let images = self.pixels.tensor(bytes, self.device)?;
        self.network.stem(&images)
    }
}

/// One split.
pub struct Part {
    images: Images,
    /// Activations in front of the first FiLM site, where they are kept.
    stems: Option<Stems>,
}

impl Part {
    /// Without any activations.
    pub fn new(images: Images) -> Self {
        Self {
            images,
            stems: None,
        }
    }

    /// The images.
    pub fn images(&self) -> &Images {
        &self.images
    }

    /// The labels of some rows.
    pub fn labels(&self, rows: &[u32]) -> Vec<i64> {
        rows.iter()
            .map(|&row| self.images.labels[row as usize])
            .collect()
    }

    /// Computes the activations of all images and keeps them; blocks are shared out among the threads of `pool`.
    ///
    /// # Errors
    ///
    /// Those of libtorch, or that the user asked to stop.
    pub fn keep_stems(
        &mut self,
        entrance: &Entrance,
        pool: &rayon::ThreadPool,
        call: &Call<'_>,
    ) -> Result<()> {
        let stems = Stems::keep(
            self.images.len(),
            entrance.block(),
            (entrance.stem, entrance.device),
            &|rows| self.stem(entrance, rows),
            pool,
            call,
        )?;
        self.stems = Some(stems);
        Ok(())
    }

    /// Activations in front of the first FiLM site, f32 `[n, channels, height, width]`.
    ///
    /// # Errors
    ///
    /// Those of libtorch, or if there is no image of a row.
    pub fn stem(&self, entrance: &Entrance, rows: &[u32]) -> Result<Tensor> {
        match &self.stems {
            Some(stems) => stems.rows(rows),
            None => entrance.stem_of(&self.images.gather(rows)?.pixels),
        }
    }

    /// The same of images that are changed at random: the change of the image at place `first + i` of a minibatch follows
    /// from `seed`, `step` and that place.
    ///
    /// # Errors
    ///
    /// Those of libtorch, or if there is no image of a row.
    pub fn augmented_stem(
        &self,
        entrance: &Entrance,
        rows: &[u32],
        augmentation: &Augmentation,
        (seed, step, first): (u64, u64, usize),
    ) -> Result<Tensor> {
        let mut bytes = self.images.gather(rows)?.pixels;
        augment(
            &mut bytes,
            entrance.pixels.shape(),
            augmentation,
            (seed, step, first),
        )?;
        entrance.stem_of(&bytes)
    }
}

/// Changes the images of a minibatch from place `first` on.
///
/// # Errors
///
/// If the bytes are no whole number of images.
pub fn augment(
    bytes: &mut [u8],
    shape: [usize; 3],
    augmentation: &Augmentation,
    (seed, step, first): (u64, u64, usize),
) -> Result<()> {
    let length = shape.iter().product::<usize>();
    let mut original = Vec::with_capacity(length);
    for (place, image) in (first as u64..).zip(bytes.chunks_mut(length.max(1))) {
        original.clear();
        original.extend_from_slice(image);
        augmentation.apply(&original, shape, (seed, step, place), image)?;
    }
    Ok(())
}
