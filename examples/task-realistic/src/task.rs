//! The contract with the host.

use metricopt_sdk::prelude::*;
use metricopt_sdk::tch::{Device, Kind as Dtype, Reduction, Tensor, no_grad, with_grad};

use crate::Config;
use crate::data::{self, Table};
use crate::network::Network;
use crate::pretrain::{NAMES, pretrained};

/// Values of the widest intermediate tensor: 8 MB, so that memory does not grow with data and population.
const VALUES: usize = 1 << 21;

/// The opened task.
pub struct Machines {
    network: Network,
    device: Device,
    facts: Vec<(String, String)>,
    /// By [`Split`].
    splits: [SplitData; 3],
}

/// What is kept of a split.
struct SplitData {
    labels: Vec<i64>,
    /// The labels i64 `[N]` on the device.
    classes: Tensor,
    /// What comes in at the first FiLM site, f32 `[N, H]` on the device: no adapter changes what is in front of it.
    first: Tensor,
}

impl SplitData {
    fn new(table: &Table, network: &Network, device: Device) -> Result<Self> {
        let features = Tensor::f_from_slice(&table.features)?.f_view([-1, table.columns as i64])?;
        Ok(Self {
            labels: table.labels.clone(),
            classes: Tensor::f_from_slice(&table.labels)?.f_to_device(device)?,
            first: network.first(&features.f_to_device(device)?)?,
        })
    }
}

impl Task for Machines {
    const NAME: &'static str = "machines";
    const KIND: Kind = Kind::Classification;
    const METRIC: &'static str = "f1";
    type Config = Config;

    fn check(config: &Config) -> Result<()> {
        config.check()
    }

    fn open(config: Config, context: &Context<'_>) -> Result<Self> {
        (context.progress)("data", 0, 1);
        let splits = data::splits(&config, context.seed)?;
        (context.progress)("data", 1, 1);
        let source = match &config.path {
            Some(path) => path.display().to_string(),
            None => "made up".to_owned(),
        };
        let mut facts = vec![("readings".to_owned(), source)];
        for (name, table) in ["train", "validation", "test"].iter().zip(&splits) {
            let (rows, positives) = (table.labels.len(), table.positives());
            facts.push((
                (*name).to_owned(),
                format!("{rows} readings, {positives} before a failure"),
            ));
        }
        let network = pretrained(&config, &splits[0], context)?;
        let prepare = |table| SplitData::new(table, &network, context.device);
        let [train, validation, test] = &splits;
        Ok(Self {
            splits: [prepare(train)?, prepare(validation)?, prepare(test)?],
            device: context.device,
            facts,
            network,
        })
    }

    fn describe(&self) -> Description {
        Description {
            sites: self.network.sites(),
            units: self.splits.each_ref().map(|split| split.labels.len()),
            classes: Some(2),
            facts: self.facts.clone(),
        }
    }

    fn loss(&self, phi: &Tensor, batch: &Batch<'_>) -> Result<Tensor> {
        let losses = self.losses(&phi.f_unsqueeze(0)?, std::slice::from_ref(batch))?;
        Ok(losses.f_squeeze_dim(0)?)
    }

