//! What a network is made of: its tensors by name and shape, and its FiLM sites.

use metricopt_sdk::Site;

use crate::layers::{Conv, Linear, Modulated, Norm, Predictor};

/// What a tensor is for; decides how it is initialised and trained.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// Of a convolution, `[out, in / groups, height, width]`.
    Kernel,
    /// Of a fully connected layer, `[out, in]`.
    Matrix,
    /// Of a fully connected layer, `[out]`.
    Bias,
    /// Of a normalisation, `[channels]`, called `weight` in PyTorch.
    Scale,
    /// Of a normalisation, `[channels]`, called `bias` in PyTorch.
    Shift,
    /// Running mean of a normalisation, `[channels]`.
    Mean,
    /// Running variance of a normalisation, `[channels]`.
    Variance,
}

impl Role {
    /// Whether training follows its gradient; running statistics are measured instead.
    pub(crate) fn is_trained(self) -> bool {
        !matches!(self, Role::Mean | Role::Variance)
    }
}

/// A tensor of a network.
#[derive(Clone, Debug)]
pub(crate) struct Parameter {
    /// Its name in the Python implementation.
    pub(crate) name: String,
    pub(crate) shape: Vec<i64>,
    pub(crate) role: Role,
}

/// Collects the tensors and sites of a network; layers are asked for in the order of execution, which is the order of
/// the adapter.
#[derive(Debug, Default)]
pub(crate) struct Layout {
    parameters: Vec<Parameter>,
    sites: Vec<Site>,
    folds: Vec<Fold>,
    norms: Vec<Norm>,
}

/// The tensors into which a FiLM site is folded.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fold {
    /// What is multiplied, `[channels, ..]`.
    pub(crate) scale: usize,
    /// What is multiplied and added to, `[channels]`.
    pub(crate) shift: usize,
}

impl Layout {
    pub(crate) fn parameters(&self) -> &[Parameter] {
        &self.parameters
    }

    pub(crate) fn sites(&self) -> &[Site] {
        &self.sites
    }

    /// What the sites are folded into, in their order.
    pub(crate) fn folds(&self) -> &[Fold] {
        &self.folds
    }

    /// The normalisations in the order of execution.
    pub(crate) fn norms(&self) -> &[Norm] {
        &self.norms
    }

    fn add(&mut self, name: String, shape: &[i64], role: Role) -> usize {
        self.parameters.push(Parameter {
            name,
            shape: shape.to_vec(),
            role,
        });
        self.parameters.len() - 1
    }

    /// A convolution without bias: square kernel, `[inputs, outputs]` channels, stride 1, padded to keep the size.
    pub(crate) fn conv(&mut self, name: &str, [inputs, outputs]: [i64; 2], kernel: i64) -> Conv {
        let shape = [outputs, inputs, kernel, kernel];
        Conv {
            kernel: self.add(format!("{name}.weight"), &shape, Role::Kernel),
            stride: 1,
            padding: kernel / 2,
            groups: 1,
        }
    }

    /// A convolution with bias, otherwise like [`conv`](Self::conv).
    pub(crate) fn predictor(&mut self, name: &str, channels: [i64; 2], kernel: i64) -> Predictor {
        Predictor {
            conv: self.conv(name, channels, kernel),
            bias: self.add(format!("{name}.bias"), &channels[1..], Role::Bias),
        }
    }

    /// A convolution with bias and a FiLM site behind it, otherwise like [`conv`](Self::conv).
    pub(crate) fn modulated(&mut self, name: &str, channels: [i64; 2], kernel: i64) -> Modulated {
        let inner = self.predictor(name, channels, kernel);
        let [scale, shift] = [inner.conv.kernel, inner.bias];
        Modulated {
            inner,
            site: self.site(name, channels[1], Fold { scale, shift }),
        }
    }

    fn site(&mut self, name: &str, channels: i64, fold: Fold) -> usize {
        self.sites.push(Site {
            name: name.to_owned(),
            channels: channels as usize,
        });
        self.folds.push(fold);
        self.sites.len() - 1
    }

    /// A convolution of each channel for itself, otherwise like [`conv`](Self::conv).
    pub(crate) fn depthwise(&mut self, name: &str, channels: i64, kernel: i64) -> Conv {
        Conv {
            groups: channels,
            ..self.conv(name, [1, channels], kernel)
        }
    }

    /// A batch normalisation with a FiLM site behind it.
    pub(crate) fn norm(&mut self, name: &str, channels: i64, epsilon: f64) -> Norm {
        let mut part = |part: &str, role| self.add(format!("{name}.{part}"), &[channels], role);
        let [scale, shift] = [part("weight", Role::Scale), part("bias", Role::Shift)];
        let norm = Norm {
            scale,
            shift,
            mean: part("running_mean", Role::Mean),
            variance: part("running_var", Role::Variance),
            site: self.site(name, channels, Fold { scale, shift }),
            epsilon,
        };
        self.norms.push(norm);
        norm
    }

    /// A fully connected layer of `[inputs, outputs]`.
    pub(crate) fn linear(&mut self, name: &str, [inputs, outputs]: [i64; 2]) -> Linear {
        Linear {
            matrix: self.add(format!("{name}.weight"), &[outputs, inputs], Role::Matrix),
            bias: self.add(format!("{name}.bias"), &[outputs], Role::Bias),
        }
    }
}
