//! Weights to train a network from.

use metricopt_sdk::Result;
use metricopt_sdk::tch::Tensor;
use rand::SeedableRng;
use rand_distr::{Distribution, StandardNormal};
use rand_pcg::Pcg64Mcg;

use crate::layout::{Layout, Parameter, Role};
use crate::name::NetworkName;
use crate::weights::Weights;

/// Random weights: convolutions and matrices `N(0, 2 / fan in)` (He et al., ICCV 2015), normalisations the identity,
/// biases zero.
///
/// The same seed gives the same weights on every machine.
///
/// # Errors
///
/// Those of libtorch.
pub fn initialise(name: NetworkName, classes: usize, seed: u64) -> Result<Weights> {
    let mut layout = Layout::default();
    name.architecture(classes, &mut layout);
    random(&layout, seed)
}

/// Random weights for a layout.
pub(crate) fn random(layout: &Layout, seed: u64) -> Result<Weights> {
    let mut rng = Pcg64Mcg::seed_from_u64(seed);
    let mut tensors = Vec::with_capacity(layout.parameters().len());
    for parameter in layout.parameters() {
        let values = Tensor::f_from_slice(&initial(parameter, &mut rng))?;
        tensors.push((
            parameter.name.clone(),
            values.f_view(parameter.shape.as_slice())?,
        ));
    }
    Weights::from_tensors(tensors)
}

fn initial(parameter: &Parameter, rng: &mut Pcg64Mcg) -> Vec<f32> {
    let count = parameter.shape.iter().product::<i64>() as usize;
    match parameter.role {
        Role::Kernel | Role::Matrix => {
            let fan_in: i64 = parameter.shape.iter().skip(1).product();
            let sd = (2.0 / fan_in.max(1) as f64).sqrt();
            let mut normal = || {
                let draw: f64 = StandardNormal.sample(rng);
                (sd * draw) as f32
            };
            (0..count).map(|_| normal()).collect()
        }
        Role::Scale | Role::Variance => vec![1.0; count],
        Role::Shift | Role::Mean | Role::Bias => vec![0.0; count],
    }
}
