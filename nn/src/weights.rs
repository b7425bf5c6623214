//! Weights: tensors by the names that the Python implementations give them.

use metricopt_sdk::tch::{Device, Kind, Tensor};
use metricopt_sdk::{Error, Result};
use safetensors::{Dtype, SafeTensors, tensor::TensorView};
use std::collections::BTreeMap;
use std::path::Path;

use crate::film::Film;
use crate::layout::{Layout, Role};
use crate::tensors::channels_last;

/// What a network saved from `DataParallel` carries in front of every name.
const WRAPPER: &str = "module.";

/// Counters of PyTorch's normalisations, which matter only to averages without momentum.
const COUNTER: &str = ".num_batches_tracked";

/// At most this many names of a kind are listed in an error.
const LISTED: usize = 20;

/// The weights of a network: f32 tensors on the CPU by name, in alphabetical order.
///
/// A `module.` in front of all names is dropped, and so are the counters `num_batches_tracked`. Values in f16, bf16 and
/// f64 become f32.
#[derive(Debug)]
pub struct Weights {
    tensors: BTreeMap<String, Tensor>,
    /// Where they come from, for errors.
    origin: String,
}

impl Weights {
    /// Takes tensors of any floating point type.
    ///
    /// ```
    /// use metricopt_nn::Weights;
    /// use metricopt_sdk::tch::Tensor;
    ///
    /// let weights = Weights::from_tensors([("module.fc.bias".to_owned(), Tensor::from_slice(&[0.5_f64]))])?;
    /// assert_eq!(weights.names().collect::<Vec<_>>(), ["fc.bias"]);
    /// let error = Weights::from_tensors([("fc.bias".to_owned(), Tensor::from_slice(&[f32::NAN]))]).unwrap_err();
    /// assert_eq!(error.to_string(), "weights: `fc.bias` holds a value that is not finite");
    /// # Ok::<(), metricopt_sdk::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// If a name stands there twice, or a value is not a finite floating point number of f32.
    pub fn from_tensors(tensors: impl IntoIterator<Item = (String, Tensor)>) -> Result<Self> {
        Self::checked(tensors.into_iter().collect(), "weights".to_owned())
    }

    /// Reads a safetensors file.
    ///
    /// # Errors
    ///
    /// If the file cannot be read, is not in that format, or holds what [`from_tensors`](Self::from_tensors) refuses.
    pub fn read(path: &Path) -> Result<Self> {
        let origin = format!("`{}`", path.display());
        let bytes = std::fs::read(path).map_err(|error| {
            Error::data(format!("cannot read the weights {origin}: {error}"))
                .hint("name a safetensors file with the weights of the network")
        })?;
        let file = SafeTensors::deserialize(&bytes).map_err(|error| {
            Error::data(format!("{origin} is not a safetensors file: {error}")).hint(
                "save a PyTorch model with `safetensors.torch.save_file(model.state_dict(), path)`",
            )
        })?;
        let mut tensors = Vec::new();
        for (name, view) in file.iter() {
            if !name.ends_with(COUNTER) {
                tensors.push((name.to_owned(), decoded(&origin, name, &view)?));
            }
        }
        Self::checked(tensors, origin)
    }

    fn checked(mut pairs: Vec<(String, Tensor)>, origin: String) -> Result<Self> {
        pairs.retain(|(name, _)| !name.ends_with(COUNTER));
        let wrapped = pairs.iter().all(|(name, _)| name.starts_with(WRAPPER));
        let mut tensors = BTreeMap::new();
        for (name, tensor) in pairs {
            let name = match name.strip_prefix(WRAPPER) {
                Some(inner) if wrapped => inner.to_owned(),
                _ => name,
            };
            if !tensor.is_floating_point() {
                return Err(Error::data(format!(
                    "{origin}: `{name}` holds values of type {:?}, expected floating point numbers",
                    tensor.kind()
                )));
            }
            let tensor = tensor
                .f_detach()?
                .f_to_device(Device::Cpu)?
                .f_to_kind(Kind::Float)?
                .f_contiguous()?;
            if tensor.f_isfinite()?.f_all()?.f_int64_value(&[])? == 0 {
                return Err(Error::data(format!(
                    "{origin}: `{name}` holds a value that is not finite"
                ))
                .hint("the training that made these weights diverged, or the file is damaged"));
            }
            if tensors.insert(name.clone(), tensor).is_some() {
                return Err(Error::data(format!(
                    "{origin}: `{name}` stands there twice"
                )));
            }
        }
        Ok(Self { tensors, origin })
    }

