//! Binary results as safetensors files, each with a format version in its metadata.

use metricopt_sdk::{Error, Result, Site};
use safetensors::{Dtype, tensor::TensorView};
use std::collections::HashMap;

use super::identity::Identity;
use super::names::{POINTS, digest_of};
use crate::engine::footing::Footing;
use crate::engine::interpolation::Interpolation;
use crate::engine::landscape::Landscape;
use crate::engine::predictions::Predictions;
use crate::engine::trajectory::Trajectories;
use crate::engine::trust::Trained;
use crate::engine::update_rule::UpdateRule;

/// Version of all these formats.
const VERSION: &str = "1";

/// The format of `optimizer.safetensors`, which is read back.
pub(super) const OPTIMIZER_FORMAT: &str = "metricopt.optimizer.1";

/// Tensors on their way into a file.
#[derive(Default)]
struct Tensors(Vec<(String, Dtype, Vec<usize>, Vec<u8>)>);

impl Tensors {
    fn f32(
        &mut self,
        name: impl Into<String>,
        shape: &[usize],
        values: impl IntoIterator<Item = f32>,
    ) {
        let bytes = values.into_iter().flat_map(f32::to_le_bytes).collect();
        self.0
            .push((name.into(), Dtype::F32, shape.to_vec(), bytes));
    }

    fn f64(
        &mut self,
        name: impl Into<String>,
        shape: &[usize],
        values: impl IntoIterator<Item = f64>,
    ) {
        let bytes = values.into_iter().flat_map(f64::to_le_bytes).collect();
        self.0
            .push((name.into(), Dtype::F64, shape.to_vec(), bytes));
    }

    fn i64(
        &mut self,
        name: impl Into<String>,
        shape: &[usize],
        values: impl IntoIterator<Item = i64>,
    ) {
        let bytes = values.into_iter().flat_map(i64::to_le_bytes).collect();
        self.0
            .push((name.into(), Dtype::I64, shape.to_vec(), bytes));
    }

    /// What another run needs to know before it uses the file: `identity`, `width` f64 `[1]`, and the pre-trained network
    /// by `pretrained_loss` f64 `[1]` and `pretrained_gradient` f32 `[D]` on validation rows.
    fn footing(&mut self, footing: &Footing<'_>, identity: &Identity) -> Result<()> {
        let json = serde_json::to_vec(identity)
            .map_err(|error| Error::failed(format!("cannot write what a run is about: {error}")))?;
        self.0
            .push(("identity".to_owned(), Dtype::U8, vec![json.len()], json));
        let calibration = footing.calibration;
        self.f64("width", &[1], [calibration.width]);
        self.f64("pretrained_loss", &[1], [calibration.reference.loss]);
        let gradient = &calibration.reference.gradient;
        self.f32(
            "pretrained_gradient",
            &[gradient.len()],
            gradient.iter().copied(),
        );
        Ok(())
    }

