//! `adapter.safetensors`, read back for the network that it belongs to.

use metricopt_sdk::{Error, Result, Site};
use safetensors::{Dtype, SafeTensors};
use std::fmt::Display;
use std::path::Path;

/// The adapter in a file, as the deviation from the identity, for a network with these sites.
///
/// # Errors
///
/// If the file cannot be read, is damaged, or belongs to another network.
pub fn read_adapter(path: &Path, sites: &[Site]) -> Result<Vec<f32>> {
    let unusable = |what: &dyn Display| {
        Error::data(format!("cannot use `{}`: {what}", path.display())).hint(
            "restore the file from a copy, or repeat the run with the `config.toml` beside it",
        )
    };
    let bytes = std::fs::read(path).map_err(|error| unusable(&error))?;
    let file = SafeTensors::deserialize(&bytes).map_err(|error| unusable(&error))?;
    if file.len() != 2 * sites.len() {
        return Err(unusable(&format!(
            "it holds {} tensors, the task has {} FiLM sites with two each",
            file.len(),
            sites.len()
        )));
    }
    let mut phi = Vec::new();
    for site in sites {
        // Scales are kept as the factors themselves.
        for (part, identity) in [("scale", 1.0), ("shift", 0.0)] {
            let name = format!("{}.{part}", site.name);
            let tensor = file.tensor(&name).map_err(|_| {
                unusable(&format!(
                    "no tensor `{name}`, which the task has a site for"
                ))
            })?;
            if tensor.dtype() != Dtype::F32 || tensor.shape() != [site.channels] {
                return Err(unusable(&format!(
                    "`{name}` is {:?} {:?}, expected F32 [{}]",
                    tensor.dtype(),
                    tensor.shape(),
                    site.channels
                )));
            }
            let values = tensor.data().as_chunks().0.iter();
            for value in values.map(|bytes| f32::from_le_bytes(*bytes)) {
                if !value.is_finite() {
                    return Err(unusable(&format!("`{name}` holds {value}")));
                }
                phi.push(value - identity);
            }
        }
    }
    Ok(phi)
}
