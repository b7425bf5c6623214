//! The state of a training: weights and momentum, moved one step at a time.

use metricopt_sdk::tch::{Device, Tensor};
use metricopt_sdk::{Error, Result};
use rayon::{ThreadPool, prelude::*};

use super::gradient::{Followed, Gradient, forward};
use super::{Objective, SHARDS, Start, Training};
use crate::architecture::Architecture;
use crate::layout::{Layout, Parameter, Role};
use crate::tensors::{Shared, channels_last};
use crate::weights::Weights;

/// Share of the new statistics in the running ones, as in PyTorch.
const STATISTICS_RATE: f64 = 0.1;

/// Weights in training.
pub(super) struct Trainer {
    architecture: Box<dyn Architecture>,
    layout: Layout,
    tensors: Vec<Tensor>,
    /// Momentum of each tensor that is trained.
    velocities: Vec<Tensor>,
    device: Device,
}

impl Trainer {
    pub(super) fn new(start: &Start<'_>) -> Result<Self> {
        let mut layout = Layout::default();
        let architecture = start.name.architecture(start.classes, &mut layout);
        let network = format!("{} with {} classes", start.name, start.classes);
        let given = start.weights.fit(&layout, &network)?;
        let mut tensors = Vec::new();
        let mut velocities = Vec::new();
        for (tensor, parameter) in given.iter().zip(layout.parameters()) {
            let own = tensor.f_to_device(start.device)?.f_detach_copy()?;
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
            architecture,
            layout,
            tensors,
            velocities,
            device: start.device,
        })
    }

    fn trained(&self) -> impl Iterator<Item = usize> {
        let is_trained = |(_, parameter): &(usize, &Parameter)| parameter.role.is_trained();
        let parameters = self.layout.parameters().iter().enumerate();
        parameters.filter(is_trained).map(|(index, _)| index)
    }

    pub(super) fn gradient(
        &self,
        images: &Tensor,
        labels: &Tensor,
        objective: &Objective<'_>,
        pool: &ThreadPool,
    ) -> Result<Gradient> {
        let size = labels.size().first().copied().unwrap_or(0);
        if size == 0 || images.size().first() != Some(&size) {
            return Err(Error::data(format!(
                "a minibatch of images {:?} and labels {:?}",
                images.size(),
                labels.size()
            )));
        }
        let shards = match self.device {
            Device::Cpu => SHARDS as i64,
            _ => 1,
        };
        let images = images.f_to_device(self.device)?.f_chunk(shards, 0)?;
        let shared = Shared::new(self.tensors.iter().map(Tensor::shallow_clone).collect());
        let (architecture, layout) = (&*self.architecture, &self.layout);
        let follow = |images: Tensor| forward(architecture, layout, shared.get(), &images);
        let parts: Result<Vec<Followed>> =
            pool.install(|| images.into_par_iter().map(follow).collect());
        let labels = labels.f_to_device(self.device)?;
        Gradient::of(parts?, &labels, objective, pool)
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
