//! The images of a split, ready for the detector.

use metricopt_data::detection::Scenes;
use metricopt_nn::detector::matching::Role;
use metricopt_nn::detector::{Anchors, Detector};
use metricopt_sdk::tch::{Device, Tensor, no_grad};
use metricopt_sdk::{Call, DeviceMemory, Error, Result};
use metricopt_vision::{Pixels, Stems, device_memory};

use crate::truth;

/// Values in front of the first FiLM site that a block of images should not exceed: 2 MB, so that what a thread works on stays in
/// cache.
const BLOCK_VALUES: usize = 1 << 19;

/// Most images of a block: more gain nothing, and fewer share out better.
const MAX_BLOCK: usize = 32;

/// A frozen detector and what comes before it.
pub(crate) struct Entrance {
    pub(crate) detector: Detector,
    pixels: Pixels,
    pub(crate) device: Device,
    /// What a GPU takes at a time.
    pub(crate) memory: DeviceMemory,
    /// `[channels, height, width]` in front of the first FiLM site.
    stem: [usize; 3],
}

impl Entrance {
    /// Tries the detector with one black image.
    pub(crate) fn new(detector: Detector, pixels: Pixels, device: Device) -> Result<Self> {
        let black = vec![0; pixels.shape().iter().product()];
        let size = no_grad(|| -> Result<Vec<i64>> {
            let stem = detector.stem(&pixels.tensor(&black, device)?)?;
            Ok(stem.size())
        })?;
        let extent = |axis: usize| size.get(axis).map_or(0, |&extent| extent as usize);
        Ok(Self {
            detector,
            pixels,
            device,
            memory: device_memory(),
            stem: [1, 2, 3].map(extent),
        })
    }

    /// Number of values in front of the first FiLM site for one image.
    pub(crate) fn stem_values(&self) -> usize {
        self.stem.iter().product()
    }

    /// Number of images that are worked on at once: it follows from the kind of images alone, so that results do not depend
    /// on threads.
    pub(crate) fn block(&self) -> usize {
        (BLOCK_VALUES / self.stem_values().max(1)).clamp(1, MAX_BLOCK)
    }
}

/// One split.
pub(crate) struct Part {
    scenes: Scenes,
    /// Of each image, what each anchor should say.
    roles: Vec<Vec<Role>>,
    /// Activations in front of the first FiLM site, where they are kept.
    stems: Option<Stems>,
}

impl Part {
    /// Without any activations.
    pub(crate) fn new(scenes: Scenes, anchors: &Anchors, pool: &rayon::ThreadPool) -> Self {
        Self {
            roles: truth::roles(&scenes, anchors, pool),
            scenes,
            stems: None,
        }
    }

    /// The images.
    pub(crate) fn scenes(&self) -> &Scenes {
        &self.scenes
    }

    /// Number of images.
    pub(crate) fn len(&self) -> usize {
        self.scenes.scenes.len()
    }

    /// What the anchors of some images should say.
    pub(crate) fn roles(&self, rows: &[u32]) -> Vec<&[Role]> {
        rows.iter()
            .map(|&row| self.roles[row as usize].as_slice())
            .collect()
    }

    /// Computes the activations of all images and keeps them, if they fit into `left` values, which it lessens.
    ///
    /// # Errors
    ///
    /// Those of libtorch, or that the user asked to stop.
    pub(crate) fn keep_stems(
        &mut self,
        entrance: &Entrance,
        left: &mut usize,
        pool: &rayon::ThreadPool,
        call: &Call<'_>,
    ) -> Result<()> {
        let values = self.len() * entrance.stem_values();
        let Some(rest) = left.checked_sub(values) else {
            return Ok(());
        };
        *left = rest;
        let stems = Stems::keep(
            self.len(),
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
    pub(crate) fn stem(&self, entrance: &Entrance, rows: &[u32]) -> Result<Tensor> {
        if let Some(stems) = &self.stems {
            return stems.rows(rows);
        }
        let bytes = gather(&self.scenes, rows)?;
        let images = entrance.pixels.tensor(&bytes, entrance.device)?;
        entrance.detector.stem(&images)
    }
}

/// The pixels of some images.
///
/// # Errors
///
/// If there is no image of a row.
pub(crate) fn gather(scenes: &Scenes, rows: &[u32]) -> Result<Vec<u8>> {
    let mut bytes = Vec::with_capacity(rows.len() * scenes.image_len());
    for &row in rows {
        let image = scenes.image(row as usize);
        bytes.extend_from_slice(
            image.ok_or_else(|| Error::failed(format!("image {row} was asked for")))?,
        );
    }
    Ok(bytes)
}
