//! How exactly a frozen network calculates.

use metricopt_sdk::Result;
use metricopt_sdk::tch::{Kind, Tensor};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::layout::{Layout, Role};

/// How exactly a frozen network calculates.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Precision {
    /// 32-bit floating point numbers throughout.
    #[default]
    F32,
    /// bfloat16 for the weights of convolutions and linear layers and for activations, with half the memory: for GPUs that
    /// have it. Normalisations, adapters, their gradients and all results stay f32.
    Bf16,
}

impl Precision {
    /// The name users type.
    ///
    /// ```
    /// assert_eq!(metricopt_nn::Precision::Bf16.name(), "bf16");
    /// ```
    pub const fn name(self) -> &'static str {
        match self {
            Self::F32 => "f32",
            Self::Bf16 => "bf16",
        }
    }

    /// Activations in this precision.
    pub(crate) fn activations(self, x: &Tensor) -> Result<Tensor> {
        Ok(x.f_to_kind(self.kind())?)
    }

    /// The tensors of a layout as passes use them. Those of normalisations keep their precision: a variance of bf16 would
    /// have two or three digits.
    pub(crate) fn weights(self, layout: &Layout, tensors: &[Tensor]) -> Result<Vec<Tensor>> {
        let parameters = layout.parameters().iter();
        parameters
            .zip(tensors)
            .map(|(parameter, tensor)| match parameter.role {
                Role::Kernel | Role::Matrix | Role::Bias => self.activations(tensor),
                Role::Scale | Role::Shift | Role::Mean | Role::Variance => {
                    Ok(tensor.shallow_clone())
                }
            })
            .collect()
    }

    fn kind(self) -> Kind {
        match self {
            Self::F32 => Kind::Float,
            Self::Bf16 => Kind::BFloat16,
        }
    }
}
