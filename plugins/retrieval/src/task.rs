//! The task: images of disjoint classes and an embedding network.

use metricopt_data::{Augmentation, Images, Opening, Splits, disjoint};
use metricopt_nn::population::{self, Blocks};
use metricopt_nn::{Film, Weights, build};
use metricopt_sdk::NamedTensor;
use metricopt_sdk::prelude::*;
use metricopt_sdk::tch::{Device, Tensor};
use metricopt_vision::{Entrance, Part, Pixels, TunedSites};

use crate::config::Config;
use crate::gallery::Gallery;
use crate::loss::{Proxies, Surrogate};
use crate::pretrain::{Pupil, pretrained};
use crate::sampler::{Classes, Draw};

/// Most values of the embeddings that are computed at once: 64 MB.
const MAX_EMITTED: usize = 1 << 24;

/// Most values in front of the first FiLM site that a population has at once on a GPU: 1 GB.
const MAX_DEVICE_VALUES: usize = 1 << 28;

/// Least length of an embedding that is divided by it.
const EPSILON: f64 = 1e-12;

/// The opened task.
pub struct Retrieval {
    facts: Vec<(String, String)>,
    entrance: Entrance,
    sites: TunedSites,
    dimension: usize,
    normalise: bool,
    loss: Surrogate,
    per_class: usize,
    augmentation: Augmentation,
    pool: rayon::ThreadPool,
    /// By [`Split`].
    parts: [Part; 3],
    /// The classes of each part.
    classes: [Classes; 3],
    /// Of training and validation classes, where the loss has them.
    proxies: Option<[Proxies; 2]>,
    gallery: Gallery,
}

impl Task for Retrieval {
    const NAME: &'static str = "retrieval";
    const KIND: Kind = Kind::Retrieval;
    const METRIC: &'static str = "recall-at-k";
    type Config = Config;

    fn check(config: &Config) -> Result<()> {
        config.check()
    }

