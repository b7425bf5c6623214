//! Protocol 1: what the program reads, a frame for every query.

use metricopt_sdk::{Data, Error, Result, Views};
use serde_json::{Map, Value, json};
use std::borrow::Cow;
use std::io::IoSlice;

/// One query on its way to the program: the length, then a safetensors file. The numbers stay where they are.
pub(super) struct Frame<'a> {
    /// The length of the file, and all of the file before the numbers.
    head: Vec<u8>,
    /// The numbers of each tensor, those of wide elements first: all are aligned.
    tensors: Vec<Cow<'a, [u8]>>,
}

impl<'a> Frame<'a> {
    /// The frame of these tensors.
    ///
    /// # Errors
    ///
    /// If a tensor has elements that the format does not know.
    pub(super) fn new(views: &Views<'a>) -> Result<Self> {
        let mut tensors = Vec::with_capacity(views.tensors().len());
        for view in views.tensors() {
            let data = view.data();
            let bytes = bytes(data).ok_or_else(|| {
                Error::unsupported(format!(
                    "tensor `{}` has dtype {}, which a program cannot be sent",
                    view.name(),
                    data.dtype()
                ))
            })?;
            tensors.push((view, bytes));
        }
        let width = |data: Data<'_>, bytes: &[u8]| bytes.len().checked_div(data.len()).unwrap_or(0);
        tensors.sort_by_key(|(view, bytes)| std::cmp::Reverse(width(view.data(), bytes)));
        let mut header = Map::new();
        let mut offset = 0;
        for (view, bytes) in &tensors {
            let end = offset + bytes.len();
            header.insert(
                view.name().to_owned(),
                json!({ "dtype": view.data().dtype(), "shape": view.shape(), "data_offsets": [offset, end] }),
            );
            offset = end;
        }
        let mut header = Value::Object(header).to_string();
        // The format pads with blanks.
        while !header.len().is_multiple_of(8) {
            header.push(' ');
        }
        let length = 8 + header.len() + offset;
        let mut head = Vec::with_capacity(16 + header.len());
        head.extend((length as u64).to_le_bytes());
        head.extend((header.len() as u64).to_le_bytes());
        head.extend(header.into_bytes());
        Ok(Self {
            head,
            tensors: tensors.into_iter().map(|(_, bytes)| bytes).collect(),
        })
    }

    /// All bytes, in order.
    pub(super) fn slices(&self) -> Vec<IoSlice<'_>> {
        std::iter::once(self.head.as_slice())
            .chain(self.tensors.iter().map(AsRef::as_ref))
            .filter(|bytes| !bytes.is_empty())
            .map(IoSlice::new)
            .collect()
    }
}

/// The elements, little-endian: where the machine is, they are not copied.
fn bytes(data: Data<'_>) -> Option<Cow<'_, [u8]>> {
    macro_rules! little_endian {
        ($values:expr) => {
            if cfg!(target_endian = "little") {
                Cow::Borrowed(bytemuck::cast_slice($values))
            } else {
                Cow::Owned(
                    $values
                        .iter()
                        .flat_map(|value| value.to_le_bytes())
                        .collect(),
                )
            }
        };
    }
    Some(match data {
        Data::F32(values) => little_endian!(values),
        Data::F64(values) => little_endian!(values),
        Data::I64(values) => little_endian!(values),
        Data::U8(values) => Cow::Borrowed(values),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use metricopt_sdk::View;
    use proptest::prelude::*;
    use safetensors::SafeTensors;

    /// A tensor with a shape to own.
    #[derive(Clone, Debug)]
    enum Numbers {
        F32(Vec<f32>),
        F64(Vec<f64>),
        I64(Vec<i64>),
        U8(Vec<u8>),
    }

    fn numbers() -> impl Strategy<Value = Numbers> {
        use proptest::collection::vec;
        prop_oneof![
            vec(any::<f32>(), 0..40).prop_map(Numbers::F32),
            vec(any::<f64>(), 0..40).prop_map(Numbers::F64),
            vec(any::<i64>(), 0..40).prop_map(Numbers::I64),
            vec(any::<u8>(), 0..40).prop_map(Numbers::U8),
        ]
    }

    impl Numbers {
        fn data(&self) -> Data<'_> {
            match self {
                Self::F32(values) => Data::F32(values),
                Self::F64(values) => Data::F64(values),
                Self::I64(values) => Data::I64(values),
                Self::U8(values) => Data::U8(values),
            }
        }

        fn little_endian(&self) -> Vec<u8> {
            match self {
                Self::F32(values) => values
                    .iter()
                    .flat_map(|value| value.to_le_bytes())
                    .collect(),
                Self::F64(values) => values
                    .iter()
                    .flat_map(|value| value.to_le_bytes())
                    .collect(),
                Self::I64(values) => values
                    .iter()
                    .flat_map(|value| value.to_le_bytes())
                    .collect(),
                Self::U8(values) => values.clone(),
            }
        }
    }

    proptest! {
        /// What is sent is a file of the format, holds what was given, and is as long as it says.
        #[test]
        fn a_frame_is_its_length_and_a_safetensors_file(
            tensors in proptest::collection::btree_map(r#"[a-z_"\\é]{1,8}"#, numbers(), 0..5)
        ) {
            let shapes: Vec<[usize; 2]> = tensors.values().map(|numbers| [1, numbers.data().len()]).collect();
            let views: Vec<View<'_>> = tensors
                .iter()
                .zip(&shapes)
                .map(|((name, numbers), shape)| View::new(name, shape, numbers.data()).unwrap())
                .collect();
            let frame = Frame::new(&Views::new(&views)).unwrap();
            let sent: Vec<u8> = frame.slices().iter().flat_map(|slice| slice.to_vec()).collect();
            let (length, file) = sent.split_at(8);
            prop_assert_eq!(u64::from_le_bytes(length.try_into().unwrap()), file.len() as u64);
            let header = u64::from_le_bytes(file[..8].try_into().unwrap());
            prop_assert_eq!(header % 8, 0);
            let read = SafeTensors::deserialize(file).unwrap();
            prop_assert_eq!(read.len(), tensors.len());
            for ((name, numbers), shape) in tensors.iter().zip(&shapes) {
                let tensor = read.tensor(name).unwrap();
                prop_assert_eq!(format!("{:?}", tensor.dtype()), numbers.data().dtype());
                prop_assert_eq!(tensor.shape(), shape);
                prop_assert_eq!(tensor.data(), numbers.little_endian());
            }
        }
    }
}
