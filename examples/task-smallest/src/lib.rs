//! The smallest task: one number a unit, one FiLM site, one logistic unit. `task-realistic` is the other end.

use metricopt_sdk::prelude::*;
use metricopt_sdk::tch::{Kind as Dtype, Reduction, Tensor, no_grad};

/// Points on a line: the further right, the more likely positive.
#[derive(Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {}

/// The points of each split, by [`Split`]: where they are `[N]`, and their labels.
pub struct Smallest([(Tensor, Vec<i64>); 3]);

/// The pre-trained network behind the FiLM site: `phi = 0` leaves `x` as it is.
fn logits(x: &Tensor, phi: &Tensor) -> Result<Tensor> {
    let scale = phi.f_narrow(0, 0, 1)?.f_add_scalar(1.0)?;
    let x = x.f_mul(&scale)?.f_add(&phi.f_narrow(0, 1, 1)?)?;
    Ok(x.f_mul_scalar(3.0)?.f_sub_scalar(3.0)?)
}

/// Some of the points.
fn pick(x: &Tensor, labels: &[i64], rows: &[u32]) -> Result<(Tensor, Vec<i64>)> {
    let labels = rows.iter().map(|&row| labels[row as usize]).collect();
    let rows: Vec<i64> = rows.iter().copied().map(i64::from).collect();
    let rows = Tensor::f_from_slice(&rows)?.f_to_device(x.device())?;
    Ok((x.f_index_select(0, &rows)?, labels))
}

impl Task for Smallest {
    const NAME: &'static str = "smallest";
    const KIND: Kind = Kind::Classification;
    const METRIC: &'static str = "f1";
    type Config = Config;

    fn open(_: Config, context: &Context<'_>) -> Result<Self> {
        // Multiples of an irrational number, modulo 1, lie evenly and in no order: all that is asked of units.
        let point = |index: u32| {
            let x = 4.0 * (f64::from(index) * 0.618_033_988_75).fract() - 2.0;
            let chance = (f64::from(index) * 0.414_213_562_37).fract();
            (
                x as f32,
                i64::from(chance < 1.0 / (1.0 + (2.0 - 2.0 * x).exp())),
            )
        };
        let split = |first: u32| -> Result<(Tensor, Vec<i64>)> {
            let (x, labels): (Vec<f32>, Vec<i64>) = (first..first + 1000).map(point).unzip();
            Ok((
                Tensor::f_from_slice(&x)?.f_to_device(context.device)?,
                labels,
            ))
        };
        Ok(Self([split(0)?, split(1000)?, split(2000)?]))
    }

    fn describe(&self) -> Description {
        let (name, channels) = ("input".to_owned(), 1);
        Description {
            sites: vec![Site { name, channels }],
            units: [1000; 3],
            classes: None,
            facts: Vec::new(),
        }
    }

    fn loss(&self, phi: &Tensor, batch: &Batch<'_>) -> Result<Tensor> {
        let (x, labels) = &self.0[batch.split as usize];
        let (x, labels) = pick(x, labels, &batch.rows(labels.len()))?;
        let targets = Tensor::f_from_slice(&labels)?.f_to_device(x.device())?;
        let (targets, none) = (targets.f_to_kind(Dtype::Float)?, None::<&Tensor>);
        let logits = logits(&x, phi)?;
        Ok(logits.f_binary_cross_entropy_with_logits(&targets, none, none, Reduction::Mean)?)
    }

    fn predict(
        &self,
        phis: &Tensor,
        rows: &Rows,
        call: &Call<'_>,
        emit: &mut Emit<'_>,
    ) -> Result<()> {
        let (x, labels) = &self.0[rows.split as usize];
        let (x, labels) = pick(x, labels, &rows.part.indices(labels.len()))?;
        let shape = [labels.len()];
        for candidate in 0..phis.size()[0] {
            call.check()?;
            let scores = no_grad(|| logits(&x, &phis.f_get(candidate)?))?.f_sigmoid()?;
            let scores = Vec::<f32>::try_from(scores)?;
            let tensors = [
                View::new("scores", &shape, Data::F32(&scores))?,
                View::new("labels", &shape, Data::I64(&labels))?,
            ];
            emit(candidate as usize, &[Views::new(&tensors)])?;
        }
        Ok(())
    }
}

register!(task Smallest);