    fn open(config: Config, context: &Context<'_>) -> Result<Self> {
        let splits = disjoint::open(
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
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(context.call.threads)
            .build()
            .map_err(|error| Error::failed(format!("cannot start threads: {error}")))?;
        let (weights, origin) = match &config.weights {
            Some(path) => (Weights::read(path)?, format!("from `{}`", path.display())),
            None => {
                let training = &config.pretraining;
                let pupil = Pupil {
                    network: name,
                    dimension: config.dimension,
                    images: &splits.train,
                    pixels: &pixels,
                };
                let trained = pretrained(training, &pupil, &pool, context)?;
                let origin = format!(
                    "trained here, {} steps of {}",
                    training.steps,
                    training.loss.name()
                );
                (trained, origin)
            }
        };
        let network = build(name, config.dimension, &weights, context.device)?;
        let sites = TunedSites::choose(network.sites(), &config.sites)?;
        let mut facts = describe(&splits);
        facts.push((
            "network".to_owned(),
            format!(
                "{name}, embeddings of {} numbers, {} of {} FiLM sites, {origin}",
                config.dimension,
                sites.sites().len(),
                network.sites().len()
            ),
        ));
        facts.push(("loss".to_owned(), config.loss.name().to_owned()));
        let entrance = Entrance::new(network, pixels, context.device)
            .map_err(|error| error.context(format!("`{name}` on these images")))?;
        let parts = [splits.train, splits.validation, splits.test];
        let mut task = Self {
            facts,
            entrance,
            sites,
            dimension: config.dimension,
            normalise: config.normalise,
            loss: config.loss,
            per_class: config.per_class,
            augmentation: config.augmentation,
            pool,
            classes: [0, 1, 2].map(|part: usize| Classes::new(&parts[part].labels)),
            parts: parts.map(Part::new),
            proxies: None,
            gallery: Gallery::default(),
        };
        task.keep_stems(config.stem_cache, context)?;
        if config.loss == Surrogate::ProxyNca {
            let of = |split| task.proxies_of(split, &context.call);
            task.proxies = Some([of(Split::Train)?, of(Split::Validation)?]);
        }
        Ok(task)
    }

    fn describe(&self) -> Description {
        Description {
            sites: self.sites.sites().to_vec(),
            units: [0, 1, 2].map(|split| self.parts[split].images().len()),
            classes: None,
            facts: self.facts.clone(),
        }
    }

    fn loss(&self, phi: &Tensor, batch: &Batch<'_>) -> Result<Tensor> {
        let minibatch = Minibatch::new(self, batch);
        let network = self.entrance.network.as_ref();
        let whole = self.sites.whole(phi)?;
        let film = Film::of(&whole, network.sites())?;
        minibatch.loss(&network.logits(&film, &minibatch.stem()?)?)
    }

    /// The items of a minibatch are compared with each other, so each is one block; adapters go side by side.
    fn gradients(
        &self,
        phis: &Tensor,
        batches: &[Batch<'_>],
        call: &Call<'_>,
    ) -> Result<Gradients> {
        let minibatches: Vec<Minibatch<'_>> = batches
            .iter()
            .map(|batch| Minibatch::new(self, batch))
            .collect();
        let whole = self.sites.whole(phis)?;
        let mut parts = Vec::with_capacity(batches.len());
        let mut at = 0;
        for same in minibatches.chunk_by(|a, b| a.rows.len() == b.rows.len()) {
            let images = same[0].rows.len();
            parts.push(population::gradients(
                self.entrance.network.as_ref(),
                &whole.f_narrow(0, at, same.len() as i64)?,
                Blocks {
                    images,
                    size: images,
                },
                &|index, _| same[index].stem(),
                &|index, _, embeddings| same[index].loss(embeddings),
                &self.pool,
                call,
            )?);
            at += same.len() as i64;
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

    /// All units, or a fold of them, search the whole split; a sample is some classes that search themselves.
    fn predict(
        &self,
        phis: &Tensor,
        rows: &Rows,
        call: &Call<'_>,
        emit: &mut Emit<'_>,
    ) -> Result<()> {
        use metricopt_sdk::Part as Units;
        let part = &self.parts[rows.split as usize];
        let count = part.images().len();
        let everything: Vec<u32> = (0..count as u32).collect();
        let (chosen, queries, whole) = match rows.part {
            Units::All => (everything, None, true),
            Units::Fold { .. } => {
                let queries = rows.part.indices(count).into_iter().map(i64::from);
                (everything, Some(queries.collect::<Vec<i64>>()), true)
            }
            Units::Sample { seed, size } => {
                let classes = &self.classes[rows.split as usize];
                (classes.sample(seed, size, self.per_class), None, false)
            }
        };
        let labels = part.labels(&chosen);
        let shape = [chosen.len(), self.dimension];
        let values = (shape[0] * shape[1]).max(1);
        let group = (MAX_EMITTED / values).max(1) as i64;
        let candidates = phis.size().first().copied().unwrap_or(0);
        for first in (0..candidates).step_by(group as usize) {
            let phis = phis.f_narrow(0, first, group.min(candidates - first))?;
            let embed = || self.embeddings(&phis, part, &chosen, call);
            let embeddings = if whole {
                self.gallery.get(&phis, rows.split, embed)?
            } else {
                std::sync::Arc::new(embed()?)
            };
            let of_queries = [queries.as_ref().map_or(0, Vec::len)];
            let tensors: Result<Vec<Vec<View<'_>>>> = embeddings
                .chunks_exact(values)
                .map(|embeddings| {
                    let mut views = vec![
                        View::new("embeddings", &shape, Data::F32(embeddings))?,
                        View::new("labels", &shape[..1], Data::I64(&labels))?,
                    ];
                    if let Some(queries) = &queries {
                        views.push(View::new("query_rows", &of_queries, Data::I64(queries))?);
                    }
                    Ok(views)
                })
                .collect();
            let tensors = tensors?;
            let views: Vec<Views<'_>> = tensors.iter().map(|tensors| Views::new(tensors)).collect();
            emit(first as usize, &views)?;
        }
        Ok(())
    }

    fn fold(&self, phi: &Tensor) -> Result<Vec<NamedTensor>> {
        let folded = self.entrance.network.fold(&self.sites.whole(phi)?)?;
        let named = |(name, tensor): (String, Tensor)| NamedTensor::new(name, tensor);
        Ok(folded.into_tensors().map(named).collect())
    }
}

impl Retrieval {
    /// Embeddings of every candidate, row-major `[P, rows, D]`.
    fn embeddings(
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
        let embeddings = population::logits(
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
        let embeddings = if self.normalise {
            let length = embeddings.f_norm_scalaropt_dim(2.0, [-1], true)?;
            embeddings.f_div(&length.f_clamp_min(EPSILON)?)?
        } else {
            embeddings
        };
        Ok(Vec::try_from(
            embeddings.f_to_device(Device::Cpu)?.f_reshape([-1])?,
        )?)
    }

    fn proxies_of(&self, split: Split, call: &Call<'_>) -> Result<Proxies> {
        let part = &self.parts[split as usize];
        let rows: Vec<u32> = (0..part.images().len() as u32).collect();
        let dimensions: usize = self
            .sites
            .sites()
            .iter()
            .map(|site| 2 * site.channels)
            .sum();
        let kind = metricopt_sdk::tch::Kind::Float;
        let identity = Tensor::f_zeros([1, dimensions as i64], (kind, self.entrance.device))?;
        let embeddings = self.embeddings(&identity, part, &rows, call)?;
        Proxies::of_means(&embeddings, &part.images().labels, self.entrance.device)
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
    task: &'a Retrieval,
    split: Split,
    rows: Vec<u32>,
    labels: Vec<i64>,
    seed: u64,
    step: u64,
}

impl<'a> Minibatch<'a> {
    fn new(task: &'a Retrieval, batch: &Batch<'_>) -> Self {
        let rows = task.classes[batch.split as usize].minibatch(&Draw {
            seed: batch.seed,
            step: batch.step,
            size: batch.size,
            per_class: task.per_class,
            fraction: batch.fraction,
        });
        Self {
            task,
            split: batch.split,
            labels: task.parts[batch.split as usize].labels(&rows),
            rows,
            seed: batch.seed,
            step: batch.step,
        }
    }

    /// What stands in front of the first FiLM site; training images are changed at random first.
    fn stem(&self) -> Result<Tensor> {
        let (task, part) = (self.task, &self.task.parts[self.split as usize]);
        if self.split == Split::Train && task.augmentation != Augmentation::default() {
            let at = (self.seed, self.step, 0);
            return part.augmented_stem(&task.entrance, &self.rows, &task.augmentation, at);
        }
        part.stem(&task.entrance, &self.rows)
    }

    fn loss(&self, embeddings: &Tensor) -> Result<Tensor> {
        let proxies = self.task.proxies.as_ref();
        let proxies = proxies.and_then(|proxies| proxies.get(self.split as usize));
        self.task.loss.of(embeddings, &self.labels, proxies)
    }
}

/// Source and sizes of the data.
fn describe(splits: &Splits) -> Vec<(String, String)> {
    let Images {
        channels,
        height,
        width,
        ..
    } = &splits.train;
    let size = |images: &Images| {
        let counts: Vec<usize> = images
            .counts()
            .into_iter()
            .filter(|&count| count > 0)
            .collect();
        let (least, most) = (counts.iter().min(), counts.iter().max());
        format!(
            "{} images of {} classes, {} to {} of a class",
            images.len(),
            counts.len(),
            least.unwrap_or(&0),
            most.unwrap_or(&0)
        )
    };
    [
        ("data", splits.source.clone()),
        (
            "images",
            format!(
                "{height} x {width} pixels, {channels} channel{}",
                if *channels == 1 { "" } else { "s" },
            ),
        ),
        ("train", size(&splits.train)),
        ("validation", size(&splits.validation)),
        ("test", size(&splits.test)),
    ]
    .map(|(name, fact)| (name.to_owned(), fact))
    .to_vec()
}
