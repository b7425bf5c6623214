//! What both sides compute on, as files for the peers.

use anyhow::{Context, Result};
use safetensors::tensor::{Dtype, TensorView};
use std::path::Path;

use crate::{detection, ranking, retrieval, tabular};

/// A tensor to be written.
pub(crate) struct Array {
    name: String,
    kind: Dtype,
    shape: Vec<usize>,
    bytes: Vec<u8>,
}

impl Array {
    pub(crate) fn f32(name: impl Into<String>, shape: &[usize], values: &[f32]) -> Self {
        let bytes = values.iter().flat_map(|value| value.to_le_bytes());
        Self::new(name.into(), Dtype::F32, shape, bytes.collect())
    }

    pub(crate) fn i64(name: impl Into<String>, values: &[i64]) -> Self {
        let bytes = values.iter().flat_map(|value| value.to_le_bytes());
        Self::new(name.into(), Dtype::I64, &[values.len()], bytes.collect())
    }

    pub(crate) fn u8(name: impl Into<String>, values: &[u8]) -> Self {
        Self::new(name.into(), Dtype::U8, &[values.len()], values.to_vec())
    }

    fn new(name: String, kind: Dtype, shape: &[usize], bytes: Vec<u8>) -> Self {
        Self {
            name,
            kind,
            shape: shape.to_vec(),
            bytes,
        }
    }
}

/// Writes the inputs of all peers into a folder.
pub(crate) fn write(folder: &Path) -> Result<()> {
    for (name, arrays) in [
        ("ranking", ranking::arrays()),
        ("retrieval", retrieval::arrays()),
        ("detection", detection::arrays()),
        ("tabular", tabular::arrays()?),
    ] {
        let views: Result<Vec<_>, _> = arrays
            .iter()
            .map(|array| {
                TensorView::new(array.kind, array.shape.clone(), &array.bytes)
                    .map(|view| (&array.name, view))
            })
            .collect();
        let file = safetensors::serialize(views?, None)?;
        let path = folder.join(format!("{name}.safetensors"));
        std::fs::write(&path, file)
            .with_context(|| format!("cannot write `{}`", path.display()))?;
    }
    Ok(())
}

/// Numbers in no order, always the same (Knuth's MMIX generator).
pub(crate) struct Uniform(pub(crate) u64);

impl Uniform {
    /// From 0 to below 1.
    pub(crate) fn next(&mut self) -> f32 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 40) as f32 / (1 << 24) as f32
    }

    pub(crate) fn below(&mut self, n: u64) -> u64 {
        (self.next() * n as f32) as u64 % n
    }
}