    fn file(&self, format: &str) -> Result<Vec<u8>> {
        let failed = |error: safetensors::SafeTensorError| {
            Error::failed(format!("cannot write a {format} file: {error}"))
        };
        let views: Result<Vec<(&str, TensorView<'_>)>> = self
            .0
            .iter()
            .map(|(name, dtype, shape, bytes)| {
                Ok((
                    name.as_str(),
                    TensorView::new(*dtype, shape.clone(), bytes).map_err(failed)?,
                ))
            })
            .collect();
        // One entry only: the order of several would differ from run to run.
        let metadata =
            HashMap::from([("format".to_owned(), format!("metricopt.{format}.{VERSION}"))]);
        safetensors::serialize(views?, Some(metadata)).map_err(failed)
    }
}

/// `adapter.safetensors`: for every site `NAME.scale` and `NAME.shift` f32 `[channels]`, the factors and summands
/// themselves (1 and 0 for the pre-trained network).
///
/// # Errors
///
/// If two sites share a name.
pub fn adapter_file(phi: &[f32], sites: &[Site]) -> Result<Vec<u8>> {
    let mut tensors = Tensors::default();
    add_sites(&mut tensors, "", phi, sites)?;
    tensors.file("adapter")
}

fn add_sites(tensors: &mut Tensors, beginning: &str, phi: &[f32], sites: &[Site]) -> Result<()> {
    let mut rest = phi;
    for site in sites {
        let (Some(scale), Some(shift)) = (
            rest.get(..site.channels),
            rest.get(site.channels..2 * site.channels),
        ) else {
            return Err(Error::failed(format!(
                "the adapter is too short for site `{}`",
                site.name
            )));
        };
        rest = &rest[2 * site.channels..];
        tensors.f32(
            format!("{beginning}{}.scale", site.name),
            &[site.channels],
            scale.iter().map(|d| 1.0 + d),
        );
        tensors.f32(
            format!("{beginning}{}.shift", site.name),
            &[site.channels],
            shift.iter().copied(),
        );
    }
    Ok(())
}

/// `report.safetensors`: `path.METHOD` f64 `[points, 3]`, the start and each observation of a method: coordinates along
/// the two main directions of both ways, and length outside their plane; `tuned.SITE.scale` and
/// `tuned.SITE.shift` f32 `[channels]`, the tuned adapter before acceptance; and, unless the landscape was left out, `x`
/// and `y` f64 `[n]`, coordinates of a grid, `metric` f64 `[n, n]`, natural values with a row for each `y`, `predicted`
/// f64 `[n, n]` likewise if there is a value function, and `rows` i64 `[1]`, the validation rows measured on.
///
/// # Errors
///
/// If two sites share a name.
pub fn report_file(landscape: &Landscape, tuned: &[f32], sites: &[Site]) -> Result<Vec<u8>> {
    let mut tensors = Tensors::default();
    for (method, points) in &landscape.ways {
        tensors.f64(
            format!("path.{method}"),
            &[points.len(), 3],
            points.iter().flatten().copied(),
        );
    }
    add_sites(&mut tensors, "tuned.", tuned, sites)?;
    if let Some(grid) = &landscape.grid {
        let n = grid.x.len();
        tensors.f64("x", &[n], grid.x.iter().copied());
        tensors.f64("y", &[n], grid.y.iter().copied());
        tensors.f64("metric", &[n, n], grid.metric.iter().copied());
        if let Some(predicted) = &grid.predicted {
            tensors.f64("predicted", &[n, n], predicted.iter().copied());
        }
        tensors.i64("rows", &[1], [grid.rows as i64]);
    }
    tensors.file("report")
}

/// `trajectories.safetensors`: `points` f32 `[K, T + 1, D]`; `observed_steps` i64 `[O]`; `observations` f64
/// `[K, O, folds]`, natural values; `interpolated_mean` and `interpolated_deviation` f64 `[K, T + 1]`, signed and
/// standardised by `standard_mean` and `standard_deviation` f64 `[1]`; `learning_rates` and `start_sd` f64 `[K]`;
/// `class_weights` f32 `[K, C]`. So that another run can go on from here: `identity` u8, JSON, what the run is about;
/// `width` f64 `[1]`; `pretrained_loss` f64 `[1]` and `pretrained_gradient` f32 `[D]`, by which networks are told apart;
/// `pretrained_validation` f64 `[1]`, `pretrained_folds` f64 `[accept_folds]` and `best_validation` f64 `[1]`, natural
/// values of `phi_0` and of the best point.
///
/// # Errors
///
/// If the tensors do not fit together.
pub fn trajectories_file(
    trajectories: &Trajectories,
    interpolation: &Interpolation,
    footing: &Footing<'_>,
    best: f64,
    identity: &Identity,
) -> Result<Vec<u8>> {
    let (k, points) = (trajectories.count(), trajectories.steps + 1);
    let folds = trajectories
        .observations
        .first()
        .and_then(|run| run.first())
        .map_or(0, |observation| observation.folds.len());
    let classes = trajectories
        .settings
        .first()
        .map_or(0, |settings| settings.class_weights.len());
    let mut tensors = Tensors::default();
    tensors.f32(
        "points",
        &[k, points, trajectories.dimensions],
        trajectories.points.iter().copied(),
    );
    tensors.i64(
        "observed_steps",
        &[trajectories.observed.len()],
        trajectories.observed.iter().map(|&t| t as i64),
    );
    tensors.f64(
        "observations",
        &[k, trajectories.observed.len(), folds],
        trajectories
            .observations
            .iter()
            .flatten()
            .flat_map(|observation| observation.folds.iter().copied()),
    );
    let values = interpolation.values();
    tensors.f64(
        "interpolated_mean",
        &[k, points],
        values.iter().map(|&(mean, _)| mean),
    );
    tensors.f64(
        "interpolated_deviation",
        &[k, points],
        values.iter().map(|&(_, deviation)| deviation),
    );
    tensors.f64("standard_mean", &[1], [interpolation.mean]);
    tensors.f64("standard_deviation", &[1], [interpolation.deviation]);
    tensors.f64(
        "learning_rates",
        &[k],
        trajectories
            .settings
            .iter()
            .map(|settings| settings.learning_rate),
    );
    tensors.f64(
        "start_sd",
        &[k],
        trajectories
            .settings
            .iter()
            .map(|settings| settings.start_sd),
    );
    tensors.f32(
        "class_weights",
        &[k, classes],
        trajectories
            .settings
            .iter()
            .flat_map(|settings| settings.class_weights.iter().copied()),
    );
    tensors.footing(footing, identity)?;
    let pretrained = footing.pretrained.validation;
    tensors.f64("pretrained_validation", &[1], [pretrained]);
    let folds = footing.folds.map_or(&[][..], |observed| &observed.folds);
    tensors.f64("pretrained_folds", &[folds.len()], folds.iter().copied());
    tensors.f64("best_validation", &[1], [best]);
    tensors.file("trajectories")
}

/// `predictions.safetensors`: what the network predicts for every observed adapter. `places` i64 `[P, 2]`, trajectory and
/// step of each adapter, -1 for `phi_0` where no trajectory passes it; `folds` and `units` i64 `[1]`, observation folds and
/// units of the validation split; `points_sha256` u8 `[32]`, of `points` in the `trajectories.safetensors` it belongs to.
/// For every part (`all`, or `fold.I.N` for fold I of N): `adapters/PART` i64 `[A]`, the adapters; for every tensor of the
/// task `PART/index/NAME` i64 `[A]` and `PART/tensor/N/NAME`, where the index says which N is that of an adapter: what is
/// the same for all adapters stands there once.
///
/// # Errors
///
/// If an adapter is on no trajectory.
pub fn predictions_file(predictions: &Predictions, trajectories: &Trajectories) -> Result<Vec<u8>> {
    let dimensions = trajectories.dimensions.max(1);
    let mut places = HashMap::new();
    for (at, point) in trajectories.points.chunks_exact(dimensions).enumerate() {
        let point: Vec<u32> = point.iter().map(|x| x.to_bits()).collect();
        let steps = trajectories.steps + 1;
        places.entry(point).or_insert([at / steps, at % steps]);
    }
    let place = |phi: &[f32]| {
        let bits: Vec<u32> = phi.iter().map(|x| x.to_bits()).collect();
        places.get(&bits).copied()
    };
    let mut tensors = Tensors(predictions.entries(place)?);
    let digest = digest_of(trajectories);
    tensors
        .0
        .push((POINTS.to_owned(), Dtype::U8, vec![digest.len()], digest));
    tensors.file("predictions")
}

/// `value_function.safetensors`: `weights` f32, flat, layer by layer a matrix `[in, out]` and a bias `[out]`; `widths`
/// i64, inputs and hidden layers; `directions` f32 `[k, D]`, absent for raw input; `input_scale`, `standard_mean` and
/// `standard_deviation` f64 `[1]`. It predicts the signed metric, standardised; lower is better. So that another run can
/// begin with it: `replay_inputs` f32 `[K, T + 1, inputs]`, `replay_mean` and `replay_deviation` f64 `[K, T + 1]`, its
/// training points; `weight` f64 `[1]`; `agreement` f64 `[2]`, rank and linear correlation, empty if not measured; `radius`
/// f64 `[1]`, the largest `|phi|` it has seen; and `identity`, `width`, `pretrained_loss` and `pretrained_gradient` as in
/// `trajectories.safetensors`.
///
/// # Errors
///
/// If the tensors do not fit together.
pub fn value_function_file(
    trained: &Trained,
    footing: &Footing<'_>,
    radius: f64,
    identity: &Identity,
) -> Result<Vec<u8>> {
    let function = &trained.function;
    let mut tensors = Tensors::default();
    let weights = function.mlp.weights();
    tensors.f32("weights", &[weights.len()], weights.iter().copied());
    let widths = function.mlp.widths();
    tensors.i64(
        "widths",
        &[widths.len()],
        widths.iter().map(|&width| width as i64),
    );
    let projection = &function.projection;
    if let Some(directions) = projection.directions() {
        tensors.f32(
            "directions",
            &[projection.outputs(), projection.dimensions()],
            directions.iter().copied(),
        );
    }
    tensors.f64("input_scale", &[1], [projection.scale()]);
    tensors.f64("standard_mean", &[1], [function.mean]);
    tensors.f64("standard_deviation", &[1], [function.deviation]);
    let (count, inputs) = (trained.set.count(), projection.outputs());
    let points = trained.set.targets().count() / count.max(1);
    tensors.f32(
        "replay_inputs",
        &[count, points, inputs],
        trained.set.coordinates(),
    );
    let targets = || trained.set.targets();
    tensors.f64(
        "replay_mean",
        &[count, points],
        targets().map(|target| target.0),
    );
    tensors.f64(
        "replay_deviation",
        &[count, points],
        targets().map(|target| target.1),
    );
    tensors.f64("weight", &[1], [trained.weight]);
    let agreement = trained.agreement.map(|found| [found.rank, found.linear]);
    let agreement = agreement.as_ref().map_or(&[][..], |found| &found[..]);
    tensors.f64("agreement", &[agreement.len()], agreement.iter().copied());
    tensors.f64("radius", &[1], [radius]);
    tensors.footing(footing, identity)?;
    tensors.file("value-function")
}

/// `optimizer.safetensors`: `weights` f32, flat: a recurrent matrix `[inputs + hidden + 1, 3 hidden]` with columns for reset
/// gate, update gate and candidate, and a head `[hidden + 1, outputs]`, each with its bias last; `shape` i64, the numbers of
/// weights, inputs, hidden units and outputs.
///
/// # Errors
///
/// If the tensors do not fit together.
pub fn optimizer_file(rule: &UpdateRule) -> Result<Vec<u8>> {
    let mut tensors = Tensors::default();
    let weights = rule.weights();
    tensors.f32("weights", &[weights.len()], weights.iter().copied());
    let shape = UpdateRule::SHAPE.map(|n| n as i64);
    tensors.i64("shape", &[shape.len()], shape);
    tensors.file("optimizer")
}
