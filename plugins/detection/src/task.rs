//! The task: images with boxes and a detector.

use metricopt_data::Opening;
use metricopt_data::detection::{Frame, Scenes, Splits, open};
use metricopt_nn::detector::detect::Keeping;
use metricopt_nn::detector::{Anchors, Detector, DetectorName, Output, Shape};
use metricopt_nn::{Film, Weights};
use metricopt_sdk::prelude::*;
use metricopt_sdk::tch::{Device, Kind as Dtype, Tensor, no_grad};
use metricopt_vision::TunedSites;
use rayon::prelude::*;
use serde_json::{Value, json};
use std::sync::Mutex;

use crate::config::{Config, SurrogateLoss};
use crate::found::FoundBoxes;
use crate::minibatch::{self, Minibatch};
use crate::part::{Entrance, Part};
use crate::pixels::pixels;
use crate::pretrain::pretrained;
use crate::side_by_side;
use crate::truth::TrueBoxes;
use crate::weights;

/// The opened task.
pub struct Detection {
    facts: Vec<(String, String)>,
    entrance: Entrance,
    sites: TunedSites,
    anchors: Anchors,
    keeping: Keeping,
    classes: usize,
    loss: SurrogateLoss,
    pool: rayon::ThreadPool,
    /// By [`Split`].
    parts: [Part; 3],
}

impl Task for Detection {
    const NAME: &'static str = "detection";
    const KIND: Kind = Kind::Detection;
    const METRIC: &'static str = "voc-map";
    type Config = Config;

    /// An image takes a hundred to a thousand times what a row of a table does.
    fn engine_defaults() -> Value {
        json!({
            "trajectories": { "count": 12, "steps": 40, "batch_size": 16 },
            "finetune": { "steps": 40, "batch_size": 16, "es": { "pairs": 2, "rows": 48 } },
            "report": { "landscape": 7 },
        })
    }

    fn check(config: &Config) -> Result<()> {
        config.check()
    }

    fn open(config: Config, context: &Context<'_>) -> Result<Self> {
        let splits = open(
            &config.sized_data(),
            &Opening {
                seed: context.seed,
                cache: context.cache,
                progress: context.progress,
                call: context.call,
            },
        )?;
        let facts = describe(&splits);
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(context.call.threads)
            .build()
            .map_err(|error| Error::failed(format!("cannot start threads: {error}")))?;
        let train = &splits.train;
        let network = config.network;
        let anchors = Anchors::new(network, [train.height, train.width]);
        let pixels = pixels(network, train);
        let mut shape = Shape::new(network, pixels.channels(), train.classes.len());
        shape.epsilon = config.norm_epsilon.unwrap_or(shape.epsilon);
        let (weights, origin) = match &config.weights {
            Some(path) => {
                let weights = match network {
                    DetectorName::Tiny => Weights::read(path)?,
                    _ => weights::retinanet(path, &config.logits, &splits)?,
                };
                (weights, format!("from `{}`", path.display()))
            }
            None => {
                let training = config.pretraining.for_data(config.data.dataset);
                let trained = pretrained(&training, shape, train, &anchors, &pool, context)?;
                (trained, format!("trained here, {} epochs", training.epochs))
            }
        };
        let detector = Detector::build(shape, &weights, context.device)?;
        let sites = TunedSites::choose(detector.sites(), &config.sites)?;
        let entrance = Entrance::new(detector, pixels, context.device)?;
        let parts = [splits.train, splits.validation, splits.test]
            .map(|scenes| Part::new(scenes, &anchors, &pool));
        let mut task = Self {
            facts,
            entrance,
            sites,
            anchors,
            keeping: config.boxes.keeping(network),
            classes: shape.classes,
            loss: config.loss,
            pool,
            parts,
        };
        let name = match network {
            DetectorName::Tiny => "tiny one-stage detector",
            network => network.name(),
        };
        let all = task.entrance.detector.sites().len();
        let tuned = match task.sites.sites().len() {
            tuned if tuned == all => format!("{all}"),
            tuned => format!("{tuned} of {all}"),
        };
        let fact = format!("{name}, {tuned} FiLM sites, {origin}");
        task.facts.push(("network".to_owned(), fact));
        // First of the validation images, which are looked at most often.
        let mut left = (config.stem_cache << 20) / size_of::<f32>();
        for split in [Split::Validation, Split::Train, Split::Test] {
            task.parts[split as usize].keep_stems(
                &task.entrance,
                &mut left,
                &task.pool,
                &context.call,
            )?;
        }
        Ok(task)
    }

    fn describe(&self) -> Description {
        Description {
            sites: self.sites.sites().to_vec(),
            units: [0, 1, 2].map(|split| self.parts[split].len()),
            classes: Some(self.classes),
            facts: self.facts.clone(),
        }
    }

