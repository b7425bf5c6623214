//! Trajectories, predictions and value function of an earlier run, read back whole and checked.

use metricopt_sdk::{Error, Result};
use safetensors::SafeTensors;
use sha2::{Digest, Sha256};
use std::fmt::Display;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::identity::Identity;
use super::names::{POINTS, PREDICTIONS, TRAJECTORIES, VALUE_FUNCTION, digest_of};
use crate::engine::mlp::Mlp;
use crate::engine::observation::Observation;
use crate::engine::past::{Answers, Stored, StoredFunction};
use crate::engine::predictions::Predictions;
use crate::engine::projection::Projection;
use crate::engine::reference::Reference;
use crate::engine::trajectory::{Trajectories, TrajectorySettings};
use crate::engine::trust::{Agreement, Trained};
use crate::engine::value_function::{TrainingSet, ValueFunction};
use crate::numbers::Numbers;

/// Most layers and widths that a file may claim: beyond it the file is damaged.
const MOST: i64 = 1 << 24;

/// A safetensors file of an earlier run.
struct StoredFile {
    path: PathBuf,
    bytes: Vec<u8>,
}

impl StoredFile {
    /// Reads a file of a format; none if there is none.
    fn read(path: &Path, format: &str) -> Result<Option<Self>> {
        let this = Self {
            path: path.to_owned(),
            bytes: match fs::read(path) {
                Ok(bytes) => bytes,
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
                Err(error) => return Err(damaged(path, error)),
            },
        };
        this.tensors()?;
        let (_, metadata) = SafeTensors::read_metadata(&this.bytes).map_err(|e| this.damaged(e))?;
        let found = metadata
            .metadata()
            .as_ref()
            .and_then(|entries| entries.get("format"))
            .map_or("none", String::as_str);
        let known = format!("metricopt.{format}.1");
        if found != known {
            return Err(Error::data(format!(
                "`{}` has format `{found}`, expected `{known}`",
                path.display()
            ))
            .hint("give a file or directory of this version of the host"));
        }
        Ok(Some(this))
    }

    fn tensors(&self) -> Result<SafeTensors<'_>> {
        SafeTensors::deserialize(&self.bytes).map_err(|error| self.damaged(error))
    }

    fn damaged(&self, what: impl Display) -> Error {
        damaged(&self.path, what)
    }

    fn find(&self, name: &str) -> Result<Option<(Vec<usize>, Numbers)>> {
        let tensors = self.tensors()?;
        let Ok(view) = tensors.tensor(name) else {
            return Ok(None);
        };
        let numbers = Numbers::read(view.dtype(), view.data())
            .ok_or_else(|| self.damaged(format!("tensor `{name}` is {:?}", view.dtype())))?;
        Ok(Some((view.shape().to_vec(), numbers)))
    }

    fn get(&self, name: &str) -> Result<(Vec<usize>, Numbers)> {
        self.find(name)?
            .ok_or_else(|| self.damaged(format!("no tensor `{name}`")))
    }

    fn f32s(&self, name: &str) -> Result<(Vec<usize>, Vec<f32>)> {
        match self.get(name)? {
            (shape, Numbers::F32(values)) if values.iter().all(|x| x.is_finite()) => {
                Ok((shape, values))
            }
            _ => Err(self.damaged(format!("tensor `{name}` holds no finite F32"))),
        }
    }

    fn f64s(&self, name: &str) -> Result<(Vec<usize>, Vec<f64>)> {
        match self.get(name)? {
            (shape, Numbers::F64(values)) if values.iter().all(|x| x.is_finite()) => {
                Ok((shape, values))
            }
            _ => Err(self.damaged(format!("tensor `{name}` holds no finite F64"))),
        }
    }

    fn i64s(&self, name: &str) -> Result<Vec<i64>> {
        match self.get(name)? {
            (_, Numbers::I64(values)) => Ok(values),
            _ => Err(self.damaged(format!("tensor `{name}` holds no I64"))),
        }
    }

    fn value(&self, name: &str) -> Result<f64> {
        match self.f64s(name)?.1[..] {
            [value] => Ok(value),
            _ => Err(self.damaged(format!("tensor `{name}` holds not one value"))),
        }
    }

    /// What the file is about. Hosts before this one did not say.
    fn identity(&self) -> Result<Identity> {
        match self.find("identity")? {
            Some((_, Numbers::U8(json))) => serde_json::from_slice(&json)
                .map_err(|error| self.damaged(format!("tensor `identity`: {error}"))),
            Some(_) => Err(self.damaged("tensor `identity` holds no text")),
            None => Err(Error::data(format!(
                "`{}` does not say what it is about: an older host wrote it",
                self.path.display()
            ))
            .hint("repeat that run with this host")),
        }
    }

    fn reference(&self, dimensions: usize) -> Result<Reference> {
        let gradient = self.f32s("pretrained_gradient")?.1;
        if gradient.len() != dimensions {
            return Err(self.damaged("the gradient of the pre-trained network does not fit"));
        }
        Ok(Reference {
            loss: self.value("pretrained_loss")?,
            gradient,
        })
    }

    fn width(&self) -> Result<f64> {
        let width = self.value("width")?;
        if width > 0.0 {
            Ok(width)
        } else {
            Err(self.damaged(format!("its width is {width}")))
        }
    }

    fn hash(&self) -> String {
        hex(&Sha256::digest(&self.bytes))
    }
}

