//! The task: tables with a binary label and a multilayer perceptron.

use metricopt_sdk::prelude::*;
use metricopt_sdk::tch::{Device, Tensor, no_grad};
use metricopt_sdk::{DeviceMemory, SharedTensor, autograd_each};
use rayon::prelude::*;

use crate::cache;
use crate::data::{self, Corruption, Scaling, Shares, Source, Splits, Table};
use crate::film::{BLOCK, FirstLayer, Scratch, score_block};
use crate::fold::folded;
use crate::network::{Network, TensorNetwork};
use crate::pretrain::{Pretraining, cross_entropy, row_weights, train};

/// Most values of an intermediate tensor on a GPU, to begin with: 256 MB.
const MAX_DEVICE_VALUES: usize = 1 << 26;

/// A table with a binary label and a multilayer perceptron with FiLM before every hidden activation.
///
/// By default the embedded UCI Adult data in the a9a encoding. The network is pre-trained in seconds, once: it is kept
/// by the content of data and configuration.
///
/// `host export --fold` names the weights as a `torch.nn.Sequential` of `Linear` and `ReLU` in turn does: `0.weight`,
/// `0.bias`, `2.weight`, ... Its output is the logit of the positive class; its inputs are the columns, standardised where
/// `standardise` says so.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Where the data comes from.
    #[serde(flatten)]
    pub source: Source,
    /// How it is split.
    pub split: Shares,
    /// Labels made wrong on purpose, in the training split only: a case where loss and metric disagree.
    pub corruption: Corruption,
    /// Whether columns with values other than 0 and 1 are brought to mean 0 and deviation 1, as measured on the training
    /// split.
    pub standardise: bool,
    /// The network and its pre-training.
    pub network: Pretraining,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            source: Source::default(),
            split: Shares::default(),
            corruption: Corruption::default(),
            standardise: true,
            network: Pretraining::default(),
        }
    }
}

/// The opened task.
pub struct Tabular {
    facts: Vec<(String, String)>,
    network: Network,
    tensors: TensorNetwork,
    device: Device,
    memory: DeviceMemory,
    pool: rayon::ThreadPool,
    /// By [`Split`].
    splits: [SplitData; 3],
}

/// The rows of a minibatch, on the device.
struct Minibatch {
    /// Pre-activations of the first layer `[N, channels]`.
    first: Tensor,
    /// Labels f32 `[N]`.
    labels: Tensor,
    /// What each row counts `[N]`, if not all alike.
    weights: Option<Tensor>,
}

impl Minibatch {
    fn rows(&self) -> usize {
        self.labels.numel()
    }
}

/// What is kept of a split: labels, and the activations in front of the first FiLM site, which no adapter changes.
struct SplitData {
    labels: Vec<i64>,
    /// Labels f32 `[N]` on the device.
    targets: SharedTensor,
    /// `[N, channels]` on the device, for gradients.
    first: SharedTensor,
    /// `[channels, N]` in memory, for populations on the CPU.
    blocks: FirstLayer,
}

impl SplitData {
    fn new(table: &Table, network: &Network, device: Device) -> Result<Self> {
        let blocks = FirstLayer::new(network, &table.features);
        let channels = network.layers[0].outputs as i64;
        let targets: Vec<f32> = table.labels.iter().map(|&label| label as f32).collect();
        let first = Tensor::f_from_slice(blocks.values())?
            .f_view([channels, table.rows() as i64])?
            .f_transpose(0, 1)?
            .f_contiguous()?;
        Ok(Self {
            labels: table.labels.clone(),
            targets: SharedTensor::new(Tensor::f_from_slice(&targets)?.f_to_device(device)?),
            first: SharedTensor::new(first.f_to_device(device)?),
            blocks,
        })
    }
}

impl Task for Tabular {
    const NAME: &'static str = "tabular";
    const KIND: Kind = Kind::Classification;
    const METRIC: &'static str = "f1";
    type Config = Config;

