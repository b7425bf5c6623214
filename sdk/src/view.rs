//! Borrowed, named tensors: the only shape in which data crosses between host and plugin.

use crate::{Error, Result};

/// The numbers of a [`View`], row-major and contiguous.
///
/// ```
/// use metricopt_sdk::Data;
///
/// let data = Data::I64(&[1, 2, 3]);
/// assert_eq!((data.len(), data.is_empty(), data.dtype()), (3, false, "I64"));
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum Data<'a> {
    /// 32-bit floating point.
    F32(&'a [f32]),
    /// 64-bit floating point.
    F64(&'a [f64]),
    /// 64-bit signed integers.
    I64(&'a [i64]),
    /// Bytes.
    U8(&'a [u8]),
}

impl Data<'_> {
    /// Number of elements.
    pub fn len(&self) -> usize {
        match self {
            Data::F32(values) => values.len(),
            Data::F64(values) => values.len(),
            Data::I64(values) => values.len(),
            Data::U8(values) => values.len(),
        }
    }

    /// Whether there is no element.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Name of the element type, as in `safetensors` files: `F32`, `F64`, `I64` or `U8`.
    pub fn dtype(&self) -> &'static str {
        match self {
            Data::F32(_) => "F32",
            Data::F64(_) => "F64",
            Data::I64(_) => "I64",
            Data::U8(_) => "U8",
        }
    }
}

/// A read-only tensor with a name and a shape, borrowed for the duration of a call.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct View<'a> {
    name: &'a str,
    shape: &'a [usize],
    data: Data<'a>,
}

impl<'a> View<'a> {
    /// A view of `data` as a tensor of the given shape.
    ///
    /// # Errors
    ///
    /// If the shape does not hold exactly as many elements as `data`.
    ///
    /// ```
    /// use metricopt_sdk::{Data, View};
    ///
    /// let view = View::new("scores", &[2, 2], Data::F32(&[0.1, 0.9, 0.8, 0.2]))?;
    /// assert_eq!(view.shape(), [2, 2]);
    /// assert!(View::new("scores", &[3], Data::F32(&[0.5])).is_err());
    /// # Ok::<(), metricopt_sdk::Error>(())
    /// ```
    pub fn new(name: &'a str, shape: &'a [usize], data: Data<'a>) -> Result<Self> {
        let elements = shape
            .iter()
            .try_fold(1_usize, |product, &extent| product.checked_mul(extent));
        if elements != Some(data.len()) {
            return Err(Error::data(format!(
                "tensor `{name}` has {} elements, which do not fill the shape {shape:?}",
                data.len()
            )));
        }
        Ok(Self { name, shape, data })
    }

    /// The name.
    pub fn name(&self) -> &'a str {
        self.name
    }

    /// The shape, outermost dimension first.
    pub fn shape(&self) -> &'a [usize] {
        self.shape
    }

    /// The elements.
    pub fn data(&self) -> Data<'a> {
        self.data
    }

    /// The elements as `f32`.
    ///
    /// # Errors
    ///
    /// If the tensor has another element type.
    pub fn f32(&self) -> Result<&'a [f32]> {
        match self.data {
            Data::F32(values) => Ok(values),
            _ => Err(self.wrong_dtype("F32")),
        }
    }

    /// The elements as `i64`.
    ///
    /// # Errors
    ///
    /// If the tensor has another element type.
    pub fn i64(&self) -> Result<&'a [i64]> {
        match self.data {
            Data::I64(values) => Ok(values),
            _ => Err(self.wrong_dtype("I64")),
        }
    }

    /// The elements as `u8`.
    ///
    /// # Errors
    ///
    /// If the tensor has another element type.
    pub fn u8(&self) -> Result<&'a [u8]> {
        match self.data {
            Data::U8(values) => Ok(values),
            _ => Err(self.wrong_dtype("U8")),
        }
    }

    fn wrong_dtype(&self, expected: &str) -> Error {
        Error::data(format!(
            "tensor `{}` has dtype {}, expected {expected}",
            self.name,
            self.data.dtype()
        ))
    }
}

/// The named tensors of one prediction.
///
/// ```
/// use metricopt_sdk::{Data, View, Views};
///
/// let tensors = [
///     View::new("scores", &[3], Data::F32(&[0.1, 0.8, 0.4]))?,
///     View::new("labels", &[3], Data::I64(&[0, 1, 1]))?,
/// ];
/// let views = Views::new(&tensors);
/// assert_eq!(views.get("labels")?.i64()?, [0, 1, 1]);
/// assert_eq!(
///     views.get("label").unwrap_err().to_string(),
///     "tensor `label` is missing; there are `scores`, `labels`"
/// );
/// # Ok::<(), metricopt_sdk::Error>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Views<'a> {
    tensors: &'a [View<'a>],
}

impl<'a> Views<'a> {
    /// The given tensors, looked up by name.
    pub fn new(tensors: &'a [View<'a>]) -> Self {
        Self { tensors }
    }

    /// The tensors, in the order given.
    pub fn tensors(&self) -> &'a [View<'a>] {
        self.tensors
    }

    /// The tensor of that name, if there is one.
    pub fn find(&self, name: &str) -> Option<&'a View<'a>> {
        self.tensors.iter().find(|view| view.name == name)
    }

    /// The tensor of that name.
    ///
    /// # Errors
    ///
    /// If there is none; the message lists what there is.
    pub fn get(&self, name: &str) -> Result<&'a View<'a>> {
        self.find(name).ok_or_else(|| {
            let names: Vec<_> = self
                .tensors
                .iter()
                .map(|view| format!("`{}`", view.name))
                .collect();
            Error::data(format!(
                "tensor `{name}` is missing; there are {}",
                if names.is_empty() {
                    "none".to_owned()
                } else {
                    names.join(", ")
                }
            ))
        })
    }
}
