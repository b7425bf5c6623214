//! Predictions in a safetensors file.

use metricopt_sdk::{
    Call, Data, DynMetric, Error, ErrorKind, MetricEntry, Result, View, Views, panics,
};
use safetensors::{Dtype, SafeTensors};
use std::path::{Path, PathBuf};

/// The tensors of a file, by name.
pub struct PredictionsFile {
    path: PathBuf,
    tensors: Vec<(String, Vec<usize>, Buffer)>,
}

impl PredictionsFile {
    /// Reads a file.
    ///
    /// # Errors
    ///
    /// If it cannot be read, is no safetensors file or holds a tensor of a type that metrics do not take.
    pub fn read(file: &Path) -> Result<Self> {
        let path = file.display();
        let bytes = std::fs::read(file)
            .map_err(|error| Error::data(format!("cannot read `{path}`: {error}")))?;
        let contents = SafeTensors::deserialize(&bytes).map_err(|error| {
            Error::data(format!("`{path}` is no safetensors file: {error}"))
                .hint("write it with `safetensors.numpy.save_file({\"scores\": ..., \"labels\": ...}, FILE)`")
        })?;
        let mut tensors = Vec::new();
        for (name, tensor) in contents.iter() {
            let buffer = Buffer::read(tensor.dtype(), tensor.data()).ok_or_else(|| {
                Error::data(format!(
                    "`{path}`: tensor `{name}` has dtype {:?}",
                    tensor.dtype()
                ))
                .hint("supported are F32, F64, I64 and U8")
            })?;
            tensors.push((name.to_owned(), tensor.shape().to_vec(), buffer));
        }
        tensors.sort_by(|(a, _, _), (b, _, _)| a.cmp(b));
        Ok(Self {
            path: file.to_owned(),
            tensors,
        })
    }

    /// Calls `call` with the named tensors.
    ///
    /// # Errors
    ///
    /// Those of `call`, or if the shape of a tensor does not fit its data.
    pub fn with_views<T>(&self, call: impl FnOnce(&Views<'_>) -> Result<T>) -> Result<T> {
        let views: Result<Vec<View<'_>>> = self
            .tensors
            .iter()
            .map(|(name, shape, buffer)| View::new(name, shape, buffer.data()))
            .collect();
        let views = views.map_err(|error| error.context(format!("`{}`", self.path.display())))?;
        call(&Views::new(&views))
    }

    /// The value of a metric; `label` is what it is called in messages, as in "metric `f1`".
    ///
    /// # Errors
    ///
    /// If the tensors do not fit the metric, or it has no value on them; the message names the file.
    pub fn evaluate(
        &self,
        label: &str,
        entry: &MetricEntry,
        metric: &dyn DynMetric,
        call: &Call<'_>,
    ) -> Result<f64> {
        self.with_views(|views| {
            panics::guard(|| metric.evaluate(views, call)).map_err(|error| {
                let error = error.context(format!("{label} on `{}`", self.path.display()));
                match error.kind() {
                    // The predictions have no part in it.
                    ErrorKind::Failed | ErrorKind::Cancelled => error,
                    _ => error.hint(format!("it takes {}: {}", entry.kind, entry.kind.tensors())),
                }
            })
        })
    }

    /// Number of rows: of `labels`, or of the first tensor where there are none.
    pub fn rows(&self) -> usize {
        self.tensors
            .iter()
            .find(|(name, _, _)| name == "labels")
            .or(self.tensors.first())
            .and_then(|(_, shape, _)| shape.first().copied())
            .unwrap_or(0)
    }
}

/// The numbers of a tensor, copied out of the file, whose bytes need not be aligned.
enum Buffer {
    F32(Vec<f32>),
    F64(Vec<f64>),
    I64(Vec<i64>),
    U8(Vec<u8>),
}

impl Buffer {
    fn read(dtype: Dtype, bytes: &[u8]) -> Option<Self> {
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

    fn data(&self) -> Data<'_> {
        match self {
            Self::F32(values) => Data::F32(values),
            Self::F64(values) => Data::F64(values),
            Self::I64(values) => Data::I64(values),
            Self::U8(values) => Data::U8(values),
        }
    }
}