    /// All adapters in one pass: the gradient of the sum holds the gradient of each, since each has its own loss.
    fn gradients(
        &self,
        phis: &Tensor,
        batches: &[Batch<'_>],
        call: &Call<'_>,
    ) -> Result<Gradients> {
        call.check()?;
        let leaf = phis.f_detach_copy()?.f_set_requires_grad(true)?;
        let losses = with_grad(|| self.losses(&leaf, batches))?;
        let values = Vec::<f64>::try_from(losses.f_to_kind(Dtype::Double)?)?;
        if let Some(value) = values.iter().find(|value| !value.is_finite()) {
            return Err(Error::failed(format!("the surrogate loss is {value}")));
        }
        let sum = losses.f_sum(Dtype::Float)?;
        let gradients = Tensor::f_run_backward(&[&sum], &[&leaf], false, false)?.pop();
        Ok(Gradients {
            losses: values,
            gradients: gradients.ok_or_else(|| Error::failed("there is no gradient"))?,
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
        let rows = rows.part.indices(data.labels.len());
        let candidates = phis.size()[0] as usize;
        let width = self.network.sites().iter().map(|site| site.channels).max();
        let chunk = (VALUES / (candidates * width.unwrap_or(1)).max(1)).max(1);
        let scores = self.scores(phis, data, &rows, chunk, call)?;

        let labels: Vec<i64> = rows.iter().map(|&row| data.labels[row as usize]).collect();
        let shape = [labels.len()];
        let tensors = scores.iter().map(|scores| -> Result<[View<'_>; 2]> {
            Ok([
                View::new("scores", &shape, Data::F32(scores))?,
                View::new("labels", &shape, Data::I64(&labels))?,
            ])
        });
        let tensors: Vec<_> = tensors.collect::<Result<_>>()?;
        let views: Vec<_> = tensors.iter().map(|tensors| Views::new(tensors)).collect();
        // All at once, so that the host can share the work of the metric out among its threads.
        emit(0, &views)
    }

    /// Under the names of the file that the network was pre-trained into.
    fn fold(&self, phi: &Tensor) -> Result<Vec<NamedTensor>> {
        let layers = self.network.folded(phi)?.layers;
        let named = NAMES
            .iter()
            .zip(layers)
            .flat_map(|([matrix, bias], layer)| {
                [
                    NamedTensor::new(*matrix, layer.matrix),
                    NamedTensor::new(*bias, layer.bias),
                ]
            });
        Ok(named.collect())
    }
}

register!(task Machines);

impl Machines {
    /// The losses `[P]` of `P` adapters `[P, D]`, each on a batch of its own.
    fn losses(&self, phis: &Tensor, batches: &[Batch<'_>]) -> Result<Tensor> {
        // Batches of one call are alike in size as a rule; where they are not, each goes by itself.
        let alike = batches.windows(2).all(|pair| pair[0].size == pair[1].size);
        if !alike {
            let each: Vec<Tensor> = batches
                .iter()
                .enumerate()
                .map(|(index, batch)| self.loss(&phis.f_get(index as i64)?, batch))
                .collect::<Result<_>>()?;
            return Ok(Tensor::f_stack(&each, 0)?);
        }
        let (mut first, mut classes, mut weights) = (Vec::new(), Vec::new(), Vec::new());
        for batch in batches {
            let data = &self.splits[batch.split as usize];
            let rows = self.index(&batch.rows(data.labels.len()))?;
            first.push(data.first.f_index_select(0, &rows)?);
            let drawn = data.classes.f_index_select(0, &rows)?;
            weights.push(self.weights(&drawn, batch.class_weights)?);
            classes.push(drawn);
        }
        let logits = self.network.logits(&Tensor::f_stack(&first, 0)?, phis)?;
        let targets = Tensor::f_stack(&classes, 0)?.f_to_kind(Dtype::Float)?;
        let weights = Tensor::f_stack(&weights, 0)?;
        let losses = logits.f_binary_cross_entropy_with_logits(
            &targets,
            Some(&weights),
            None::<&Tensor>,
            Reduction::None,
        )?;
        Ok(losses.f_mean_dim(1, false, Dtype::Float)?)
    }

    /// The weight of each row, by its class, brought to mean 1 in the batch; 1 without class weights.
    fn weights(&self, classes: &Tensor, class_weights: &[f32]) -> Result<Tensor> {
        if class_weights.is_empty() {
            return Ok(classes.f_ones_like()?.f_to_kind(Dtype::Float)?);
        }
        let of_class = Tensor::f_from_slice(class_weights)?.f_to_device(self.device)?;
        let of_rows = of_class.f_index_select(0, classes)?;
        Ok(of_rows.f_div(&of_rows.f_mean(Dtype::Float)?)?)
    }

    /// The scores of all candidates `[P, D]` on some rows, `chunk` rows at a time in one pass `[P, chunk, H]`.
    fn scores(
        &self,
        phis: &Tensor,
        data: &SplitData,
        rows: &[u32],
        chunk: usize,
        call: &Call<'_>,
    ) -> Result<Vec<Vec<f32>>> {
        let candidates = phis.size()[0];
        let mut scores = vec![Vec::with_capacity(rows.len()); candidates as usize];
        for rows in rows.chunks(chunk) {
            call.check()?;
            let first = data.first.f_index_select(0, &self.index(rows)?)?;
            let part = no_grad(|| self.network.logits(&first, phis))?.f_sigmoid()?;
            let part = part.f_to_device(Device::Cpu)?;
            for (candidate, scores) in (0..candidates).zip(&mut scores) {
                scores.extend(Vec::<f32>::try_from(part.f_get(candidate)?)?);
            }
        }
        Ok(scores)
    }

    /// Rows as libtorch takes them.
    fn index(&self, rows: &[u32]) -> Result<Tensor> {
        let rows: Vec<i64> = rows.iter().copied().map(i64::from).collect();
        Ok(Tensor::f_from_slice(&rows)?.f_to_device(self.device)?)
    }
}

#[cfg(test)]
mod tests;
