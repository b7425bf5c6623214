//! The state of a training: weights and momentum, moved one step at a time.

use metricopt_sdk::Result;
use metricopt_sdk::tch::{Device, Tensor};
use rayon::ThreadPool;

use super::Training;
use super::gradient::{Gradient, Step};
use crate::layout::{Layout, Parameter, Role};
use crate::tensors::{Shared, channels_last};
use crate::weights::Weights;

/// Share of the new statistics in the running ones, as in PyTorch.
const STATISTICS_RATE: f64 = 0.1;

/// Weights in training.
pub(crate) struct Trainer {
    layout: Layout,
    tensors: Vec<Tensor>,
    /// Momentum of each tensor that is trained.
    velocities: Vec<Tensor>,
}

impl Trainer {
    /// Takes the weights of a network with this layout; `network` names it in errors.
    pub(crate) fn new(
        layout: Layout,
        weights: &Weights,
        network: &str,
        device: Device,
    ) -> Result<Self> {
        let given = weights.fit(&layout, network)?;
        let mut tensors = Vec::new();
        let mut velocities = Vec::new();
        for (tensor, parameter) in given.iter().zip(layout.parameters()) {
            let own = tensor.f_to_device(device)?.f_detach_copy()?;
            let own = match parameter.role {
                Role::Kernel => channels_last(&own)?,
                _ => own,
            };
            if parameter.role.is_trained() {
                velocities.push(own.f_zeros_like()?);
            }
            tensors.push(own);
        }
        Ok(Self {
            layout,
            tensors,
            velocities,
        })
    }

    fn trained(&self) -> impl Iterator<Item = usize> {
        let is_trained = |(_, parameter): &(usize, &Parameter)| parameter.role.is_trained();
        let parameters = self.layout.parameters().iter().enumerate();
        parameters.filter(is_trained).map(|(index, _)| index)
    }

    /// The gradient of a minibatch.
    pub(super) fn gradient(&self, step: Step<'_>, pool: &ThreadPool) -> Result<Gradient> {
        let shared = Shared::new(self.tensors.iter().map(Tensor::shallow_clone).collect());
        Gradient::of(step, &self.layout, &shared, pool)
    }

    pub(super) fn update(
        &mut self,
        training: &Training,
        rate: f64,
        gradient: &Gradient,
    ) -> Result<()> {
        let trained: Vec<usize> = self.trained().collect();
        for ((index, slope), velocity) in trained
            .into_iter()
            .zip(&gradient.slopes)
            .zip(&mut self.velocities)
        {
            let weight = &mut self.tensors[index];
            *velocity = velocity
                .f_mul_scalar_(training.momentum)?
                .f_add_(slope)?
                .f_add_(&weight.f_mul_scalar(training.weight_decay)?)?;
            *weight = weight.f_sub_(&velocity.f_mul_scalar(rate)?)?;
        }
        for (norm, mean, variance) in &gradient.statistics {
            for (index, new) in [(norm.mean, mean), (norm.variance, variance)] {
                let running = &mut self.tensors[index];
                *running = running.f_lerp_(new, STATISTICS_RATE)?;
            }
        }
        Ok(())
    }

    pub(super) fn weights(self) -> Result<Weights> {
        let names = self.layout.parameters().iter();
        let names = names.map(|parameter| parameter.name.clone());
        Weights::from_tensors(names.zip(self.tensors))
            .map_err(|error| error.context("training diverged"))
    }
}
