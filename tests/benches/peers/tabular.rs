//! The default task: a9a and its network, on our side as the host opens it, on theirs as arrays.

use anyhow::{Context, Result};
use metricopt_host::registry::Registry;
use metricopt_sdk::tch::{Device, Kind, Tensor};
use metricopt_sdk::{Call, Data, DynTask};
use metricopt_tabular::data::{self, Shares, Source};

use crate::inputs::Array;

/// The default task, opened for so many threads.
pub(crate) fn open(threads: usize) -> Result<Box<dyn DynTask>> {
    open_with(threads, &serde_json::json!({}))
}

/// The same with some of its configuration replaced.
pub(crate) fn open_with(threads: usize, replaced: &serde_json::Value) -> Result<Box<dyn DynTask>> {
    let registry = Registry::built_in()?;
    let (_, task) = registry.choose_task(&["tabular".to_owned()], None)?;
    let mut config = task.defaults.clone();
    for (key, value) in replaced.as_object().into_iter().flatten() {
        config[key] = value.clone();
    }
    let context = metricopt_sdk::Context {
        device: Device::Cpu,
        seed: 0,
        cache: None,
        progress: &|_, _, _| (),
        call: Call {
            threads,
            cancelled: &|| false,
        },
    };
    Ok(task.open(&config, &context)?)
}

/// Features and labels of the splits of seed 0, and the pre-trained weights under PyTorch's names.
pub(crate) fn arrays() -> Result<Vec<Array>> {
    let splits = data::split(data::load(&Source::default())?, &Shares::default(), 0)?;
    let mut arrays = Vec::new();
    for (name, table) in [
        ("train", &splits.train),
        ("validation", &splits.validation),
        ("test", &splits.test),
    ] {
        let shape = [table.rows(), table.columns];
        arrays.push(Array::f32(
            format!("{name}_features"),
            &shape,
            &table.features,
        ));
        arrays.push(Array::i64(format!("{name}_labels"), &table.labels));
    }
    let task = open(1)?;
    let zero = Tensor::zeros(
        [task.describe().dimensions() as i64],
        (Kind::Float, Device::Cpu),
    );
    for tensor in task.fold(&zero)? {
        let array = tensor.view(|view| match view.data() {
            Data::F32(values) => Ok(Some(Array::f32(view.name(), view.shape(), values))),
            _ => Ok(None),
        })?;
        arrays.push(array.context("weights are numbers in single precision")?);
    }
    Ok(arrays)
}
