//! Proxy-NCA.

use metricopt_sdk::tch::{Device, Kind, Tensor};
use metricopt_sdk::{Error, Result};
use std::sync::Mutex;

use super::pairs::unit;

/// One proxy for each class of a split.
pub struct Proxies {
    /// The classes, ascending.
    classes: Vec<i64>,
    /// Of length 1, `[classes, D]`; behind a lock because tensors are not shared between threads without one.
    proxies: Mutex<Tensor>,
}

impl Proxies {
    /// The mean direction of each class: embeddings f32 `[N, D]`, row-major, with their classes.
    ///
    /// # Errors
    ///
    /// If the lengths do not fit; those of libtorch.
    pub fn of_means(embeddings: &[f32], labels: &[i64], device: Device) -> Result<Self> {
        let mut classes = labels.to_vec();
        classes.sort_unstable();
        classes.dedup();
        let places: Vec<i64> = labels
            .iter()
            .map(|label| classes.binary_search(label).unwrap_or_default() as i64)
            .collect();
        if labels.is_empty() || !embeddings.len().is_multiple_of(labels.len()) {
            return Err(Error::failed("embeddings and labels of proxies do not fit"));
        }
        let embeddings = Tensor::f_from_slice(embeddings)?.f_view([labels.len() as i64, -1])?;
        let sums = Tensor::f_zeros(
            [classes.len() as i64, embeddings.size()[1]],
            (Kind::Float, Device::Cpu),
        )?;
        let sums = sums.f_index_add(0, &Tensor::f_from_slice(&places)?, &unit(&embeddings)?)?;
        Ok(Self {
            classes,
            proxies: Mutex::new(unit(&sums)?.f_to_device(device)?),
        })
    }
}

/// `mean over items of ln(sum over other classes' proxies of exp(-d(x, z))) + d(x, p)`, where `p` is the proxy of the item's
/// class and `d` the squared distance of unit vectors.
///
/// Source: Movshovitz-Attias, Toshev, Leung, Ioffe and Singh, No fuss distance metric learning using proxies, ICCV 2017,
/// equation 6. There the proxies are learned with the network; here the network is frozen but for its adapter, and they stay
/// where its classes are before tuning.
///
/// # Errors
///
/// If an item is of a class without a proxy, or there is no other class; those of libtorch.
pub fn proxy_nca(embeddings: &Tensor, labels: &[i64], proxies: &Proxies) -> Result<Tensor> {
    let places: Option<Vec<i64>> = labels
        .iter()
        .map(|label| Some(proxies.classes.binary_search(label).ok()? as i64))
        .collect();
    let places = places.ok_or_else(|| Error::failed("an item is of a class without a proxy"))?;
    if proxies.classes.len() < 2 {
        return Err(Error::failed("proxies of a single class"));
    }
    let table = {
        let table = proxies.proxies.lock();
        table
            .unwrap_or_else(std::sync::PoisonError::into_inner)
            .shallow_clone()
    };
    let kind = embeddings.kind();
    let similarity = unit(embeddings)?.f_matmul(&table.f_to_kind(kind)?.f_transpose(0, 1)?)?;
    let distance = similarity.f_mul_scalar(-2.0)?.f_add_scalar(2.0)?;
    let places = Tensor::f_from_slice(&places)?
        .f_to_device(embeddings.device())?
        .f_unsqueeze(1)?;
    let own = distance.f_gather(1, &places, false)?;
    let others = distance
        .f_neg()?
        .f_scatter_value(1, &places, f64::NEG_INFINITY)?;
    let total = others.f_logsumexp([1], true)?.f_add(&own)?;
    Ok(total.f_mean(kind)?)
}
