//! Tensors that are owned: copied out of a file or out of what a task emitted.

use metricopt_sdk::{Data, Error, Result, View};
use safetensors::Dtype;

/// What the order of summation may change in a score, which depends on how many rows are predicted together.
const ROUNDING: f64 = 1e-5;

/// A tensor with a name and a shape.
#[derive(Clone, Debug, PartialEq)]
pub struct OwnedTensor {
    /// The name.
    pub name: String,
    /// The shape, outermost dimension first.
    pub shape: Vec<usize>,
    /// The numbers, row-major.
    pub numbers: Numbers,
}

impl OwnedTensor {
    /// A copy of a view.
    ///
    /// # Errors
    ///
    /// If it has a type of number that this host does not know.
    pub fn copy(view: &View<'_>) -> Result<Self> {
        let numbers = Numbers::copy(view.data()).ok_or_else(|| {
            let (name, dtype) = (view.name(), view.data().dtype());
            Error::unsupported(format!("tensor `{name}` has dtype {dtype}"))
        })?;
        Ok(Self {
            name: view.name().to_owned(),
            shape: view.shape().to_vec(),
            numbers,
        })
    }

    /// A view of it.
    ///
    /// # Errors
    ///
    /// If the shape does not fit the numbers.
    pub fn view(&self) -> Result<View<'_>> {
        View::new(&self.name, &self.shape, self.numbers.data())
    }

    /// Whether it is bit for bit what a view shows.
    pub fn is(&self, view: &View<'_>) -> bool {
        self.name == view.name() && self.shape == view.shape() && self.numbers.same(view.data())
    }

    /// Whether another tensor is the same but for rounding of its floating-point numbers.
    pub fn is_close(&self, other: &Self) -> bool {
        (&self.name, &self.shape) == (&other.name, &other.shape)
            && self.numbers.is_close(&other.numbers)
    }

    /// Rows `from..to` along the first axis; none if there are not so many.
    pub fn rows(&self, from: usize, to: usize) -> Option<Self> {
        let (&count, rest) = self.shape.split_first()?;
        if from > to || to > count {
            return None;
        }
        let width: usize = rest.iter().product();
        let shape = std::iter::once(to - from).chain(rest.iter().copied());
        Some(Self {
            name: self.name.clone(),
            shape: shape.collect(),
            numbers: self.numbers.part(from * width, to * width)?,
        })
    }

    /// Puts another tensor of the same name below this one, along the first axis; whether they fit.
    pub fn append(&mut self, other: &Self) -> bool {
        let (Some((rows, rest)), Some((more, others))) =
            (self.shape.split_first_mut(), other.shape.split_first())
        else {
            return false;
        };
        if self.name != other.name || rest != others || !self.numbers.append(&other.numbers) {
            return false;
        }
        *rows += more;
        true
    }
}

/// The numbers of a tensor.
#[derive(Clone, Debug, PartialEq)]
pub enum Numbers {
    /// 32-bit floating point.
    F32(Vec<f32>),
    /// 64-bit floating point.
    F64(Vec<f64>),
    /// 64-bit signed integers.
    I64(Vec<i64>),
    /// Bytes.
    U8(Vec<u8>),
}

impl Numbers {
    /// Numbers in a file, whose bytes need not be aligned; none of a type that metrics do not take.
    pub fn read(dtype: Dtype, bytes: &[u8]) -> Option<Self> {
        Some(match dtype {
            Dtype::F32 => Self::F32(
                bytes
                    .as_chunks()
                    .0
                    .iter()
                    .map(|b| f32::from_le_bytes(*b))
                    .collect(),
            ),
            Dtype::F64 => Self::F64(
                bytes
                    .as_chunks()
                    .0
                    .iter()
                    .map(|b| f64::from_le_bytes(*b))
                    .collect(),
            ),
            Dtype::I64 => Self::I64(
                bytes
                    .as_chunks()
                    .0
                    .iter()
                    .map(|b| i64::from_le_bytes(*b))
                    .collect(),
            ),
            Dtype::U8 => Self::U8(bytes.to_vec()),
            _ => return None,
        })
    }

    fn copy(data: Data<'_>) -> Option<Self> {
        Some(match data {
            Data::F32(values) => Self::F32(values.to_vec()),
            Data::F64(values) => Self::F64(values.to_vec()),
            Data::I64(values) => Self::I64(values.to_vec()),
            Data::U8(values) => Self::U8(values.to_vec()),
            _ => return None,
        })
    }

