//! `host score`: one metric on a file of predictions.

use clap::Args;
use metricopt_sdk::{Call, Data, Error, ErrorKind, Result, View, Views};
use safetensors::{Dtype, SafeTensors};
use serde_json::json;
use std::path::PathBuf;
use std::time::Instant;

use super::{listen_for_interrupts, print};
use crate::interrupt;
use crate::metric_spec::MetricSpec;
use crate::registry::Registry;
use metricopt_sdk::panics;

/// Evaluate one metric on a safetensors file of predictions.
///
/// The file holds the tensors of the metric's prediction kind by name; `host describe METRIC` lists them. For
/// classification: `scores` F32 [N] (probability of the positive class) or [N, C], and `labels` I64 [N].
#[derive(Debug, Args)]
pub(super) struct Score {
    /// The metric, with options if any: NAME or NAME:key=value,key=value.
    #[arg(long, value_name = "NAME[:key=value,...]")]
    metric: String,
    /// The safetensors file.
    #[arg(long, value_name = "FILE")]
    predictions: PathBuf,
    /// Print one JSON object: metric, value, n, seconds.
    #[arg(long)]
    json: bool,
}

impl Score {
    pub(super) fn execute(&self) -> Result<()> {
        let registry = Registry::built_in()?;
        listen_for_interrupts()?;
        let (entry, metric) = MetricSpec::parse(&self.metric)?.create(&registry)?;
        let path = self.predictions.display();
        let bytes = std::fs::read(&self.predictions)
            .map_err(|error| Error::data(format!("cannot read `{path}`: {error}")))?;
        let file = SafeTensors::deserialize(&bytes).map_err(|error| {
            Error::data(format!("`{path}` is no safetensors file: {error}"))
                .hint("write it with `safetensors.numpy.save_file({\"scores\": ..., \"labels\": ...}, FILE)`")
        })?;
        let mut tensors: Vec<(&str, Vec<usize>, Buffer)> = Vec::new();
        for (name, tensor) in file.iter() {
            let buffer = Buffer::read(tensor.dtype(), tensor.data()).ok_or_else(|| {
                Error::data(format!(
                    "`{path}`: tensor `{name}` has dtype {:?}",
                    tensor.dtype()
                ))
                .hint("supported are F32, F64, I64 and U8")
            })?;
            tensors.push((name, tensor.shape().to_vec(), buffer));
        }
        tensors.sort_by_key(|(name, _, _)| *name);
        let views: Result<Vec<View<'_>>> = tensors
            .iter()
            .map(|(name, shape, buffer)| View::new(name, shape, buffer.data()))
            .collect();
        let views = views.map_err(|error| error.context(format!("`{path}`")))?;
        let call = Call {
            threads: std::thread::available_parallelism().map_or(1, usize::from),
            cancelled: &interrupt::requested,
        };
        let started = Instant::now();
        let value =
            panics::guard(|| metric.evaluate(&Views::new(&views), &call)).map_err(|error| {
                let error = error.context(format!("metric `{}` on `{path}`", entry.name));
                match error.kind() {
                    // The predictions have no part in it.
                    ErrorKind::Failed | ErrorKind::Cancelled => error,
                    _ => error.hint(format!("it takes {}: {}", entry.kind, entry.kind.tensors())),
                }
            })?;
        let seconds = started.elapsed().as_secs_f64();
        if !self.json {
            return print(&format!("{} {value}", entry.name));
        }
        let n = tensors
            .iter()
            .find(|(name, _, _)| *name == "labels")
            .or(tensors.first())
            .and_then(|(_, shape, _)| shape.first().copied())
            .unwrap_or(0);
        print(
            &json!({ "metric": entry.name, "value": value, "n": n, "seconds": seconds })
                .to_string(),
        )
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
