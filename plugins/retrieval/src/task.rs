//! The task: images of disjoint classes and an embedding network.

use metricopt_data::{Images, Opening, Splits, disjoint};
use metricopt_nn::{Weights, build};
use metricopt_sdk::prelude::*;
use metricopt_sdk::tch::{Device, Kind as Dtype, Tensor};
use metricopt_vision::{
    Entrance, Moment, Part, Pixels, Tuned, TunedSites, device_memory, in_groups,
};
use serde_json::{Value, json};

use crate::config::Config;
use crate::gallery::Gallery;
use crate::loss::{Proxies, Surrogate};
use crate::pretrain::{Pupil, pretrained};
use crate::sampler::{Classes, Draw};

/// Least length of an embedding that is divided by it.
const EPSILON: f64 = 1e-12;

/// The opened task.
pub struct Retrieval {
    facts: Vec<(String, String)>,
    model: Tuned,
    dimension: usize,
    normalise: bool,
    loss: Surrogate,
    per_class: usize,
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

    /// Fewer and smaller minibatches than for a table: with these, thousands of images take minutes on two cores. Steps are ten
    /// times as large and the search is narrower than there, which did better on validation images of Omniglot.
    fn engine_defaults() -> Value {
        json!({
            // Some losses compare three items at a time: the memory they take grows with the third power of the rows.
            "calibration": { "rows": 256 },
            "trajectories": {
                "count": 16, "steps": 40, "observe_every": 5, "batch_size": 64, "learning_rates": [0.01, 0.3],
            },
            "finetune": {
                "steps": 60, "batch_size": 64, "learning_rate": 0.03, "es": { "rows": 256, "sigma": 0.2 },
            },
            "report": { "landscape": 9 },
        })
    }

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
                let training = &config.pretraining.completed(config.data.dataset);
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
        let network = build(
            name,
            config.dimension,
            &weights,
            context.device,
            config.precision,
        )?;
        let sites = TunedSites::choose(network.sites(), &config.sites)?;
        let mut facts = describe(&splits);
        facts.push((
            "network".to_owned(),
            format!(
                "{name}, embeddings of {} numbers, {} of {} FiLM sites, {origin}, {}",
                config.dimension,
                sites.sites().len(),
                network.sites().len(),
                config.precision.name()
            ),
        ));
        facts.push(("loss".to_owned(), config.loss.name().to_owned()));
        let entrance = Entrance::new(network, pixels, context.device)
            .map_err(|error| error.context(format!("`{name}` on these images")))?;
        let parts = [splits.train, splits.validation, splits.test];
        let classes = [0, 1, 2].map(|part: usize| Classes::new(&parts[part].labels));
        let mut model = Tuned {
            memory: device_memory(),
            entrance,
            sites,
            augmentation: config.augmentation,
            pool,
            parts: parts.map(Part::new),
        };
        model.keep_stems(config.stem_cache, &context.call)?;
        let mut task = Self {
            facts,
            model,
            dimension: config.dimension,
            normalise: config.normalise,
            loss: config.loss,
            per_class: config.per_class,
            classes,
            proxies: None,
            gallery: Gallery::default(),
        };
        if config.loss == Surrogate::ProxyNca {
            let of = |split| task.proxies_of(split, &context.call);
            task.proxies = Some([of(Split::Train)?, of(Split::Validation)?]);
        }
        Ok(task)
    }

    fn describe(&self) -> Description {
        Description {
            sites: self.model.sites.sites().to_vec(),
            units: [0, 1, 2].map(|split| self.model.parts[split].images().len()),
            classes: None,
            facts: self.facts.clone(),
        }
    }

    fn loss(&self, phi: &Tensor, batch: &Batch<'_>) -> Result<Tensor> {
        let minibatch = Minibatch::new(self, batch);
        minibatch.loss(&self.model.follow(phi, &minibatch.stem()?)?)
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
        let images = minibatches.iter().map(|minibatch| minibatch.rows.len());
        self.model.gradients(
            phis,
            &images.collect::<Vec<_>>(),
            usize::MAX,
            &|index, _| minibatches[index].stem(),
            &|index, _, embeddings| minibatches[index].loss(embeddings),
            call,
        )
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
        let part = &self.model.parts[rows.split as usize];
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
        in_groups(phis, values, |first, phis| {
            let embed = || self.embeddings(phis, rows.split, &chosen, call);
            let embeddings = if whole {
                self.gallery.get(phis, rows.split, embed)?
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
            emit(first, &views)
        })
    }

    fn fold(&self, phi: &Tensor) -> Result<Vec<NamedTensor>> {
        self.model.fold(phi)
    }
}

impl Retrieval {
    /// Embeddings of every candidate, row-major `[P, rows, D]`.
    fn embeddings(
        &self,
        phis: &Tensor,
        split: Split,
        rows: &[u32],
        call: &Call<'_>,
    ) -> Result<Vec<f32>> {
        let embeddings = self.model.outputs(phis, split, rows, call)?;
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
        let part = &self.model.parts[split as usize];
        let rows: Vec<u32> = (0..part.images().len() as u32).collect();
        let device = self.model.entrance.device;
        let dimensions = self.describe().dimensions() as i64;
        let identity = Tensor::f_zeros([1, dimensions], (Dtype::Float, device))?;
        let embeddings = self.embeddings(&identity, split, &rows, call)?;
        Proxies::of_means(&embeddings, &part.images().labels, device)
    }
}

/// One minibatch of the surrogate loss.
struct Minibatch<'a> {
    task: &'a Retrieval,
    split: Split,
    rows: Vec<u32>,
    labels: Vec<i64>,
    moment: Moment,
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
            labels: task.model.parts[batch.split as usize].labels(&rows),
            rows,
            moment: Moment {
                seed: batch.seed,
                step: batch.step,
            },
        }
    }

    fn stem(&self) -> Result<Tensor> {
        self.task.model.stem(self.split, &self.rows, self.moment, 0)
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