    fn loss(&self, phi: &Tensor, batch: &Batch<'_>) -> Result<Tensor> {
        let minibatch = self.minibatch(batch)?;
        let phi = &self.sites.whole(phi)?;
        let ranking = minibatch.ranking(phi)?;
        let shares: Result<Vec<Tensor>> = minibatch
            .blocks()
            .map(|block| minibatch.share(phi, &block, ranking.as_deref()))
            .collect();
        Ok(Tensor::f_stack(&shares?, 0)?.f_sum(Dtype::Float)?)
    }

    fn gradients(
        &self,
        phis: &Tensor,
        batches: &[Batch<'_>],
        call: &Call<'_>,
    ) -> Result<Gradients> {
        let minibatches: Result<Vec<Minibatch<'_>>> =
            batches.iter().map(|batch| self.minibatch(batch)).collect();
        let whole = self.sites.whole(phis)?;
        let found = if self.entrance.device == Device::Cpu {
            minibatch::gradients(&minibatches?, &whole, &self.pool, call)?
        } else {
            side_by_side::gradients(&self.entrance, &minibatches?, &whole, &self.pool, call)?
        };
        Ok(Gradients {
            gradients: self.sites.own(&found.gradients)?,
            ..found
        })
    }

    fn predict(
        &self,
        phis: &Tensor,
        rows: &Rows,
        call: &Call<'_>,
        emit: &mut Emit<'_>,
    ) -> Result<()> {
        let part = &self.parts[rows.split as usize];
        let chosen = rows.part.indices(part.len());
        let truth = TrueBoxes::of(part.scenes(), &chosen);
        let found = self.find(&self.sites.whole(phis)?, part, &chosen, call)?;
        let true_shape = [truth.labels.len(), 4];
        let shapes: Vec<[usize; 2]> = found.iter().map(|found| [found.scores.len(), 4]).collect();
        let tensors: Result<Vec<[View<'_>; 8]>> = found
            .iter()
            .zip(&shapes)
            .map(|(found, shape)| {
                Ok([
                    View::new("boxes", shape, Data::F32(&found.boxes))?,
                    View::new("scores", &shape[..1], Data::F32(&found.scores))?,
                    View::new("labels", &shape[..1], Data::I64(&found.labels))?,
                    View::new("image_ids", &shape[..1], Data::I64(&found.image_ids))?,
                    View::new("gt_boxes", &true_shape, Data::F32(&truth.boxes))?,
                    View::new("gt_labels", &true_shape[..1], Data::I64(&truth.labels))?,
                    View::new(
                        "gt_image_ids",
                        &true_shape[..1],
                        Data::I64(&truth.image_ids),
                    )?,
                    View::new("gt_difficult", &true_shape[..1], Data::U8(&truth.difficult))?,
                ])
            })
            .collect();
        let tensors = tensors?;
        let views: Vec<Views<'_>> = tensors.iter().map(|tensors| Views::new(tensors)).collect();
        emit(0, &views)
    }

    fn pictures(&self, split: Split, rows: &[u32]) -> Result<Option<Pictures>> {
        let scenes = self.parts[split as usize].scenes();
        let pictures: Result<Vec<Picture>> = rows.iter().map(|&row| picture(scenes, row)).collect();
        Ok(Some(Pictures {
            classes: scenes.classes.clone(),
            pictures: pictures?,
        }))
    }

    fn fold(&self, phi: &Tensor) -> Result<Vec<NamedTensor>> {
        let phi = self.sites.whole(phi)?;
        let tensors = self.entrance.detector.fold(&phi)?.into_tensors();
        Ok(tensors
            .map(|(name, tensor)| NamedTensor::new(name, tensor))
            .collect())
    }
}

impl Detection {
    fn minibatch<'a>(&'a self, batch: &Batch<'a>) -> Result<Minibatch<'a>> {
        let part = &self.parts[batch.split as usize];
        Minibatch::new(self.loss, self.classes, &self.entrance, part, batch)
    }

    /// The boxes that each candidate finds on the chosen images.
    fn find(
        &self,
        phis: &Tensor,
        part: &Part,
        chosen: &[u32],
        call: &Call<'_>,
    ) -> Result<Vec<FoundBoxes>> {
        let blocks = if self.entrance.device == Device::Cpu {
            self.find_one_by_one(phis, part, chosen, call)?
        } else {
            self.find_side_by_side(phis, part, chosen, call)?
        };
        let count = phis.size().first().copied().unwrap_or(0) as usize;
        let mut all: Vec<FoundBoxes> = (0..count).map(|_| FoundBoxes::default()).collect();
        for block in blocks {
            for (all, found) in all.iter_mut().zip(block) {
                all.append(found);
            }
        }
        Ok(all)
    }

    /// By blocks of images, what each candidate finds there. A block meets all candidates, one a thread, because what stands in front
    /// of the first site is the same for all.
    fn find_one_by_one(
        &self,
        phis: &Tensor,
        part: &Part,
        chosen: &[u32],
        call: &Call<'_>,
    ) -> Result<Vec<Vec<FoundBoxes>>> {
        let blocks: Vec<&[u32]> = chosen.chunks(self.entrance.block()).collect();
        // Tensors may be handed to other threads, but not looked at by several.
        let candidates: Vec<Mutex<Tensor>> =
            phis.f_unbind(0)?.into_iter().map(Mutex::new).collect();
        let of_block = |rows: &[u32]| -> Result<Vec<FoundBoxes>> {
            call.check()?;
            let stem = Mutex::new(no_grad(|| part.stem(&self.entrance, rows))?);
            let of_candidate = |phi: &Mutex<Tensor>| -> Result<FoundBoxes> {
                call.check()?;
                let (phi, stem) = (own(phi), own(&stem));
                let output = no_grad(|| {
                    let detector = &self.entrance.detector;
                    detector.output(&Film::of(&phi, detector.sites())?, &stem)
                })?;
                self.boxes(&output, part, rows)
            };
            candidates.par_iter().map(of_candidate).collect()
        };
        self.pool
            .install(|| blocks.into_par_iter().map(of_block).collect())
    }

    /// The same with all candidates in one pass; the threads turn what comes back into boxes.
    fn find_side_by_side(
        &self,
        phis: &Tensor,
        part: &Part,
        chosen: &[u32],
        call: &Call<'_>,
    ) -> Result<Vec<Vec<FoundBoxes>>> {
        let entrance = &self.entrance;
        side_by_side::outputs(entrance, part, chosen, phis, call, |rows, outputs| {
            let outputs = outputs.into_par_iter();
            self.pool.install(|| {
                outputs
                    .map(|output| self.boxes(&output, part, rows))
                    .collect()
            })
        })
    }

    /// What an output for some images says.
    fn boxes(&self, output: &Output, part: &Part, rows: &[u32]) -> Result<FoundBoxes> {
        let scenes = part.scenes();
        let size = [scenes.height as f32, scenes.width as f32];
        let images: Vec<(u32, Frame)> = rows
            .iter()
            .map(|&row| (row, scenes.scenes[row as usize].frame))
            .collect();
        FoundBoxes::of(output, &images, &self.anchors, size, &self.keeping)
    }
}

/// The same tensor, for the calling thread.
fn own(tensor: &Mutex<Tensor>) -> Tensor {
    let guard = tensor.lock();
    guard
        .unwrap_or_else(std::sync::PoisonError::into_inner)
        .shallow_clone()
}

/// An image as the network sees it, which may be smaller than the original and have a border.
fn picture(scenes: &Scenes, row: u32) -> Result<Picture> {
    let (length, row) = (scenes.image_len(), row as usize);
    let (Some(scene), Some(pixels)) = (
        scenes.scenes.get(row),
        scenes.pixels.get(row * length..(row + 1) * length),
    ) else {
        return Err(Error::data(format!("there is no image {row}")));
    };
    let Frame { scale, offset, .. } = scene.frame;
    let first = |axis: usize| -offset[axis] / scale[axis] + 1.0;
    let last = |axis: usize, extent: usize| (extent as f32 - offset[axis]) / scale[axis];
    Ok(Picture {
        // A border lies outside the original.
        corners: [
            first(0),
            first(1),
            last(0, scenes.width),
            last(1, scenes.height),
        ],
        ..Picture::new(
            &scene.name,
            [scenes.channels, scenes.height, scenes.width],
            pixels.to_vec(),
        )
    })
}

/// Source and sizes of the data.
fn describe(splits: &Splits) -> Vec<(String, String)> {
    let Scenes {
        channels,
        height,
        width,
        classes,
        ..
    } = &splits.train;
    let size = |scenes: &Scenes| {
        format!(
            "{} images, {} objects",
            scenes.scenes.len(),
            scenes.objects()
        )
    };
    let mut facts = vec![
        ("data", splits.source.clone()),
        (
            "images",
            format!(
                "{height} x {width} pixels, {channels} channel{}, {} classes",
                if *channels == 1 { "" } else { "s" },
                classes.len()
            ),
        ),
        ("train", size(&splits.train)),
        ("validation", size(&splits.validation)),
        ("test", size(&splits.test)),
    ];
    if let Some(skipped) = &splits.skipped {
        facts.push(("left out", skipped.clone()));
    }
    facts
        .into_iter()
        .map(|(name, fact)| (name.to_owned(), fact))
        .collect()
}

#[cfg(test)]
mod tests;
