//! Predictions in a safetensors file.

use metricopt_sdk::{Call, DynMetric, Error, ErrorKind, MetricEntry, Result, View, Views, panics};
use safetensors::SafeTensors;
use std::path::{Path, PathBuf};

use crate::numbers::{Numbers, OwnedTensor};

/// The tensors of a file, by name.
pub struct PredictionsFile {
    path: PathBuf,
    tensors: Vec<OwnedTensor>,
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
            let numbers = Numbers::read(tensor.dtype(), tensor.data()).ok_or_else(|| {
                Error::data(format!(
                    "`{path}`: tensor `{name}` has dtype {:?}",
                    tensor.dtype()
                ))
                .hint("supported are F32, F64, I64 and U8")
            })?;
            tensors.push(OwnedTensor {
                name: name.to_owned(),
                shape: tensor.shape().to_vec(),
                numbers,
            });
        }
        tensors.sort_by(|a, b| a.name.cmp(&b.name));
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
        let views: Result<Vec<View<'_>>> = self.tensors.iter().map(OwnedTensor::view).collect();
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
            .find(|tensor| tensor.name == "labels")
            .or(self.tensors.first())
            .and_then(|tensor| tensor.shape.first().copied())
            .unwrap_or(0)
    }
}
