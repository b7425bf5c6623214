//! The task: images of several classes and a convolutional network.

use metricopt_data::{Augmentation, Images, Opening, Splits};
use metricopt_nn::population::{self, Blocks};
use metricopt_nn::{Film, Weights, build};
use metricopt_sdk::prelude::*;
use metricopt_sdk::tch::{Device, Kind as Dtype, Tensor};
use metricopt_vision::{Entrance, Part, Pixels, TunedSites};
use std::ops::Range;

use crate::config::Config;
use crate::loss::CrossEntropy;
use crate::pretrain::pretrained;

/// Most values of the predictions that are emitted at once: 64 MB.
const MAX_EMITTED: usize = 1 << 24;

/// Most values in front of the first FiLM site that a population has at once on a GPU: 1 GB.
const MAX_DEVICE_VALUES: usize = 1 << 28;

/// The opened task.
pub struct Classification {
    facts: Vec<(String, String)>,
    entrance: Entrance,
    sites: TunedSites,
    classes: usize,
    augmentation: Augmentation,
    pool: rayon::ThreadPool,
    /// By [`Split`].
    parts: [Part; 3],
}

impl Task for Classification {
    const NAME: &'static str = "classification";
    const KIND: Kind = Kind::Classification;
    const METRIC: &'static str = "mcr";
    type Config = Config;

    fn check(config: &Config) -> Result<()> {
        config.check()
    }

    fn open(config: Config, context: &Context<'_>) -> Result<Self> {
        let splits = metricopt_data::open(
            &config.data,
            &Opening {
                seed: context.seed,
                cache: context.cache,
                progress: context.progress,
                call: context.call,
            },
        )?;
        let name = config.network_for(&splits.train);
        let pixels = Pixels::new(&name.input(), &splits.train, name.name())?;
        let classes = splits.train.classes.len();
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(context.call.threads)
            .build()
            .map_err(|error| Error::failed(format!("cannot start threads: {error}")))?;
        let (weights, origin) = match &config.weights {
            Some(path) => (Weights::read(path)?, format!("from `{}`", path.display())),
            None => {
                let training = &config.pretraining;
                let trained = pretrained(training, name, &splits.train, &pixels, &pool, context)?;
                (trained, format!("trained here, {} epochs", training.epochs))
            }
        };
        let network = build(name, classes, &weights, context.device)?;
        let sites = TunedSites::choose(network.sites(), &config.sites)?;
        let mut facts = describe(&splits);
        facts.push((
            "network".to_owned(),
            format!(
                "{name}, {} of {} FiLM sites, {origin}",
                sites.sites().len(),
                network.sites().len()
            ),
        ));
        let entrance = Entrance::new(network, pixels, context.device)
            .map_err(|error| error.context(format!("`{name}` on these images")))?;
        let mut task = Self {
            facts,
            entrance,
            sites,
            classes,
            augmentation: config.augmentation,
            pool,
            parts: [splits.train, splits.validation, splits.test].map(Part::new),
        };
        task.keep_stems(config.stem_cache, context)?;
        Ok(task)
    }

    fn describe(&self) -> Description {
        Description {
            sites: self.sites.sites().to_vec(),
            units: [0, 1, 2].map(|split| self.parts[split].images().len()),
            classes: Some(self.classes),
            facts: self.facts.clone(),
        }
    }

    fn loss(&self, phi: &Tensor, batch: &Batch<'_>) -> Result<Tensor> {
        let minibatch = Minibatch::new(self, batch)?;
        let network = self.entrance.network.as_ref();
        let whole = self.sites.whole(phi)?;
        let film = Film::of(&whole, network.sites())?;
        let shares: Result<Vec<Tensor>> = self
            .blocks(batch.size)
            .ranges()
            .map(|range| {
                let logits = network.logits(&film, &minibatch.stem(range.clone())?)?;
                minibatch.loss(range, &logits)
            })
            .collect();
        Ok(Tensor::f_stack(&shares?, 0)?.f_sum(Dtype::Float)?)
    }

