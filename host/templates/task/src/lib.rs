//! The task `my-task`, for metricopt: points in the plane, a small network, and what the host asks of them.
//!
//! `data` makes the points and `network` the pre-trained network: put yours in their place. This file is the contract
//! with the host, and most of it can stay.

mod data;
mod network;

use metricopt_sdk::prelude::*;
use metricopt_sdk::tch::{Device, Kind as Dtype, Reduction, Tensor, no_grad};

use network::{Network, WIDTH};

/// Rows that are predicted in one pass: what comes in between stays small, however many there are.
const CHUNK: usize = 1024;

/// Points in the plane, a minority of them positive, and a multilayer perceptron that tells which.
///
/// Positive points are those inside a circle, but for a blurred edge: there the threshold decides what a metric says.
// What stands above is shown by `host describe my-task`, and so is what stands above each key.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Number of points, 100 to 1000000: three fifths to train on, a fifth to validate, a fifth to test.
    pub points: usize,
    /// Width of the circle's edge, where labels are left to chance, 0.001 to 1.
    pub blur: f64,
    /// Steps of pre-training, 1 to 100000.
    pub steps: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            points: 20_000,
            blur: 0.1,
            steps: 300,
        }
    }
}

/// The opened task.
pub struct MyTask {
    network: Network,
    device: Device,
    /// By [`Split`].
    splits: [SplitData; 3],
}

/// What is kept of a split.
struct SplitData {
    labels: Vec<i64>,
    /// The same on the device.
    classes: Tensor,
    /// What comes in at the first FiLM site, f32 `[N, WIDTH]`. No adapter changes what is in front of it, so it is
    /// computed once. With a large network this is most of the work.
    first: Tensor,
}

impl Task for MyTask {
    const NAME: &'static str = "my-task";
    const KIND: Kind = Kind::Classification;
    const METRIC: &'static str = "f1";
    type Config = Config;

    fn check(config: &Config) -> Result<()> {
        // All problems at once, before anything is opened.
        let mut problems = Vec::new();
        if !(100..=1_000_000).contains(&config.points) {
            problems.push("`points` is out of range, expected 100 to 1000000");
        }
        if !(0.001..=1.0).contains(&config.blur) {
            problems.push("`blur` is out of range, expected 0.001 to 1");
        }
        if !(1..=100_000).contains(&config.steps) {
            problems.push("`steps` is out of range, expected 1 to 100000");
        }
        if problems.is_empty() {
            return Ok(());
        }
        Err(Error::configuration(problems.join("; ")))
    }

    fn open(config: Config, context: &Context<'_>) -> Result<Self> {
        // Everything random comes from the seed: the same configuration and seed must give the same task.
        let splits = data::generate(&config, context.seed);
        let network = Network::train(&splits[0], config.steps, context)?;
        let prepare = |data: &data::Points| -> Result<SplitData> {
            let points = data.tensor()?.f_to_device(context.device)?;
            Ok(SplitData {
                labels: data.labels.clone(),
                classes: Tensor::f_from_slice(&data.labels)?.f_to_device(context.device)?,
                first: network.first(&points)?,
            })
        };
        let [train, validation, test] = &splits;
        Ok(Self {
            splits: [prepare(train)?, prepare(validation)?, prepare(test)?],
            device: context.device,
            network,
        })
    }

    fn describe(&self) -> Description {
        let site = |name: &str| Site {
            name: name.to_owned(),
            channels: WIDTH as usize,
        };
        let points = self.splits[1].labels.len();
        let positive: i64 = self.splits[1].labels.iter().sum();
        Description {
            // In the order of the adapter, which has `2 * channels` numbers for each.
            sites: vec![site("hidden1"), site("hidden2")],
            units: [0, 1, 2].map(|split| self.splits[split].labels.len()),
            // The loss takes class weights; `None` if yours does not.
            classes: Some(2),
            // For the reader, in the order of the lines that are printed.
            facts: vec![(
                "validation".to_owned(),
                format!("{points} points, {positive} positive"),
            )],
        }
    }

    fn loss(&self, phi: &Tensor, batch: &Batch<'_>) -> Result<Tensor> {
        let data = &self.splits[batch.split as usize];
        // The batch says which rows, as a function of its seed and step: a task keeps no position in its data.
        let rows = self.index(&batch.rows(data.labels.len()))?;
        let classes = data.classes.f_index_select(0, &rows)?;
        let first = data.first.f_index_select(0, &rows)?;
        // One adapter is a population of one. Autograd follows the result back to `phi`.
        let logits = self.network.logits(&first, &phi.f_unsqueeze(0)?)?;
        let targets = classes.f_to_kind(Dtype::Float)?.f_unsqueeze(0)?;
        let mut weights = None;
        if !batch.class_weights.is_empty() {
            let of_class = Tensor::f_from_slice(batch.class_weights)?.f_to_device(self.device)?;
            let of_rows = of_class.f_index_select(0, &classes)?;
            weights = Some(of_rows.f_div(&of_rows.f_mean(Dtype::Float)?)?);
        }
        let none: Option<&Tensor> = None;
        Ok(logits.f_binary_cross_entropy_with_logits(
            &targets,
            weights.as_ref(),
            none,
            Reduction::Mean,
        )?)
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
        let candidates = phis.size()[0];
        let mut scores = vec![Vec::with_capacity(chosen.len()); candidates as usize];
        for rows in chosen.chunks(CHUNK) {
            // Returns early once the user asks to stop.
            call.check()?;
            let first = data.first.f_index_select(0, &self.index(rows)?)?;
            // All candidates in one pass, `[P, N]`.
            let part = no_grad(|| self.network.logits(&first, phis))?.f_sigmoid()?;
            let part = part.f_to_device(Device::Cpu)?;
            for (candidate, scores) in (0..candidates).zip(&mut scores) {
                scores.extend(Vec::<f32>::try_from(part.f_get(candidate)?)?);
            }
        }
        let labels = chosen.iter().map(|&row| data.labels[row as usize]);
        let labels: Vec<i64> = labels.collect();
        // Names and shapes are those of the prediction kind; scores are probabilities.
        let shape = [chosen.len()];
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
}

register!(task MyTask);

impl MyTask {
    /// Rows as libtorch takes them.
    fn index(&self, rows: &[u32]) -> Result<Tensor> {
        let rows: Vec<i64> = rows.iter().copied().map(i64::from).collect();
        Ok(Tensor::f_from_slice(&rows)?.f_to_device(self.device)?)
    }
}