    fn check(config: &Config) -> Result<()> {
        let problems = config.network.problems();
        if !problems.is_empty() {
            return Err(Error::configuration(problems.join("; ")));
        }
        config.source.check()?;
        config.split.check()?;
        config.corruption.check()
    }

    fn open(config: Config, context: &Context<'_>) -> Result<Self> {
        (context.progress)("data", 0, 1);
        let dataset = data::load(&config.source)?;
        let mut facts = vec![
            ("data".to_owned(), dataset.name.to_owned()),
            ("source".to_owned(), dataset.source.clone()),
        ];
        let mut splits = data::split(dataset, &config.split, context.seed)?;
        if config.standardise {
            let scaling = Scaling::fit(&splits.train);
            for table in [&mut splits.train, &mut splits.validation, &mut splits.test] {
                scaling.apply(table);
            }
        }
        let flips = config.corruption.apply(&mut splits.train)?;
        facts.extend(describe(&splits));
        if flips.flipped > 0 {
            facts.push((
                "corrupted labels".to_owned(),
                format!(
                    "{} of {} positive training rows concerned",
                    flips.flipped, flips.candidates
                ),
            ));
        }
        (context.progress)("data", 1, 1);

        let network = pretrained(&config.network, &splits.train, context)?;
        facts.push(("network".to_owned(), {
            let widths: Vec<String> = std::iter::once(splits.train.columns)
                .chain(network.layers.iter().map(|layer| layer.outputs))
                .map(|width| width.to_string())
                .collect();
            format!("multilayer perceptron {}", widths.join("-"))
        }));
        let prepare = |table: &Table| SplitData::new(table, &network, context.device);
        Ok(Self {
            facts,
            tensors: TensorNetwork::new(&network, context.device)?,
            device: context.device,
            memory: DeviceMemory::new(MAX_DEVICE_VALUES),
            pool: rayon::ThreadPoolBuilder::new()
                .num_threads(context.call.threads)
                .build()
                .map_err(|error| Error::failed(format!("cannot start threads: {error}")))?,
            splits: [
                prepare(&splits.train)?,
                prepare(&splits.validation)?,
                prepare(&splits.test)?,
            ],
            network,
        })
    }

    fn describe(&self) -> Description {
        Description {
            sites: self.network.sites(),
            units: [0, 1, 2].map(|split| self.splits[split].labels.len()),
            classes: Some(2),
            facts: self.facts.clone(),
        }
    }

    fn loss(&self, phi: &Tensor, batch: &Batch<'_>) -> Result<Tensor> {
        let Minibatch {
            first,
            labels,
            weights,
        } = self.minibatch(batch)?;
        cross_entropy(
            &self.tensors.logits(phi, &first)?,
            &labels,
            weights.as_ref(),
        )
    }

