//! Layers: which tensors of the layout they use, and how.

use metricopt_sdk::Result;
use metricopt_sdk::tch::Tensor;

/// A convolution without bias.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Conv {
    pub(crate) kernel: usize,
    pub(crate) stride: i64,
    pub(crate) padding: i64,
    pub(crate) groups: i64,
}

impl Conv {
    pub(crate) fn stride(self, stride: i64) -> Self {
        Self { stride, ..self }
    }

    pub(crate) fn unpadded(self) -> Self {
        Self { padding: 0, ..self }
    }

    pub(crate) fn apply(&self, tensors: &[Tensor], x: &Tensor) -> Result<Tensor> {
        self.with_bias(tensors, None, x)
    }

    fn with_bias(&self, tensors: &[Tensor], bias: Option<&Tensor>, x: &Tensor) -> Result<Tensor> {
        let pair = |value| [value, value];
        Ok(x.f_conv2d(
            &tensors[self.kernel],
            bias,
            pair(self.stride),
            pair(self.padding),
            pair(1),
            self.groups,
        )?)
    }
}

/// A convolution with bias, as the last layer of a detector's head.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Predictor {
    pub(crate) conv: Conv,
    pub(crate) bias: usize,
}

impl Predictor {
    pub(crate) fn apply(&self, tensors: &[Tensor], x: &Tensor) -> Result<Tensor> {
        self.conv.with_bias(tensors, Some(&tensors[self.bias]), x)
    }
}

/// A convolution with bias and a FiLM site behind it, where no normalisation follows.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Modulated {
    pub(crate) inner: Predictor,
    /// Index of the FiLM site.
    pub(crate) site: usize,
}

impl Modulated {
    pub(crate) fn stride(mut self, stride: i64) -> Self {
        self.inner.conv = self.inner.conv.stride(stride);
        self
    }
}

/// A batch normalisation (Ioffe and Szegedy, ICML 2015) with a FiLM site behind it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Norm {
    pub(crate) scale: usize,
    pub(crate) shift: usize,
    pub(crate) mean: usize,
    pub(crate) variance: usize,
    /// Index of the FiLM site.
    pub(crate) site: usize,
    pub(crate) epsilon: f64,
}

/// A fully connected layer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Linear {
    pub(crate) matrix: usize,
    pub(crate) bias: usize,
}

impl Linear {
    pub(crate) fn apply(&self, tensors: &[Tensor], x: &Tensor) -> Result<Tensor> {
        Ok(x.f_linear(&tensors[self.matrix], Some(&tensors[self.bias]))?)
    }
}

/// ReLU, in place: what a normalisation or a sum has made is needed nowhere else, not even by autograd.
pub(crate) fn relu(mut x: Tensor) -> Result<Tensor> {
    Ok(x.f_relu_()?)
}

/// Mean over height and width: `[N, C, H, W]` to `[N, C]`.
pub(crate) fn global_average(x: &Tensor) -> Result<Tensor> {
    Ok(x.f_adaptive_avg_pool2d([1, 1])?.f_flatten(1, -1)?)
}
