//! A task that misbehaves: otherwise logistic regression with one FiLM site.

use metricopt_sdk::prelude::*;
use metricopt_sdk::tch::{Kind as Dtype, Reduction, Tensor};

/// Units of each split.
const UNITS: usize = 400;

/// What the task does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
enum How {
    /// Nothing wrong.
    #[default]
    Not,
    /// Cannot be opened.
    Open,
    /// Panics when it is opened.
    PanicInOpen,
    /// Has no FiLM site.
    NoSite,
    /// Returns gradients of the wrong shape.
    WrongGradients,
    /// Panics where gradients are asked for.
    PanicInGradients,
    /// Has a loss that is not a number.
    NotANumber,
    /// Calls an operation of libtorch with shapes that do not fit, by the method that panics.
    PanicInLibtorch,
    /// Emits a tensor of the wrong shape.
    WrongShape,
    /// Emits a tensor of the wrong type.
    WrongType,
    /// Emits the labels only.
    MissingTensor,
    /// Emits scores that are not numbers.
    NotANumberScores,
    /// The same, where the adapter is longer than 1.
    NotANumberFarAway,
    /// Emits every candidate twice.
    Twice,
    /// Emits nothing.
    Nothing,
    /// Emits a candidate that was not asked for.
    OutOfRange,
    /// Goes on emitting after the host refused.
    DeafToErrors,
    /// Panics when it is dropped.
    PanicInDrop,
}

/// Two blobs on a line; misbehaves as told.
#[derive(Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct Config {
    /// What it does.
    how: How,
}

struct Misbehaving {
    how: How,
    x: Vec<f32>,
    labels: Vec<i64>,
}

impl Misbehaving {
    fn scores(&self, phi: &Tensor) -> Tensor {
        let (scale, shift) = (phi.narrow(0, 0, 1) + 1.0, phi.narrow(0, 1, 1));
        Tensor::from_slice(&self.x) * scale + shift
    }
}

impl Task for Misbehaving {
    const NAME: &'static str = "misbehaving-task";
    const KIND: Kind = Kind::Classification;
    const METRIC: &'static str = "f1";
    type Config = Config;

    fn open(config: Config, _: &Context<'_>) -> Result<Self> {
        match config.how {
            How::Open => {
                return Err(Error::data("the data is gone").hint("look behind the sofa"));
            }
            How::PanicInOpen => panic!("the task panicked on purpose"),
            _ => {}
        }
        let labels: Vec<i64> = (0..UNITS).map(|unit| i64::from(unit % 3 == 0)).collect();
        let x = labels.iter().enumerate().map(|(unit, &label)| {
            let noise = ((unit * 7919) % 101) as f32 / 50.0 - 1.0;
            label as f32 - 1.2 + noise
        });
        Ok(Self {
            how: config.how,
            x: x.collect(),
            labels,
        })
    }

    fn describe(&self) -> Description {
        let site = Site {
            name: "input".to_owned(),
            channels: 1,
        };
        let no_site = self.how == How::NoSite;
        Description {
            sites: if no_site { Vec::new() } else { vec![site] },
            units: [UNITS; 3],
            classes: None,
            facts: Vec::new(),
        }
    }

    fn loss(&self, phi: &Tensor, _: &Batch<'_>) -> Result<Tensor> {
        let labels = Tensor::from_slice(&self.labels).to_kind(Dtype::Float);
        let weight: Option<&Tensor> = None;
        let scores = self.scores(phi);
        let loss =
            scores.f_binary_cross_entropy_with_logits(&labels, weight, weight, Reduction::Mean)?;
        Ok(match self.how {
            How::NotANumber => loss * f64::NAN,
            How::PanicInLibtorch => scores.matmul(&Tensor::from_slice(&[1.0_f32])),
            _ => loss,
        })
    }

    fn gradients(
        &self,
        phis: &Tensor,
        batches: &[Batch<'_>],
        call: &Call<'_>,
    ) -> Result<Gradients> {
        if self.how == How::PanicInGradients {
            panic!("the gradients panicked on purpose");
        }
        let mut losses = Vec::new();
        let mut gradients = Vec::new();
        for (index, batch) in batches.iter().enumerate() {
            call.check()?;
            let (loss, gradient) = autograd(&phis.get(index as i64), |phi| self.loss(phi, batch))?;
            losses.push(loss);
            gradients.push(gradient);
        }
        let gradients = Tensor::f_stack(&gradients, 0)?;
        Ok(Gradients {
            losses,
            gradients: if self.how == How::WrongGradients {
                gradients.f_reshape([-1])?
            } else {
                gradients
            },
        })
    }

    fn predict(&self, phis: &Tensor, rows: &Rows, _: &Call<'_>, emit: &mut Emit<'_>) -> Result<()> {
        let chosen = rows.part.indices(UNITS);
        let labels: Vec<i64> = chosen
            .iter()
            .map(|&row| self.labels[row as usize])
            .collect();
        let other: Vec<f64> = vec![0.5; chosen.len()];
        for candidate in 0..phis.size()[0] {
            let all = Vec::<f32>::try_from(self.scores(&phis.get(candidate)).sigmoid())?;
            let mut scores: Vec<f32> = chosen.iter().map(|&row| all[row as usize]).collect();
            let is_far = || phis.get(candidate).norm().double_value(&[]) > 1.0;
            let is_wrong = match self.how {
                How::NotANumberScores => true,
                How::NotANumberFarAway => is_far(),
                _ => false,
            };
            if is_wrong {
                scores.fill(f32::NAN);
            }
            let (flat, cube) = ([chosen.len()], [chosen.len(), 1, 1]);
            let scores = match self.how {
                How::WrongShape => View::new("scores", &cube, Data::F32(&scores))?,
                How::WrongType => View::new("scores", &flat, Data::F64(&other))?,
                _ => View::new("scores", &flat, Data::F32(&scores))?,
            };
            let tensors = [View::new("labels", &flat, Data::I64(&labels))?, scores];
            let tensors = &tensors[..if self.how == How::MissingTensor { 1 } else { 2 }];
            let index = candidate as usize;
            let views = [Views::new(tensors)];
            match self.how {
                How::Nothing => {}
                How::OutOfRange => emit(index + 1000, &views)?,
                How::Twice => {
                    emit(index, &views)?;
                    emit(index, &views)?;
                }
                How::DeafToErrors => {
                    let _ = emit(index, &views);
                    let _ = emit(index, &views);
                }
                _ => emit(index, &views)?,
            }
        }
        Ok(())
    }
}

impl Drop for Misbehaving {
    fn drop(&mut self) {
        if self.how == How::PanicInDrop {
            panic!("the task panicked in its drop on purpose");
        }
    }
}

register!(task Misbehaving);
