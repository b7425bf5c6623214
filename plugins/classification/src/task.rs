//! The task: images of several classes and a convolutional network.

use metricopt_data::{Images, Opening, Splits};
use metricopt_nn::population::Blocks;
use metricopt_nn::{Weights, build};
use metricopt_sdk::prelude::*;
use metricopt_sdk::tch::{Device, Kind as Dtype, Tensor};
use metricopt_vision::{
    Entrance, Moment, Part, Pixels, Tuned, TunedSites, device_memory, in_groups,
};
use serde_json::{Value, json};
use std::ops::Range;

use crate::config::Config;
use crate::loss::CrossEntropy;
use crate::pretrain::pretrained;

/// The opened task.
pub struct Classification {
    facts: Vec<(String, String)>,
    classes: usize,
    model: Tuned,
}

impl Task for Classification {
    const NAME: &'static str = "classification";
    const KIND: Kind = Kind::Classification;
    const METRIC: &'static str = "mcr";
    type Config = Config;

    /// Calibration follows the loss of up to a hundred adapters, and the landscape shows the metric at each of its points: with as
    /// many images as rows of a table, and as many points, each took longer on a CPU than all the rest of a run.
    fn engine_defaults() -> Value {
        json!({ "calibration": { "rows": 512 }, "report": { "landscape": 9 } })
    }

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
        let network = build(name, classes, &weights, context.device, config.precision)?;
        let sites = TunedSites::choose(network.sites(), &config.sites)?;
        let mut facts = describe(&splits);
        facts.push((
            "network".to_owned(),
            format!(
                "{name}, {} of {} FiLM sites, {origin}, {}",
                sites.sites().len(),
                network.sites().len(),
                config.precision.name()
            ),
        ));
        let entrance = Entrance::new(network, pixels, context.device)
            .map_err(|error| error.context(format!("`{name}` on these images")))?;
        let mut model = Tuned {
            memory: device_memory(),
            entrance,
            sites,
            augmentation: config.augmentation,
            pool,
            parts: [splits.train, splits.validation, splits.test].map(Part::new),
        };
        model.keep_stems(config.stem_cache, &context.call)?;
        Ok(Self {
            facts,
            classes,
            model,
        })
    }

    fn describe(&self) -> Description {
        Description {
            sites: self.model.sites.sites().to_vec(),
            units: [0, 1, 2].map(|split| self.model.parts[split].images().len()),
            classes: Some(self.classes),
            facts: self.facts.clone(),
        }
    }

    fn loss(&self, phi: &Tensor, batch: &Batch<'_>) -> Result<Tensor> {
        let minibatch = Minibatch::new(self, batch)?;
        let shares: Result<Vec<Tensor>> = self
            .blocks(batch.size)
            .ranges()
            .map(|range| {
                let logits = self.model.follow(phi, &minibatch.stem(range.clone())?)?;
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
        let images: Vec<usize> = batches.iter().map(|batch| batch.size).collect();
        self.model.gradients(
            phis,
            &images,
            self.model.entrance.block(),
            &|index, range| minibatches[index].stem(range),
            &|index, range, logits| minibatches[index].loss(range, logits),
            call,
        )
    }

    fn predict(
        &self,
        phis: &Tensor,
        rows: &Rows,
        call: &Call<'_>,
        emit: &mut Emit<'_>,
    ) -> Result<()> {
        let part = &self.model.parts[rows.split as usize];
        let chosen = rows.part.indices(part.images().len());
        let labels = part.labels(&chosen);
        let shape = [chosen.len(), self.classes];
        let values = (shape[0] * shape[1]).max(1);
        in_groups(phis, values, |first, phis| {
            let logits = self.model.outputs(phis, rows.split, &chosen, call)?;
            let probabilities = logits.f_softmax(-1, Dtype::Float)?;
            let flat = probabilities.f_to_device(Device::Cpu)?.f_reshape([-1])?;
            let probabilities = Vec::<f32>::try_from(flat)?;
            let tensors: Result<Vec<[View<'_>; 2]>> = probabilities
                .chunks_exact(values)
                .map(|scores| {
                    Ok([
                        View::new("scores", &shape, Data::F32(scores))?,
                        View::new("labels", &shape[..1], Data::I64(&labels))?,
                    ])
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

impl Classification {
    /// How a minibatch is cut; a GPU takes it whole.
    fn blocks(&self, images: usize) -> Blocks {
        Blocks {
            images,
            size: match self.model.entrance.device {
                Device::Cpu => self.model.entrance.block(),
                _ => images,
            },
        }
    }
}

/// One minibatch of the surrogate loss.
struct Minibatch<'a> {
    task: &'a Classification,
    split: Split,
    rows: Vec<u32>,
    labels: Vec<i64>,
    cross_entropy: CrossEntropy<'a>,
    moment: Moment,
}

impl<'a> Minibatch<'a> {
    fn new(task: &'a Classification, batch: &Batch<'a>) -> Result<Self> {
        let part = &task.model.parts[batch.split as usize];
        let rows = batch.rows(part.images().len());
        let labels = part.labels(&rows);
        Ok(Self {
            cross_entropy: CrossEntropy::new(batch.class_weights, task.classes, &labels)?,
            task,
            split: batch.split,
            rows,
            labels,
            moment: Moment {
                seed: batch.seed,
                step: batch.step,
            },
        })
    }

    fn stem(&self, range: Range<usize>) -> Result<Tensor> {
        let (rows, first) = (&self.rows[range.clone()], range.start);
        self.task.model.stem(self.split, rows, self.moment, first)
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
