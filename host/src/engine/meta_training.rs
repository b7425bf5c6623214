//! How the weights of a value function are learnt from many trajectories.

use metricopt_sdk::Result;
use rand::RngExt;

use super::config::MetaTrainingConfig;
use super::mlp::Mlp;
use super::optimizer::Adam;
use super::random::Stream;
use super::vector::add_scaled;

/// Reptile (Nichol, Achiam and Schulman 2018): inner steps on one task, then `w <- w + epsilon (w~ - w)` with `epsilon`
/// falling linearly to zero.
///
/// `inner` takes one gradient step on the given task in place. `progress` hears the number of finished iterations.
///
/// # Errors
///
/// Those of `progress`.
pub fn reptile(
    mlp: &mut Mlp,
    config: &MetaTrainingConfig,
    tasks: usize,
    rng: &mut Stream,
    progress: &mut dyn FnMut(usize) -> Result<()>,
    mut inner: impl FnMut(&mut Mlp, usize, &mut Stream),
) -> Result<()> {
    let mut adapted = mlp.clone();
    for iteration in 0..config.iterations {
        adapted.clone_from(mlp);
        let task = rng.random_range(0..tasks);
        for _ in 0..config.inner_steps {
            inner(&mut adapted, task, rng);
        }
        let epsilon = config.epsilon * (1.0 - iteration as f64 / config.iterations as f64);
        for (w, adapted) in mlp.weights_mut().iter_mut().zip(adapted.weights()) {
            *w += epsilon as f32 * (adapted - *w);
        }
        progress(iteration + 1)?;
    }
    Ok(())
}

/// Plain joint training: Adam on batches from all tasks, as many steps as Reptile takes inside.
///
/// # Errors
///
/// Those of `progress`.
pub fn joint(
    mlp: &mut Mlp,
    config: &MetaTrainingConfig,
    rng: &mut Stream,
    progress: &mut dyn FnMut(usize) -> Result<()>,
    mut gradient: impl FnMut(&Mlp, &mut Stream) -> Vec<f32>,
) -> Result<()> {
    let mut adam = Adam::new(mlp.weights().len(), 0.9, 0.999);
    // Weight decay as in the classic L2 penalty, which is part of the gradient.
    let decay = config.joint_weight_decay;
    for iteration in 0..config.iterations {
        for _ in 0..config.inner_steps {
            let mut step = gradient(mlp, rng);
            add_scaled(&mut step, decay, mlp.weights());
            adam.step(mlp.weights_mut(), &step, config.joint_learning_rate);
        }
        progress(iteration + 1)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::random::stream;

    /// Two tasks with losses `|w - a|^2 / 2` and `|w - b|^2 / 2`. Inner steps contract towards the minimum of one task by
    /// the same factor, so the expected update vanishes exactly half-way between the two.
    #[test]
    fn two_tasks_meet_half_way() {
        let minima = [[1.0_f32, -2.0], [3.0, 4.0]];
        let mut mlp = Mlp::from_weights(1, &[], vec![10.0, 10.0]).unwrap();
        let config = MetaTrainingConfig {
            iterations: 20_000,
            inner_steps: 3,
            epsilon: 0.1,
            ..MetaTrainingConfig::default()
        };
        let mut rng = stream(1, "test", 0);
        reptile(
            &mut mlp,
            &config,
            2,
            &mut rng,
            &mut |_| Ok(()),
            |mlp, task, _| {
                for (w, minimum) in mlp.weights_mut().iter_mut().zip(minima[task]) {
                    *w -= 0.2 * (*w - minimum);
                }
            },
        )
        .unwrap();
        assert!((mlp.weights()[0] - 2.0).abs() < 0.1, "{:?}", mlp.weights());
        assert!((mlp.weights()[1] - 1.0).abs() < 0.3, "{:?}", mlp.weights());
    }

    #[test]
    fn one_outer_step_moves_by_epsilon() {
        let mut mlp = Mlp::from_weights(1, &[], vec![0.0, 0.0]).unwrap();
        let config = MetaTrainingConfig {
            iterations: 1,
            inner_steps: 2,
            epsilon: 0.25,
            ..MetaTrainingConfig::default()
        };
        let mut rng = stream(1, "test", 0);
        reptile(
            &mut mlp,
            &config,
            1,
            &mut rng,
            &mut |_| Ok(()),
            |mlp, _, _| {
                mlp.weights_mut()[0] += 4.0;
            },
        )
        .unwrap();
        assert_eq!(mlp.weights(), [2.0, 0.0]);
    }

    #[test]
    fn joint_training_reaches_the_mean_of_two_tasks() {
        let mut mlp = Mlp::from_weights(1, &[], vec![5.0, 0.0]).unwrap();
        let config = MetaTrainingConfig {
            iterations: 3000,
            inner_steps: 1,
            joint_learning_rate: 0.01,
            joint_weight_decay: 0.0,
            ..MetaTrainingConfig::default()
        };
        let mut rng = stream(1, "test", 0);
        joint(&mut mlp, &config, &mut rng, &mut |_| Ok(()), |mlp, _| {
            let w = mlp.weights()[0];
            vec![(w - 1.0) + (w - 3.0), 0.0]
        })
        .unwrap();
        assert!((mlp.weights()[0] - 2.0).abs() < 0.01, "{:?}", mlp.weights());
    }
}
