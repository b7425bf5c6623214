//! The numbers in the safetensors files of a run directory.

use metricopt_sdk::{Error, Result};
use safetensors::{Dtype, SafeTensors, tensor::TensorView};
use std::fmt::Display;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// A tensor of any kind of number.
#[derive(Clone, Debug, PartialEq)]
pub struct Array {
    /// Its shape; the product is the number of values.
    pub shape: Vec<usize>,
    /// The values, row-major.
    pub values: Vec<f64>,
}

/// A whole file with a format that this host knows.
pub struct TensorFile {
    path: PathBuf,
    bytes: Vec<u8>,
}

impl TensorFile {
    /// Reads a file; none if there is none.
    ///
    /// # Errors
    ///
    /// If it cannot be read, is damaged or has another format.
    pub fn read(path: &Path, format: &str) -> Result<Option<Self>> {
        let bytes = match fs::read(path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(damaged(path, error)),
        };
        let (_, metadata) = SafeTensors::read_metadata(&bytes).map_err(|e| damaged(path, e))?;
        SafeTensors::deserialize(&bytes).map_err(|error| damaged(path, error))?;
        let found = metadata
            .metadata()
            .as_ref()
            .and_then(|entries| entries.get("format"))
            .map_or("none", String::as_str);
        let known = format!("metricopt.{format}.1");
        if found != known {
            return Err(Error::data(format!(
                "`{}` has format `{found}`, expected `{known}`",
                path.display()
            ))
            .hint("a newer host wrote it, or it is another file: make the report with the host of the run"));
        }
        let path = path.to_owned();
        Ok(Some(Self { path, bytes }))
    }

    fn file(&self) -> Result<SafeTensors<'_>> {
        SafeTensors::deserialize(&self.bytes).map_err(|error| self.damaged(error))
    }

    /// Names of all tensors, sorted.
    ///
    /// # Errors
    ///
    /// If the file is damaged.
    pub fn names(&self) -> Result<Vec<String>> {
        let mut names: Vec<String> = self
            .file()?
            .names()
            .into_iter()
            .map(str::to_owned)
            .collect();
        names.sort_unstable();
        Ok(names)
    }

    /// A tensor with so many axes.
    ///
    /// # Errors
    ///
    /// If there is none, or it has another number of axes.
    pub fn get(&self, name: &str, axes: usize) -> Result<Array> {
        let array = self
            .find(name)?
            .ok_or_else(|| self.damaged(format!("no tensor `{name}`")))?;
        if array.shape.len() == axes {
            Ok(array)
        } else {
            Err(self.damaged(format!("tensor `{name}` has shape {:?}", array.shape)))
        }
    }

    /// A tensor, if it is there.
    ///
    /// # Errors
    ///
    /// If it holds no numbers.
    pub fn find(&self, name: &str) -> Result<Option<Array>> {
        let file = self.file()?;
        let Ok(view) = file.tensor(name) else {
            return Ok(None);
        };
        let values = numbers(&view)
            .ok_or_else(|| self.damaged(format!("tensor `{name}` is {:?}", view.dtype())))?;
        Ok(Some(Array {
            shape: view.shape().to_vec(),
            values,
        }))
    }

    /// The single value of a tensor.
    ///
    /// # Errors
    ///
    /// If there is none, or several.
    pub fn value(&self, name: &str) -> Result<f64> {
        match self.get(name, 1)?.values[..] {
            [value] => Ok(value),
            _ => Err(self.damaged(format!("tensor `{name}` holds not one value"))),
        }
    }

    /// An error about this file, which says what is wrong and what to do.
    pub fn damaged(&self, what: impl Display) -> Error {
        damaged(&self.path, what)
    }
}

fn numbers(view: &TensorView<'_>) -> Option<Vec<f64>> {
    let data = view.data();
    Some(match view.dtype() {
        Dtype::F32 => data
            .as_chunks()
            .0
            .iter()
            .map(|bytes| f64::from(f32::from_le_bytes(*bytes)))
            .collect(),
        Dtype::F64 => data
            .as_chunks()
            .0
            .iter()
            .map(|bytes| f64::from_le_bytes(*bytes))
            .collect(),
        Dtype::I64 => data
            .as_chunks()
            .0
            .iter()
            .map(|bytes| i64::from_le_bytes(*bytes) as f64)
            .collect(),
        _ => return None,
    })
}

/// An error about a file of a run directory.
pub fn damaged(path: &Path, what: impl Display) -> Error {
    let name = path.file_name().unwrap_or_default().display();
    Error::data(format!("cannot use `{}`: {what}", path.display())).hint(format!(
        "restore `{name}` from a copy, or remove it: the report then leaves out what it holds"
    ))
}