fn damaged(path: &Path, what: impl Display) -> Error {
    Error::data(format!("cannot use `{}`: {what}", path.display()))
        .hint("restore the file from a copy, or repeat the run that wrote it")
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The trajectories of an earlier run, before it is known what they are used for.
pub struct StoredRun {
    /// What that run was about.
    pub identity: Identity,
    /// Says the contents of its files in few letters.
    pub hash: String,
    trajectories: Trajectories,
    width: f64,
    reference: Reference,
    answers: Answers,
    predictions: Option<Predictions>,
}

impl StoredRun {
    /// Reads a run directory, whose run may have been interrupted once all trajectories were there.
    ///
    /// # Errors
    ///
    /// If a file is missing or damaged.
    pub fn read(directory: &Path) -> Result<Self> {
        let path = directory.join(TRAJECTORIES);
        let Some(file) = StoredFile::read(&path, "trajectories")? else {
            return Err(if directory.is_dir() {
                Error::data(format!("no `{TRAJECTORIES}` in `{}`", directory.display())).hint(
                    "a run writes it once all trajectories are there: give the directory of a run that came so far, or resume it",
                )
            } else {
                Error::data(format!("`{}` is no directory", directory.display()))
                    .hint("give the directory of a run, as `host run` names it in its last lines")
            });
        };
        let identity = file.identity()?;
        let trajectories = read_trajectories(&file)?;
        let reference = file.reference(trajectories.dimensions)?;
        let answers = Answers {
            pretrained: file.value("pretrained_validation")?,
            pretrained_folds: Observation {
                folds: file.f64s("pretrained_folds")?.1,
            },
            best: file.value("best_validation")?,
        };
        let width = file.width()?;
        let path = directory.join(PREDICTIONS);
        let mut hash = file.hash();
        let predictions = match StoredFile::read(&path, "predictions")? {
            Some(file) => {
                hash = format!("{hash} {}", file.hash());
                Some(read_predictions(&file, &trajectories)?)
            }
            None => None,
        };
        Ok(Self {
            identity,
            hash,
            trajectories,
            width,
            reference,
            answers,
            predictions,
        })
    }

    /// What a run with this metric takes from it.
    ///
    /// # Errors
    ///
    /// If the metric is another and there are no predictions to evaluate it on.
    pub fn stored(self, here: &Identity) -> Result<Stored> {
        if self.predictions.is_none() && !here.same_metric(&self.identity) {
            return Err(Error::configuration(format!(
                "the run keeps no predictions (`{PREDICTIONS}`) to evaluate metric {} on; it was for {}",
                here.metric_name(),
                self.identity.metric_name()
            ))
            .hint("that run says why at `predictions`; collect anew, without `--trajectories`"));
        }
        let same = here.same_metric(&self.identity);
        let stored = Stored::new(
            self.trajectories,
            self.width,
            self.reference,
            self.predictions,
        );
        Ok(if same {
            stored.with_values(&self.answers, here.direction.sign())
        } else {
            stored
        })
    }
}

fn read_trajectories(file: &StoredFile) -> Result<Trajectories> {
    let (shape, points) = file.f32s("points")?;
    let (observed_shape, observations) = file.f64s("observations")?;
    let (classes_shape, class_weights) = file.f32s("class_weights")?;
    let steps = file.i64s("observed_steps")?;
    let (learning_rates, start_sd) = (file.f64s("learning_rates")?.1, file.f64s("start_sd")?.1);
    let misfit = || file.damaged("its shapes do not fit together");
    let &[count, places, dimensions] = &shape[..] else {
        return Err(misfit());
    };
    let observed: Option<Vec<usize>> = steps
        .iter()
        .map(|&t| usize::try_from(t).ok().filter(|&t| t < places))
        .collect();
    let observed = observed.ok_or_else(misfit)?;
    let &[k, o, folds] = &observed_shape[..] else {
        return Err(misfit());
    };
    let fits = [k, learning_rates.len(), start_sd.len()] == [count; 3]
        && classes_shape.first() == Some(&count)
        && classes_shape.len() == 2
        && o == observed.len()
        && observed.is_sorted()
        && [count, places, dimensions, o, folds].iter().all(|&n| n > 0);
    if !fits {
        return Err(misfit());
    }
    let classes = classes_shape[1];
    Ok(Trajectories {
        dimensions,
        steps: places - 1,
        points,
        observations: observations
            .chunks_exact(o * folds)
            .map(|run| {
                let observation = |folds: &[f64]| Observation {
                    folds: folds.to_vec(),
                };
                run.chunks_exact(folds).map(observation).collect()
            })
            .collect(),
        observed,
        settings: (0..count)
            .map(|k| TrajectorySettings {
                learning_rate: learning_rates[k],
                start_sd: start_sd[k],
                class_weights: class_weights[k * classes..(k + 1) * classes].to_vec(),
            })
            .collect(),
    })
}

fn read_predictions(file: &StoredFile, trajectories: &Trajectories) -> Result<Predictions> {
    let same_points = match file.get(POINTS)? {
        (_, Numbers::U8(digest)) => digest == digest_of(trajectories),
        _ => false,
    };
    if !same_points {
        return Err(file.damaged("it belongs to other trajectories than those beside it"));
    }
    let point = |k: usize, t: usize| {
        let inside = k < trajectories.count() && t <= trajectories.steps;
        inside.then(|| trajectories.point(k, t).to_vec())
    };
    Predictions::read(&file.tensors()?, trajectories.dimensions, point)
        .map_err(|what| file.damaged(what))
}

/// The value function of an earlier run, before it is known whether it fits.
pub struct StoredValueFunction {
    /// What that run was about.
    pub identity: Identity,
    /// Says the contents of the file in few letters.
    pub hash: String,
    function: StoredFunction,
}

impl StoredValueFunction {
    /// Reads `value_function.safetensors`, under whatever name.
    ///
    /// # Errors
    ///
    /// If it is missing or damaged.
    pub fn read(path: &Path) -> Result<Self> {
        let Some(file) = StoredFile::read(path, "value-function")? else {
            return Err(
                Error::data(format!("there is no file `{}`", path.display())).hint(format!(
                    "give the `{VALUE_FUNCTION}` of a run; a run whose metric never varied has none"
                )),
            );
        };
        Ok(Self {
            identity: file.identity()?,
            hash: file.hash(),
            function: read_function(&file)?,
        })
    }

    /// What a run with this metric takes from it.
    ///
    /// # Errors
    ///
    /// If the metric is another.
    pub fn stored(self, here: &Identity) -> Result<StoredFunction> {
        if here.same_metric(&self.identity) {
            return Ok(self.function);
        }
        Err(Error::configuration(format!(
            "the value function predicts metric {}, and this run is for {}",
            self.identity.metric_name(),
            here.metric_name()
        ))
        .hint("a value function serves its own metric alone; `--trajectories` with the directory of that run serves any"))
    }
}

fn read_function(file: &StoredFile) -> Result<StoredFunction> {
    let misfit = || file.damaged("its shapes do not fit together");
    let widths: Option<Vec<usize>> = file
        .i64s("widths")?
        .into_iter()
        .map(|width| (1..=MOST).contains(&width).then_some(width as usize))
        .collect();
    let widths = widths.ok_or_else(misfit)?;
    let (&inputs, hidden) = widths.split_first().ok_or_else(misfit)?;
    let dimensions = file.f32s("pretrained_gradient")?.1.len();
    let directions = match file.find("directions")? {
        None => None,
        Some((shape, Numbers::F32(flat))) if shape == [inputs, dimensions] => Some(flat),
        Some(_) => return Err(misfit()),
    };
    let projection = Projection::from_parts(directions, dimensions, file.value("input_scale")?)
        .filter(|projection| projection.outputs() == inputs)
        .ok_or_else(misfit)?;
    let mlp = Mlp::from_weights(inputs, hidden, file.f32s("weights")?.1).ok_or_else(misfit)?;
    let (shape, means) = file.f64s("replay_mean")?;
    let points = shape.get(1).copied().unwrap_or(0);
    let (x, deviations) = (
        file.f32s("replay_inputs")?.1,
        file.f64s("replay_deviation")?.1,
    );
    let set =
        TrainingSet::from_parts(&x, &means, &deviations, points, inputs).ok_or_else(misfit)?;
    let deviation = file.value("standard_deviation")?;
    let weight = file.value("weight")?;
    if deviation <= 0.0 || !(0.0..=1.0).contains(&weight) {
        return Err(misfit());
    }
    let agreement = match &file.f64s("agreement")?.1[..] {
        &[rank, linear] => Some(Agreement { rank, linear }),
        [] => None,
        _ => return Err(misfit()),
    };
    Ok(StoredFunction {
        trained: Trained {
            function: ValueFunction {
                projection,
                mlp,
                mean: file.value("standard_mean")?,
                deviation,
            },
            set,
            agreement,
            weight,
        },
        radius: file.value("radius")?,
        width: file.width()?,
        reference: file.reference(dimensions)?,
    })
}
