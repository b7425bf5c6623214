//! Surrogate losses and their gradients by autograd.

use tch::{Kind, Tensor};

use crate::{Error, Result};

/// Surrogate losses and their gradients at `P` adapters.
#[derive(Debug)]
pub struct Gradients {
    /// The losses, `[P]`.
    pub losses: Vec<f64>,
    /// The gradients with respect to `phi`, f32 `[P, D]`.
    pub gradients: Tensor,
}

impl Gradients {
    /// Those of consecutive adapters as those of all.
    ///
    /// ```
    /// use metricopt_sdk::{Gradients, tch::Tensor};
    ///
    /// let part = |loss: f64, slope: f32| Gradients {
    ///     losses: vec![loss],
    ///     gradients: Tensor::from_slice2(&[[slope, 0.0]]),
    /// };
    /// let all = Gradients::join(vec![part(0.5, 1.0), part(0.25, 2.0)])?;
    /// assert_eq!(all.losses, [0.5, 0.25]);
    /// assert_eq!(all.gradients.size(), [2, 2]);
    /// # Ok::<(), metricopt_sdk::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// Those of libtorch; without any part.
    pub fn join(parts: Vec<Self>) -> Result<Self> {
        let (losses, gradients): (Vec<_>, Vec<_>) = parts
            .into_iter()
            .map(|part| (part.losses, part.gradients))
            .unzip();
        Ok(Self {
            losses: losses.concat(),
            gradients: Tensor::f_cat(&gradients, 0)?,
        })
    }
}

/// Value and gradient of a scalar function of `phi` by autograd.
///
/// ```
/// use metricopt_sdk::{autograd, tch::{Kind, Tensor}};
///
/// let phi = Tensor::from_slice(&[1.0_f32, 2.0]);
/// let (value, gradient) = autograd(&phi, |phi| Ok(phi.square().sum(Kind::Float)))?;
/// assert_eq!(value, 5.0);
/// assert_eq!(Vec::<f32>::try_from(gradient)?, [2.0, 4.0]);
/// # Ok::<(), metricopt_sdk::Error>(())
/// ```
///
/// # Errors
///
/// Those of the function, or if its value is not finite or does not depend on `phi`.
pub fn autograd(
    phi: &Tensor,
    function: impl FnOnce(&Tensor) -> Result<Tensor>,
) -> Result<(f64, Tensor)> {
    let leaf = phi.f_detach_copy()?.f_set_requires_grad(true)?;
    let loss = tch::with_grad(|| function(&leaf))?;
    let value = f64::try_from(&loss.f_to_kind(Kind::Double)?)?;
    check(value)?;
    Ok((value, slope(&loss, &leaf)?))
}

/// The same at adapters `[P, D]` side by side, in one pass and one way back: `function` tells a value for each, `[P]`, which no
/// other row of the adapters has a part in.
///
/// ```
/// use metricopt_sdk::{autograd_each, tch::{Kind, Tensor}};
///
/// let phis = Tensor::from_slice2(&[[1.0_f32, 2.0], [0.0, -3.0]]);
/// let found = autograd_each(&phis, |phis| {
///     Ok(phis.square().sum_dim_intlist(1, false, Kind::Float))
/// })?;
/// assert_eq!(found.losses, [5.0, 9.0]);
/// let flat = found.gradients.reshape([-1]);
/// assert_eq!(Vec::<f32>::try_from(flat)?, [2.0, 4.0, 0.0, -6.0]);
/// # Ok::<(), metricopt_sdk::Error>(())
/// ```
///
/// # Errors
///
/// Those of [`autograd`], or if there is not one value a row.
pub fn autograd_each(
    phis: &Tensor,
    function: impl FnOnce(&Tensor) -> Result<Tensor>,
) -> Result<Gradients> {
    let leaf = phis.f_detach_copy()?.f_set_requires_grad(true)?;
    let losses = tch::with_grad(|| function(&leaf))?;
    let (rows, values) = (phis.size(), losses.size());
    if values.len() != 1 || rows.first() != values.first() {
        return Err(Error::failed(format!(
            "values of shape {values:?} came back for adapters of shape {rows:?}"
        )));
    }
    let values = Vec::<f64>::try_from(losses.f_to_kind(Kind::Double)?)?;
    values.iter().try_for_each(|&value| check(value))?;
    // No row has a part in the value of another: the slope of the sum is that of each.
    let sum = tch::with_grad(|| losses.f_sum(Kind::Float))?;
    Ok(Gradients {
        losses: values,
        gradients: slope(&sum, &leaf)?,
    })
}

fn check(value: f64) -> Result<()> {
    if value.is_finite() {
        return Ok(());
    }
    Err(Error::failed(format!("the surrogate loss is {value}")))
}

fn slope(value: &Tensor, leaf: &Tensor) -> Result<Tensor> {
    let slope = Tensor::f_run_backward(&[value], &[leaf], false, false)?.pop();
    slope.ok_or_else(|| Error::failed("the surrogate loss does not depend on `phi`"))
}