    /// Borrowed, for a view.
    pub fn data(&self) -> Data<'_> {
        match self {
            Self::F32(values) => Data::F32(values),
            Self::F64(values) => Data::F64(values),
            Self::I64(values) => Data::I64(values),
            Self::U8(values) => Data::U8(values),
        }
    }

    /// Their type and their bytes as in a file: little-endian.
    pub fn to_bytes(&self) -> (Dtype, Vec<u8>) {
        match self {
            Self::F32(values) => (
                Dtype::F32,
                values.iter().flat_map(|x| x.to_le_bytes()).collect(),
            ),
            Self::F64(values) => (
                Dtype::F64,
                values.iter().flat_map(|x| x.to_le_bytes()).collect(),
            ),
            Self::I64(values) => (
                Dtype::I64,
                values.iter().flat_map(|x| x.to_le_bytes()).collect(),
            ),
            Self::U8(values) => (Dtype::U8, values.clone()),
        }
    }

    /// How many bytes they take.
    pub fn bytes(&self) -> usize {
        let width = match self {
            Self::F32(_) => 4,
            Self::F64(_) | Self::I64(_) => 8,
            Self::U8(_) => 1,
        };
        width * self.data().len()
    }

    /// Whether they are the same bits.
    fn same(&self, data: Data<'_>) -> bool {
        match (self, data) {
            (Self::F32(a), Data::F32(b)) => {
                a.len() == b.len() && a.iter().zip(b).all(|(a, b)| a.to_bits() == b.to_bits())
            }
            (Self::F64(a), Data::F64(b)) => {
                a.len() == b.len() && a.iter().zip(b).all(|(a, b)| a.to_bits() == b.to_bits())
            }
            (Self::I64(a), Data::I64(b)) => a == b,
            (Self::U8(a), Data::U8(b)) => a == b,
            _ => false,
        }
    }

    fn is_close(&self, other: &Self) -> bool {
        let close = |a: f64, b: f64| a == b || (a - b).abs() <= ROUNDING * a.abs().max(1.0);
        match (self, other) {
            (Self::F32(a), Self::F32(b)) => {
                a.len() == b.len() && a.iter().zip(b).all(|(&a, &b)| close(a.into(), b.into()))
            }
            (Self::F64(a), Self::F64(b)) => {
                a.len() == b.len() && a.iter().zip(b).all(|(&a, &b)| close(a, b))
            }
            _ => self == other,
        }
    }

    fn part(&self, from: usize, to: usize) -> Option<Self> {
        Some(match self {
            Self::F32(values) => Self::F32(values.get(from..to)?.to_vec()),
            Self::F64(values) => Self::F64(values.get(from..to)?.to_vec()),
            Self::I64(values) => Self::I64(values.get(from..to)?.to_vec()),
            Self::U8(values) => Self::U8(values.get(from..to)?.to_vec()),
        })
    }

    fn append(&mut self, other: &Self) -> bool {
        match (self, other) {
            (Self::F32(a), Self::F32(b)) => a.extend(b),
            (Self::F64(a), Self::F64(b)) => a.extend(b),
            (Self::I64(a), Self::I64(b)) => a.extend(b),
            (Self::U8(a), Self::U8(b)) => a.extend(b),
            _ => return false,
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tensor(shape: &[usize], values: &[f32]) -> OwnedTensor {
        OwnedTensor {
            name: "scores".to_owned(),
            shape: shape.to_vec(),
            numbers: Numbers::F32(values.to_vec()),
        }
    }

    #[test]
    fn rows_come_apart_and_together() {
        let whole = tensor(&[3, 2], &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
        let mut top = whole.rows(0, 1).unwrap();
        assert_eq!(top, tensor(&[1, 2], &[1.0, 2.0]));
        assert!(top.append(&whole.rows(1, 3).unwrap()));
        assert_eq!(top, whole);
        assert!(whole.rows(2, 4).is_none());
        assert!(tensor(&[], &[1.0]).rows(0, 0).is_none());
        assert!(!top.append(&tensor(&[2], &[1.0, 2.0])));
    }

    #[test]
    fn closeness_is_of_values() {
        let one = tensor(&[2], &[1.0, 1000.0]);
        assert!(one.is_close(&tensor(&[2], &[1.000_001, 1000.001])));
        assert!(!one.is_close(&tensor(&[2], &[1.0, 1001.0])));
        assert!(!one.is_close(&tensor(&[1, 2], &[1.0, 1000.0])));
        let labels = |label| Numbers::I64(vec![label]);
        assert!(labels(3).is_close(&labels(3)) && !labels(3).is_close(&labels(4)));
    }

    #[test]
    fn sameness_is_of_bits() {
        let nan = tensor(&[2], &[f32::NAN, 0.0]);
        assert!(nan.is(&nan.view().unwrap()));
        assert!(!nan.is(&tensor(&[2], &[f32::NAN, -0.0]).view().unwrap()));
    }
}
