//! Weights of a network as a safetensors file that PyTorch loads.

use metricopt_sdk::{Data, Error, NamedTensor, Result};
use serde_json::{Map, Value, json};

/// A safetensors file of the tensors. Its metadata are `format`, which is `pt` as loaders for PyTorch expect, and
/// `metricopt`, the given JSON as text.
///
/// Written here, since the library keeps metadata in a hash map: with two entries its bytes would differ from time to
/// time.
///
/// # Errors
///
/// If a tensor has a type that the format cannot hold.
pub fn weights_file(tensors: &[NamedTensor], provenance: &Value) -> Result<Vec<u8>> {
    let mut entries = Vec::with_capacity(tensors.len());
    for tensor in tensors {
        entries.push(tensor.view(|view| {
            let (bytes, size): (Vec<u8>, usize) = match view.data() {
                Data::F32(values) => (values.iter().flat_map(|v| v.to_le_bytes()).collect(), 4),
                Data::F64(values) => (values.iter().flat_map(|v| v.to_le_bytes()).collect(), 8),
                Data::I64(values) => (values.iter().flat_map(|v| v.to_le_bytes()).collect(), 8),
                Data::U8(values) => (values.to_vec(), 1),
                _ => {
                    return Err(Error::unsupported(format!(
                        "tensor `{}` is of a type that cannot be written",
                        view.name()
                    )));
                }
            };
            let about = json!({ "dtype": view.data().dtype(), "shape": view.shape() });
            Ok((size, view.name().to_owned(), about, bytes))
        })?);
    }
    // The widest numbers first, so that each begins at a multiple of its size.
    entries.sort_by(|a, b| b.0.cmp(&a.0).then_with(|| a.1.cmp(&b.1)));
    let mut header = Map::new();
    header.insert(
        "__metadata__".to_owned(),
        json!({ "format": "pt", "metricopt": provenance.to_string() }),
    );
    let mut data = Vec::new();
    for (_, name, mut about, bytes) in entries {
        about["data_offsets"] = json!([data.len(), data.len() + bytes.len()]);
        header.insert(name, about);
        data.extend(bytes);
    }
    let mut header = Value::Object(header).to_string().into_bytes();
    header.resize(header.len().next_multiple_of(8), b' ');
    let mut file = (header.len() as u64).to_le_bytes().to_vec();
    file.extend(header);
    file.extend(data);
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;
    use metricopt_sdk::tch::Tensor;
    use safetensors::SafeTensors;

    #[test]
    fn the_library_reads_it_back() {
        let tensors = [
            NamedTensor::new("b", Tensor::from_slice(&[7_u8, 8, 9])),
            NamedTensor::new("a", Tensor::from_slice(&[1.5_f32, -2.0]).view([1, 2])),
            NamedTensor::new("count", Tensor::from_slice(&[5_i64]).view([])),
        ];
        let file = weights_file(&tensors, &json!({ "task": "a \"b\"" })).unwrap();
        let read = SafeTensors::deserialize(&file).unwrap();
        let shape = |name| read.tensor(name).unwrap().shape().to_vec();
        assert_eq!(
            [shape("a"), shape("b"), shape("count")],
            [vec![1, 2], vec![3], vec![]]
        );
        assert_eq!(read.tensor("b").unwrap().data(), [7, 8, 9]);
        assert_eq!(read.tensor("count").unwrap().data(), 5_i64.to_le_bytes());
        let values: Vec<u8> = [1.5_f32, -2.0]
            .into_iter()
            .flat_map(f32::to_le_bytes)
            .collect();
        assert_eq!(read.tensor("a").unwrap().data(), values);
        let (_, metadata) = SafeTensors::read_metadata(&file).unwrap();
        let metadata = metadata.metadata().as_ref().unwrap();
        assert_eq!(metadata["format"], "pt");
        assert_eq!(metadata["metricopt"], r#"{"task":"a \"b\""}"#);
    }
}
