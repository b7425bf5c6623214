//! Tensors of many adapters by name, each different one once.

use metricopt_sdk::{Error, Result};
use safetensors::{Dtype, SafeTensors};

use crate::numbers::{Numbers, OwnedTensor};

/// Bytes that a tensor takes in a file beside its numbers, about.
const OVERHEAD: usize = 128;

/// A tensor on its way into a file: name, type, shape and bytes.
pub type Entry = (String, Dtype, Vec<usize>, Vec<u8>);

/// One named tensor of many adapters on the same rows.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Column {
    pub(super) name: String,
    /// The different ones: labels are the same for all adapters and stand here once.
    pub(super) tensors: Vec<OwnedTensor>,
    /// For each adapter its place in `tensors`.
    pub(super) of: Vec<usize>,
}

/// Predictions of many adapters on the same rows.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Columns(pub(super) Vec<Column>);

impl Columns {
    /// Adds an adapter, whose tensors are sorted by name; the bytes that it takes.
    pub(super) fn push(&mut self, tensors: Vec<OwnedTensor>) -> Result<usize> {
        if self.0.is_empty() {
            let column = |tensor: &OwnedTensor| Column {
                name: tensor.name.clone(),
                tensors: Vec::new(),
                of: Vec::new(),
            };
            self.0 = tensors.iter().map(column).collect();
        }
        let names = |column: &Column, tensor: &OwnedTensor| column.name == tensor.name;
        if self.0.len() != tensors.len()
            || !self
                .0
                .iter()
                .zip(&tensors)
                .all(|(c, tensor)| names(c, tensor))
        {
            return Err(Error::unsupported(
                "the task emits other tensors for other adapters",
            ));
        }
        let mut added = 0;
        for (column, tensor) in self.0.iter_mut().zip(tensors) {
            // Equal ones are equal for all adapters, or come one after the other.
            let view = tensor.view()?;
            let last = column.tensors.len().saturating_sub(1);
            let known = [0, last]
                .into_iter()
                .find(|&at| column.tensors.get(at).is_some_and(|seen| seen.is(&view)));
            column.of.push(known.unwrap_or(column.tensors.len()));
            added += 8;
            if known.is_none() {
                added += tensor.numbers.bytes() + OVERHEAD;
                column.tensors.push(tensor);
            }
        }
        Ok(added)
    }

    /// The tensors of an adapter.
    pub(super) fn get(&self, candidate: usize) -> Option<Vec<OwnedTensor>> {
        let one = |column: &Column| column.tensors.get(*column.of.get(candidate)?).cloned();
        self.0.iter().map(one).collect()
    }

    /// What goes into a file: `PREFIX/index/NAME` i64 `[P]`, and `PREFIX/tensor/N/NAME`, to which the index points.
    pub(super) fn entries(&self, prefix: &str) -> Vec<Entry> {
        let mut entries = Vec::new();
        for column in &self.0 {
            let name = &column.name;
            let index = column.of.iter().map(|&at| at as i64).collect();
            let (dtype, bytes) = Numbers::I64(index).to_bytes();
            entries.push((
                format!("{prefix}/index/{name}"),
                dtype,
                vec![column.of.len()],
                bytes,
            ));
            for (n, tensor) in column.tensors.iter().enumerate() {
                let (dtype, bytes) = tensor.numbers.to_bytes();
                let name = format!("{prefix}/tensor/{n}/{name}");
                entries.push((name, dtype, tensor.shape.clone(), bytes));
            }
        }
        entries
    }

    /// The reverse of [`entries`](Self::entries); none if what is there does not fit together.
    pub(super) fn read(file: &SafeTensors<'_>, prefix: &str, count: usize) -> Option<Self> {
        let start = format!("{prefix}/index/");
        let names = file.names().into_iter();
        let mut names: Vec<&str> = names.filter_map(|name| name.strip_prefix(&start)).collect();
        names.sort_unstable();
        let mut columns = Vec::with_capacity(names.len());
        for name in names {
            let tensor = |path: &str| -> Option<OwnedTensor> {
                let view = file.tensor(path).ok()?;
                Some(OwnedTensor {
                    name: name.to_owned(),
                    shape: view.shape().to_vec(),
                    numbers: Numbers::read(view.dtype(), view.data())?,
                })
            };
            let Numbers::I64(index) = tensor(&format!("{start}{name}"))?.numbers else {
                return None;
            };
            let of: Option<Vec<usize>> = index.iter().map(|&at| at.try_into().ok()).collect();
            let of = of.filter(|of| of.len() == count)?;
            let different = of.iter().max().map_or(0, |most| most.saturating_add(1));
            let tensors: Option<Vec<OwnedTensor>> = (0..different)
                .map(|n| tensor(&format!("{prefix}/tensor/{n}/{name}")))
                .collect();
            columns.push(Column {
                name: name.to_owned(),
                tensors: tensors?,
                of,
            });
        }
        (!columns.is_empty()).then_some(Self(columns))
    }
}
