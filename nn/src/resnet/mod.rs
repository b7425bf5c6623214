//! Residual networks (He et al., CVPR 2016).

pub(crate) mod cifar;
pub(crate) mod imagenet;

/// PyTorch's default, which all of them keep.
const EPSILON: f64 = 1e-5;