    fn gradients(
        &self,
        phis: &Tensor,
        batches: &[Batch<'_>],
        call: &Call<'_>,
    ) -> Result<Gradients> {
        let minibatches: Result<Vec<Minibatch<'_>>> = batches
            .iter()
            .map(|batch| Minibatch::new(self, batch))
            .collect();
        let minibatches = minibatches?;
        let whole = self.sites.whole(phis)?;
        let mut parts = Vec::with_capacity(batches.len());
        // Adapters whose minibatches have one size go side by side.
        let mut at = 0;
        for same in batches.chunk_by(|a, b| a.size == b.size) {
            let first = at;
            at += same.len();
            parts.push(population::gradients(
                self.entrance.network.as_ref(),
                &whole.f_narrow(0, first as i64, same.len() as i64)?,
                self.blocks(same[0].size),
                &|index, range| minibatches[first + index].stem(range),
                &|index, range, logits| minibatches[first + index].loss(range, logits),
                &self.pool,
                call,
            )?);
        }
        let gradients: Vec<&Tensor> = parts.iter().map(|part| &part.gradients).collect();
        Ok(Gradients {
            gradients: self.sites.own(&Tensor::f_cat(&gradients, 0)?)?,
            losses: parts
                .iter()
                .flat_map(|part| &part.losses)
                .copied()
                .collect(),
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
        let chosen = rows.part.indices(part.images().len());
        let labels = part.labels(&chosen);
        let shape = [chosen.len(), self.classes];
        let group = (MAX_EMITTED / (shape[0] * shape[1]).max(1)).max(1) as i64;
        let candidates = phis.size().first().copied().unwrap_or(0);
        for first in (0..candidates).step_by(group as usize) {
            let phis = phis.f_narrow(0, first, group.min(candidates - first))?;
            let probabilities = self.probabilities(&phis, part, &chosen, call)?;
            let tensors: Result<Vec<[View<'_>; 2]>> = probabilities
                .chunks_exact((shape[0] * shape[1]).max(1))
                .map(|scores| {
                    Ok([
                        View::new("scores", &shape, Data::F32(scores))?,
                        View::new("labels", &shape[..1], Data::I64(&labels))?,
                    ])
                })
                .collect();
            let tensors = tensors?;
            let views: Vec<Views<'_>> = tensors.iter().map(|tensors| Views::new(tensors)).collect();
            emit(first as usize, &views)?;
        }
        Ok(())
    }

    /// FiLM behind a batch normalisation folds into its weight and bias: the names are those of the pre-trained weights.
    fn fold(&self, phi: &Tensor) -> Result<Vec<NamedTensor>> {
        let tensors = self.folded(phi)?.into_tensors();
        Ok(tensors
            .map(|(name, tensor)| NamedTensor::new(name, tensor))
            .collect())
    }
}

impl Classification {
    /// The weights of the network with an adapter `[D]` folded in, under their own names.
    ///
    /// # Errors
    ///
    /// If the adapter has another length.
    pub fn folded(&self, phi: &Tensor) -> Result<Weights> {
        self.entrance.network.fold(&self.sites.whole(phi)?)
    }

    /// Probabilities of every candidate, row-major `[P, rows, C]`.
    fn probabilities(
        &self,
        phis: &Tensor,
        part: &Part,
        rows: &[u32],
        call: &Call<'_>,
    ) -> Result<Vec<f32>> {
        let size = match self.entrance.device {
            Device::Cpu => self.entrance.block(),
            _ => {
                let candidates = phis.size().first().map_or(1, |&count| count as usize);
                MAX_DEVICE_VALUES / (candidates * self.entrance.stem_values()).max(1)
            }
        };
        let logits = population::logits(
            self.entrance.network.as_ref(),
            &self.sites.whole(phis)?,
            Blocks {
                images: rows.len(),
                size,
            },
            &|range| part.stem(&self.entrance, &rows[range]),
            &self.pool,
            call,
        )?;
        let probabilities = logits.f_softmax(-1, Dtype::Float)?;
        Ok(Vec::try_from(
            probabilities.f_to_device(Device::Cpu)?.f_reshape([-1])?,
        )?)
    }

    /// How a minibatch is cut; a GPU takes it whole.
    fn blocks(&self, images: usize) -> Blocks {
        Blocks {
            images,
            size: match self.entrance.device {
                Device::Cpu => self.entrance.block(),
                _ => images,
            },
        }
    }

    /// Keeps what no adapter changes of as many splits as fit into so many MiB: first of the validation images, which are
    /// looked at most often. Of training images that change it is never the same.
    fn keep_stems(&mut self, mebibytes: usize, context: &Context<'_>) -> Result<()> {
        let mut left = (mebibytes << 20) / size_of::<f32>();
        for split in [Split::Validation, Split::Train, Split::Test] {
            let part = &mut self.parts[split as usize];
            let values = part.images().len() * self.entrance.stem_values();
            let changes = split == Split::Train && self.augmentation != Augmentation::default();
            if !changes && values <= left {
                left -= values;
                part.keep_stems(&self.entrance, &self.pool, &context.call)?;
            }
        }
        Ok(())
    }
}

/// One minibatch of the surrogate loss.
struct Minibatch<'a> {
    task: &'a Classification,
    split: Split,
    rows: Vec<u32>,
    labels: Vec<i64>,
    cross_entropy: CrossEntropy<'a>,
    seed: u64,
    step: u64,
}

impl<'a> Minibatch<'a> {
    fn new(task: &'a Classification, batch: &Batch<'a>) -> Result<Self> {
        let part = &task.parts[batch.split as usize];
        let rows = batch.rows(part.images().len());
        let labels = part.labels(&rows);
        Ok(Self {
            cross_entropy: CrossEntropy::new(batch.class_weights, task.classes, &labels)?,
            task,
            split: batch.split,
            rows,
            labels,
            seed: batch.seed,
            step: batch.step,
        })
    }

    /// What stands in front of the first FiLM site; training images are changed at random first.
    fn stem(&self, range: Range<usize>) -> Result<Tensor> {
        let (task, part) = (self.task, &self.task.parts[self.split as usize]);
        let rows = &self.rows[range.clone()];
        if self.split == Split::Train && task.augmentation != Augmentation::default() {
            let at = (self.seed, self.step, range.start);
            return part.augmented_stem(&task.entrance, rows, &task.augmentation, at);
        }
        part.stem(&task.entrance, rows)
    }

    /// What some rows add to the loss.
    fn loss(&self, range: Range<usize>, logits: &Tensor) -> Result<Tensor> {
        self.cross_entropy.of(logits, &self.labels[range])
    }
}

/// Source and sizes of the data.
fn describe(splits: &Splits) -> Vec<(String, String)> {
    let Images {
        channels,
        height,
        width,
        classes,
        ..
    } = &splits.train;
    let size = |images: &Images| {
        let counts = images.counts();
        let (least, most) = (counts.iter().min(), counts.iter().max());
        format!(
            "{} images, {} to {} of a class",
            images.len(),
            least.unwrap_or(&0),
            most.unwrap_or(&0)
        )
    };
    [
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
    ]
    .map(|(name, fact)| (name.to_owned(), fact))
    .to_vec()
}
