//! What a learned optimizer practises on: the surrogate loss and the value function, from points of the trajectories.

use metricopt_sdk::{Batch, Error, Result, Split};
use rand::RngExt;

use super::collect::check_gradient;
use super::config::FinetuneConfig;
use super::events::{Event, Progress};
use super::observe::Observer;
use super::optimizer_training::{Practice, Slope, train};
use super::random::{Stream, stream_seed};
use super::recorder::{Artifact, Recorder};
use super::trajectory::Trajectories;
use super::trust::Trained;
use super::update_rule::UpdateRule;
use super::value_function::Scratch;

/// Where practice takes place.
pub(super) struct PracticeGround<'a> {
    /// Practice begins at their points.
    pub(super) trajectories: Option<&'a Trajectories>,
    /// Stands in for the metric.
    pub(super) trained: Option<&'a Trained>,
    /// The calibrated width.
    pub(super) width: f64,
    /// Largest `|phi|` that fine-tuning may reach.
    pub(super) radius: f64,
    /// Seed of starts and batches.
    pub(super) seed: u64,
}

/// Meta-trains the learned optimizer for fine-tuning with this configuration, unless one is given; none without a value
/// function. Takes no query.
///
/// # Errors
///
/// Those of the task and the recorder, that there are no trajectories, or that the user asked to stop.
pub(super) fn learn_optimizer(
    observer: &Observer<'_>,
    config: &FinetuneConfig,
    ground: &PracticeGround<'_>,
    progress: &Progress<'_>,
    recorder: &mut dyn Recorder,
) -> Result<Option<UpdateRule>> {
    if let Some(given) = &config.learned.given {
        recorder.save(Artifact::Optimizer(given))?;
        return Ok(Some(given.clone()));
    }
    let Some(trained) = ground.trained else {
        return Ok(None);
    };
    let Some(trajectories) = ground.trajectories else {
        return Err(Error::configuration(
            "`finetune.optimizer` is `learned`, but a run with `--value-function` has no trajectories to learn on",
        )
        .hint("give the optimizer of the earlier run, `--set finetune.learned.from=DIR/optimizer.safetensors`, or its `--trajectories`"));
    };
    let practice = Practice {
        config,
        trust: trained.weight,
        learning_rate: ground.width * config.peak_learning_rate(),
        radius: ground.radius,
        pool: observer.pool,
        seed: ground.seed,
    };
    // Every other run starts where trajectories do, as fine-tuning will.
    let mut start = |member: usize, rng: &mut Stream| {
        let k = rng.random_range(0..trajectories.count());
        let t = rng.random_range(0..=trajectories.steps);
        let t = if member.is_multiple_of(2) { 0 } else { t };
        trajectories.point(k, t).to_vec()
    };
    let mut scratch = Scratch::default();
    let mut terrain = |phis: &[&[f32]], number: u64| {
        let batches: Vec<Batch<'_>> = (0..phis.len() as u64)
            .map(|member| Batch {
                split: Split::Train,
                seed: stream_seed(ground.seed, "practice batches", member),
                step: number,
                size: config.batch_size,
                fraction: 1.0,
                class_weights: &[],
            })
            .collect();
        let (losses, flat) = observer.gradients(phis, &batches)?;
        let dimensions = trajectories.dimensions;
        check_gradient(&flat, phis.len() * dimensions)?;
        let gradients = flat.chunks_exact(dimensions);
        let slopes = phis.iter().zip(losses).zip(gradients);
        Ok(slopes
            .map(|((phi, loss), gradient)| {
                let (value, value_gradient) = trained.function.slope(phi, &mut scratch);
                Slope {
                    loss,
                    loss_gradient: gradient.to_vec(),
                    value,
                    value_gradient,
                }
            })
            .collect())
    };
    let total = config.learned.iterations as u64;
    progress("learned optimizer", 0, total);
    let learnt = train(practice, &mut start, &mut terrain, &mut |iteration| {
        progress("learned optimizer", iteration as u64, total);
        observer.call.check()
    })?;
    recorder.record(&Event::OptimizerLearned {
        objective_changes: learnt.changes,
    })?;
    recorder.save(Artifact::Optimizer(&learnt.rule))?;
    Ok(Some(learnt.rule))
}