    /// The names in alphabetical order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.tensors.keys().map(String::as_str)
    }

    /// The tensor of a name, f32 on the CPU.
    pub fn get(&self, name: &str) -> Option<&Tensor> {
        self.tensors.get(name)
    }

    /// The tensors by name, in alphabetical order.
    pub fn into_tensors(self) -> impl Iterator<Item = (String, Tensor)> {
        self.tensors.into_iter()
    }

    /// The same weights with each tensor replaced by what `change` makes of it.
    pub(crate) fn replace(self, change: impl Fn(&str, Tensor) -> Result<Tensor>) -> Result<Self> {
        let changed: Result<Vec<(String, Tensor)>> = self
            .tensors
            .into_iter()
            .map(|(name, tensor)| change(&name, tensor).map(|tensor| (name, tensor)))
            .collect();
        Self::checked(changed?, self.origin)
    }

    /// Writes a safetensors file beside and renames it, so that no reader sees half a file.
    ///
    /// # Errors
    ///
    /// If the file cannot be written.
    pub fn write(&self, path: &Path) -> Result<()> {
        let failed = |reason: String| {
            Error::failed(format!("cannot write `{}`: {reason}", path.display()))
                .hint("choose a place that exists and can be written")
        };
        let mut parts = Vec::with_capacity(self.tensors.len());
        for (name, tensor) in &self.tensors {
            let shape: Vec<usize> = tensor
                .size()
                .iter()
                .map(|&length| length as usize)
                .collect();
            let values = Vec::<f32>::try_from(&tensor.f_reshape([-1])?)?;
            let bytes: Vec<u8> = values
                .iter()
                .flat_map(|value| value.to_le_bytes())
                .collect();
            parts.push((name, shape, bytes));
        }
        let views: Result<Vec<_>, _> = parts
            .iter()
            .map(|(name, shape, bytes)| {
                TensorView::new(Dtype::F32, shape.clone(), bytes).map(|view| (name, view))
            })
            .collect();
        let views = views.map_err(|error| failed(error.to_string()))?;
        let file =
            safetensors::serialize(views, None).map_err(|error| failed(error.to_string()))?;
        // The process id keeps two runs that write the same file apart.
        let temporary = path.with_extension(format!("{}.tmp", std::process::id()));
        let written =
            std::fs::write(&temporary, file).and_then(|()| std::fs::rename(&temporary, path));
        written.map_err(|error| {
            // Nothing half-written stays behind; if even that fails, the first error says why.
            let _ = std::fs::remove_file(&temporary);
            failed(error.to_string())
        })
    }

    /// Refuses what would make every answer NaN.
    fn check_variances(&self, layout: &Layout, tensors: &[Tensor]) -> Result<()> {
        for norm in layout.norms() {
            let (name, variance) = (
                &layout.parameters()[norm.variance].name,
                &tensors[norm.variance],
            );
            let holds =
                |found: Tensor| -> Result<bool> { Ok(found.f_any()?.f_int64_value(&[])? != 0) };
            let what = if holds(variance.f_lt(0.0)?)? {
                "a negative variance"
            } else if norm.epsilon == 0.0 && holds(variance.f_eq(0.0)?)? {
                "a variance of zero, by which this network divides"
            } else {
                continue;
            };
            return Err(
                Error::data(format!("{}: `{name}` holds {what}", self.origin))
                    .hint("the file is damaged, or its names are mixed up"),
            );
        }
        Ok(())
    }

    /// Weights of a layout with an adapter folded in.
    pub(crate) fn folded(
        layout: &Layout,
        mut tensors: Vec<Tensor>,
        film: &Film<'_>,
    ) -> Result<Self> {
        for (site, fold) in layout.folds().iter().enumerate() {
            let [scale, shift] = film.fold(site, &tensors[fold.scale], &tensors[fold.shift])?;
            tensors[fold.scale] = scale;
            tensors[fold.shift] = shift;
        }
        let names = layout.parameters().iter();
        Self::from_tensors(names.map(|parameter| parameter.name.clone()).zip(tensors))
    }

    /// The tensors in the order of a layout on a device, ready for a pass.
    pub(crate) fn load(
        &self,
        layout: &Layout,
        network: &str,
        device: Device,
    ) -> Result<Vec<Tensor>> {
        let fitting = self.fit(layout, network)?;
        let mut loaded = Vec::with_capacity(fitting.len());
        for (tensor, parameter) in fitting.iter().zip(layout.parameters()) {
            let tensor = tensor.f_to_device(device)?;
            loaded.push(match parameter.role {
                Role::Kernel => channels_last(&tensor)?,
                _ => tensor,
            });
        }
        Ok(loaded)
    }

    /// The tensors in the order of a layout; every difference is named.
    pub(crate) fn fit(&self, layout: &Layout, network: &str) -> Result<Vec<Tensor>> {
        let mut missing = Vec::new();
        let mut misshapen = Vec::new();
        let mut found = Vec::with_capacity(layout.parameters().len());
        for parameter in layout.parameters() {
            match self.tensors.get(&parameter.name) {
                None => missing.push(parameter.name.clone()),
                Some(tensor) if tensor.size() != parameter.shape => misshapen.push(format!(
                    "{} {:?} instead of {:?}",
                    parameter.name,
                    tensor.size(),
                    parameter.shape
                )),
                Some(tensor) => found.push(tensor.shallow_clone()),
            }
        }
        let expected: std::collections::BTreeSet<&str> = layout
            .parameters()
            .iter()
            .map(|parameter| parameter.name.as_str())
            .collect();
        let unexpected = self.names().filter(|name| !expected.contains(name));
        let unexpected: Vec<String> = unexpected.map(str::to_owned).collect();
        let complaints: Vec<String> = [
            ("missing", missing),
            ("unexpected", unexpected),
            ("of another shape", misshapen),
        ]
        .into_iter()
        .filter(|(_, names)| !names.is_empty())
        .map(|(what, names)| format!("{} {what}: {}", names.len(), list(&names)))
        .collect();
        if complaints.is_empty() {
            self.check_variances(layout, &found)?;
            return Ok(found);
        }
        Err(Error::data(format!(
            "{} do not fit {network}: {}",
            self.origin,
            complaints.join("; ")
        ))
        .hint("name the network that these weights were trained with, and its number of classes"))
    }
}

/// Names, the first ones if there are many.
fn list(names: &[String]) -> String {
    let shown = names[..names.len().min(LISTED)].join(", ");
    match names.len().saturating_sub(LISTED) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

/// The values of a tensor in a file.
fn decoded(origin: &str, name: &str, view: &TensorView<'_>) -> Result<Tensor> {
    let kind = match view.dtype() {
        Dtype::F32 => Kind::Float,
        Dtype::F64 => Kind::Double,
        Dtype::F16 => Kind::Half,
        Dtype::BF16 => Kind::BFloat16,
        other => {
            return Err(Error::data(format!(
                "{origin}: `{name}` holds values of type {other:?}, expected f32, f64, f16 or bf16"
            )));
        }
    };
    let shape: Vec<i64> = view.shape().iter().map(|&length| length as i64).collect();
    Ok(Tensor::f_from_data_size(view.data(), &shape, kind)?)
}