    fn gradients(
        &self,
        phis: &Tensor,
        batches: &[Batch<'_>],
        call: &Call<'_>,
    ) -> Result<Gradients> {
        if self.device != Device::Cpu {
            return self.gradients_on_device(phis, batches, call);
        }
        let phis: Vec<SharedTensor> = (0..batches.len() as i64)
            .map(|index| Ok(SharedTensor::new(phis.f_get(index)?)))
            .collect::<Result<_>>()?;
        let one = |(phi, batch): (&SharedTensor, &Batch<'_>)| -> Result<(f64, Tensor)> {
            call.check()?;
            autograd(&phi.get(), |phi| self.loss(phi, batch))
        };
        // A thread pool costs more than it gives where there is nothing to share.
        let found: Result<Vec<(f64, Tensor)>> =
            if batches.len() > 1 && self.pool.current_num_threads() > 1 {
                self.pool
                    .install(|| phis.par_iter().zip(batches.par_iter()).map(one).collect())
            } else {
                phis.iter().zip(batches).map(one).collect()
            };
        let (losses, gradients): (Vec<f64>, Vec<Tensor>) = found?.into_iter().unzip();
        Ok(Gradients {
            losses,
            gradients: Tensor::f_stack(&gradients, 0)?,
        })
    }

    fn predict(
        &self,
        phis: &Tensor,
        rows: &Rows,
        call: &Call<'_>,
        emit: &mut Emit<'_>,
    ) -> Result<()> {
        let data = &self.splits[rows.split as usize];
        let chosen = rows.part.indices(data.labels.len());
        let scores = if self.device == Device::Cpu {
            self.score_on_cpu(phis, data, &chosen, call)?
        } else {
            self.score_on_device(phis, data, &chosen, call)?
        };
        let picked: Vec<i64>;
        let labels = if chosen.len() == data.labels.len() {
            &data.labels
        } else {
            picked = chosen
                .iter()
                .map(|&row| data.labels[row as usize])
                .collect();
            &picked
        };
        let shape = [chosen.len()];
        let tensors: Result<Vec<[View<'_>; 2]>> = scores
            .iter()
            .map(|scores| {
                Ok([
                    View::new("scores", &shape, Data::F32(scores))?,
                    View::new("labels", &shape, Data::I64(labels))?,
                ])
            })
            .collect();
        let tensors = tensors?;
        let views: Vec<Views<'_>> = tensors.iter().map(|tensors| Views::new(tensors)).collect();
        emit(0, &views)
    }

    fn fold(&self, phi: &Tensor) -> Result<Vec<NamedTensor>> {
        folded(&self.network, &Vec::<f32>::try_from(phi.f_reshape([-1])?)?)
    }
}

impl Tabular {
    fn minibatch(&self, batch: &Batch<'_>) -> Result<Minibatch> {
        let data = &self.splits[batch.split as usize];
        let rows: Vec<i64> = batch
            .rows(data.labels.len())
            .into_iter()
            .map(i64::from)
            .collect();
        let rows = Tensor::f_from_slice(&rows)?.f_to_device(self.device)?;
        let labels = data.targets.get().f_index_select(0, &rows)?;
        let weights = match batch.class_weights {
            &[negative, positive] => Some(row_weights(
                &labels,
                f64::from(negative),
                f64::from(positive),
            )?),
            _ => None,
        };
        Ok(Minibatch {
            first: data.first.get().f_index_select(0, &rows)?,
            labels,
            weights,
        })
    }

    /// Losses and gradients by one pass and one way back for as many adapters as fit the device; their minibatches have one size
    /// each.
    fn gradients_on_device(
        &self,
        phis: &Tensor,
        batches: &[Batch<'_>],
        call: &Call<'_>,
    ) -> Result<Gradients> {
        // Autograd keeps the activations of all layers.
        let values: usize = self.network.layers.iter().map(|layer| layer.outputs).sum();
        let minibatches: Result<Vec<Minibatch>> =
            batches.iter().map(|batch| self.minibatch(batch)).collect();
        let minibatches = minibatches?;
        let (mut parts, mut start) = (Vec::new(), 0);
        for same in minibatches.chunk_by(|a, b| a.rows() == b.rows()) {
            let rows = same[0].rows();
            parts.extend(self.memory.each(same.len(), rows * values, |some| {
                call.check()?;
                let at = (start + some.start) as i64;
                let phis = phis.f_narrow(0, at, some.len() as i64)?;
                let same = &same[some];
                let first: Vec<&Tensor> = same.iter().map(|one| &one.first).collect();
                let first = Tensor::f_stack(&first, 0)?;
                autograd_each(&phis, |phis| {
                    let logits = self.tensors.logits(phis, &first)?.f_unbind(0)?;
                    let losses: Result<Vec<Tensor>> = same
                        .iter()
                        .zip(logits)
                        .map(|(one, logits)| {
                            cross_entropy(&logits, &one.labels, one.weights.as_ref())
                        })
                        .collect();
                    Ok(Tensor::f_stack(&losses?, 0)?)
                })
            })?);
            start += same.len();
        }
        Gradients::join(parts)
    }

    /// Scores of every candidate, by blocks of rows shared out among the threads.
    fn score_on_cpu(
        &self,
        phis: &Tensor,
        data: &SplitData,
        rows: &[u32],
        call: &Call<'_>,
    ) -> Result<Vec<Vec<f32>>> {
        let candidates = phis.size().first().map_or(0, |&p| p as usize);
        let phis = Vec::<f32>::try_from(phis.f_reshape([-1])?)?;
        let one = |scratch: &mut Scratch, rows: &[u32]| -> Result<Vec<f32>> {
            call.check()?;
            let mut scores = vec![0.0; candidates * rows.len()];
            score_block(
                &self.network,
                &data.blocks,
                &phis,
                rows,
                scratch,
                &mut scores,
            );
            Ok(scores)
        };
        let blocks: Result<Vec<Vec<f32>>> = if self.pool.current_num_threads() > 1 {
            self.pool.install(|| {
                rows.par_chunks(BLOCK)
                    .map_init(Scratch::default, one)
                    .collect()
            })
        } else {
            let mut scratch = Scratch::default();
            rows.chunks(BLOCK)
                .map(|rows| one(&mut scratch, rows))
                .collect()
        };
        let mut scores = vec![Vec::with_capacity(rows.len()); candidates];
        for (block, rows) in blocks?.iter().zip(rows.chunks(BLOCK)) {
            for (scores, part) in scores.iter_mut().zip(block.chunks_exact(rows.len())) {
                scores.extend_from_slice(part);
            }
        }
        Ok(scores)
    }

    /// Scores of every candidate by tensor operations: all candidates in one pass, in chunks of rows that fit the device.
    fn score_on_device(
        &self,
        phis: &Tensor,
        data: &SplitData,
        rows: &[u32],
        call: &Call<'_>,
    ) -> Result<Vec<Vec<f32>>> {
        let widths = self.network.layers.iter().map(|layer| layer.outputs);
        let widest = widths.max().unwrap_or(1);
        let candidates = phis.size().first().map_or(0, |&count| count as usize);
        let index: Vec<i64> = rows.iter().map(|&row| i64::from(row)).collect();
        let index = Tensor::f_from_slice(&index)?.f_to_device(self.device)?;
        let first = data.first.get();
        let parts = self.memory.each(rows.len(), candidates * widest, |range| {
            call.check()?;
            let (start, count) = (range.start as i64, range.len() as i64);
            let first = first.f_index_select(0, &index.f_narrow(0, start, count)?)?;
            no_grad(|| Ok(self.tensors.logits(phis, &first)?.f_sigmoid()?))
        })?;
        if parts.is_empty() {
            return Ok(vec![Vec::new(); candidates]);
        }
        // The one copy from the device.
        let scores = Tensor::f_cat(&parts, 1)?.f_to_device(Device::Cpu)?;
        let scores = scores.f_unbind(0)?;
        scores
            .iter()
            .map(|scores| Ok(Vec::try_from(scores)?))
            .collect()
    }
}

/// The network from the cache, or trained and put there.
fn pretrained(config: &Pretraining, table: &Table, context: &Context<'_>) -> Result<Network> {
    let device = if context.device == Device::Cpu {
        "cpu"
    } else {
        "cuda"
    };
    let path = context
        .cache
        .map(|folder| cache::path(folder, config, table, device, context.seed));
    if let Some(path) = &path
        && let Some(network) = cache::read(path, table.columns, &config.hidden)
    {
        return Ok(network);
    }
    if let Some(path) = &path {
        cache::check_writable(path)?;
    }
    let network = train(config, table, context.device, context.seed, context)?;
    if let Some(path) = &path {
        cache::write(path, &network)?;
    }
    Ok(network)
}

/// Sizes and shares of positives.
fn describe(splits: &Splits) -> Vec<(String, String)> {
    let share = |table: &Table| {
        let positive = table.labels.iter().filter(|&&label| label == 1).count();
        format!("{} rows, {positive} positive", table.rows())
    };
    vec![
        ("train".to_owned(), share(&splits.train)),
        ("validation".to_owned(), share(&splits.validation)),
        ("test".to_owned(), share(&splits.test)),
    ]
}

#[cfg(test)]
mod tests;
