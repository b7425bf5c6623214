//! Tensors with names that belong to nobody's call: the weights of a network on their way into a file.

use tch::{Device, Kind as Dtype, Tensor};

use crate::{Data, Error, Result, View};

/// A tensor of a network, under the name that the file of its weights has for it.
///
/// ```
/// use metricopt_sdk::{Data, NamedTensor, tch::Tensor};
///
/// let bias = NamedTensor::new("layers.0.bias", Tensor::from_slice(&[0.5_f32, 1.0]));
/// bias.view(|view| {
///     assert_eq!((view.name(), view.shape()), ("layers.0.bias", [2].as_slice()));
///     assert_eq!(view.data(), Data::F32(&[0.5, 1.0]));
///     Ok(())
/// })?;
/// # Ok::<(), metricopt_sdk::Error>(())
/// ```
#[derive(Debug)]
pub struct NamedTensor {
    /// The name, such as `layers.0.weight`.
    pub name: String,
    /// Its values, on any device and in any layout: f32, f64, i64 or u8.
    pub tensor: Tensor,
}

impl NamedTensor {
    /// A tensor with its name.
    pub fn new(name: impl Into<String>, tensor: Tensor) -> Self {
        Self {
            name: name.into(),
            tensor,
        }
    }

    /// A copy of borrowed values, on the CPU.
    ///
    /// # Errors
    ///
    /// Those of libtorch.
    pub fn copy_of(view: &View<'_>) -> Result<Self> {
        let shape: Vec<i64> = view.shape().iter().map(|&extent| extent as i64).collect();
        let flat = match view.data() {
            Data::F32(values) => Tensor::f_from_slice(values),
            Data::F64(values) => Tensor::f_from_slice(values),
            Data::I64(values) => Tensor::f_from_slice(values),
            Data::U8(values) => Tensor::f_from_slice(values),
        };
        Ok(Self::new(view.name(), flat?.f_view(shape.as_slice())?))
    }

    /// Borrows the values in the memory of the CPU, row-major, for the duration of `call`.
    ///
    /// # Errors
    ///
    /// Those of libtorch and of `call`, or that the values are of another type than f32, f64, i64 and u8.
    pub fn view<T>(&self, call: impl FnOnce(View<'_>) -> Result<T>) -> Result<T> {
        let shape: Vec<usize> = self
            .tensor
            .size()
            .iter()
            .map(|&extent| extent as usize)
            .collect();
        let flat = self
            .tensor
            .f_detach()?
            .f_to_device(Device::Cpu)?
            .f_reshape([-1])?;
        let with = |data: Data<'_>| call(View::new(&self.name, &shape, data)?);
        match flat.f_kind()? {
            Dtype::Float => with(Data::F32(&Vec::try_from(flat)?)),
            Dtype::Double => with(Data::F64(&Vec::try_from(flat)?)),
            Dtype::Int64 => with(Data::I64(&Vec::try_from(flat)?)),
            Dtype::Uint8 => with(Data::U8(&Vec::try_from(flat)?)),
            other => Err(Error::unsupported(format!(
                "tensor `{}` is of type {other:?}, which cannot be written",
                self.name
            ))
            .hint("types that can: Float, Double, Int64, Uint8")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ErrorKind;

    #[test]
    fn a_transposed_tensor_is_seen_row_by_row() -> Result<()> {
        let tensor = Tensor::f_from_slice(&[1.0_f64, 2.0, 3.0, 4.0, 5.0, 6.0])?
            .f_view([2, 3])?
            .f_transpose(0, 1)?;
        NamedTensor::new("w", tensor).view(|view| {
            assert_eq!(view.shape(), [3, 2]);
            assert_eq!(view.data(), Data::F64(&[1.0, 4.0, 2.0, 5.0, 3.0, 6.0]));
            Ok(())
        })
    }

    #[test]
    fn every_type_is_copied_with_its_shape() -> Result<()> {
        for (shape, data) in [
            ([2, 1].as_slice(), Data::F32(&[1.0, 2.0])),
            (&[2], Data::F64(&[1.0, 2.0])),
            (&[], Data::I64(&[1 << 40])),
            (&[0, 3], Data::U8(&[])),
        ] {
            let view = View::new("w", shape, data)?;
            NamedTensor::copy_of(&view)?.view(|copy| {
                assert_eq!(copy, view);
                Ok(())
            })?;
        }
        Ok(())
    }

    #[test]
    fn a_type_without_a_view_is_named() {
        let half = NamedTensor::new("w", Tensor::from_slice(&[1.0_f32]).to_kind(Dtype::Half));
        let error = half.view(|_| Ok(())).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported);
        assert!(error.to_string().contains("`w` is of type Half"), "{error}");
    }
}
