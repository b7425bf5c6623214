//! `optimizer.safetensors` of another run, read back.

use metricopt_sdk::{Error, Result};
use safetensors::{Dtype, SafeTensors};
use sha2::{Digest, Sha256};
use std::fmt::{Display, Write as _};
use std::path::Path;

use super::artifacts::OPTIMIZER_FORMAT;
use crate::engine::update_rule::UpdateRule;

/// An update rule from a file.
#[derive(Clone, Debug)]
pub struct OptimizerFile {
    /// The update rule.
    pub rule: UpdateRule,
    /// SHA-256 of the file, in hexadecimal digits: results depend on what it holds, whatever it is called.
    pub digest: String,
}

impl OptimizerFile {
    /// Reads a file.
    ///
    /// # Errors
    ///
    /// If it cannot be read, or holds no optimizer of this format and size.
    pub fn read(path: &Path) -> Result<Self> {
        let bytes = std::fs::read(path).map_err(|error| {
            Error::configuration(format!("cannot read `{}`: {error}", path.display()))
                .hint("`finetune.learned.from` names the `optimizer.safetensors` of another run")
        })?;
        let rule = parse(&bytes).map_err(|what| {
            Error::data(format!("cannot use `{}`: {what}", path.display()))
                .hint("leave out `finetune.learned.from` to train an optimizer with this host")
        })?;
        let mut digest = String::new();
        for byte in Sha256::digest(&bytes) {
            // Writing to a string cannot fail.
            let _ = write!(digest, "{byte:02x}");
        }
        Ok(Self { rule, digest })
    }
}

/// The rule in the bytes of a file, or what is wrong with them.
fn parse(bytes: &[u8]) -> std::result::Result<UpdateRule, String> {
    let not_whole = |error: &dyn Display| format!("it is no safetensors file: {error}");
    let (_, metadata) = SafeTensors::read_metadata(bytes).map_err(|error| not_whole(&error))?;
    let entries = metadata.metadata().as_ref();
    let found = entries
        .and_then(|entries| entries.get("format"))
        .map_or("none", String::as_str);
    if found != OPTIMIZER_FORMAT {
        return Err(format!(
            "it has format `{found}`, expected `{OPTIMIZER_FORMAT}`"
        ));
    }
    let file = SafeTensors::deserialize(bytes).map_err(|error| not_whole(&error))?;
    let tensor = |name: &str, dtype: Dtype| {
        let view = file.tensor(name).ok();
        view.filter(|view| view.dtype() == dtype && view.shape().len() == 1)
            .ok_or_else(|| format!("it has no list `{name}` of {dtype:?}"))
    };
    let shape = tensor("shape", Dtype::I64)?;
    let shape = shape.data().as_chunks().0.iter();
    let shape: Vec<i64> = shape.map(|bytes| i64::from_le_bytes(*bytes)).collect();
    if shape != UpdateRule::SHAPE.map(|n| n as i64) {
        return Err(format!(
            "its numbers of weights, inputs, hidden units and outputs are {shape:?}, expected {:?}",
            UpdateRule::SHAPE
        ));
    }
    let weights = tensor("weights", Dtype::F32)?;
    let weights = weights.data().as_chunks().0.iter();
    let weights: Vec<f32> = weights.map(|bytes| f32::from_le_bytes(*bytes)).collect();
    let count = weights.len();
    UpdateRule::from_weights(weights).ok_or_else(|| {
        format!(
            "of its {count} weights, some are not finite, or they are not {}",
            UpdateRule::SHAPE[0]
        )
    })
}
