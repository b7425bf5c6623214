//! Which FiLM sites are tuned, and how their adapter becomes that of the whole network.

use metricopt_sdk::tch::{Kind, Tensor};
use metricopt_sdk::{Error, Result, Site};

/// The sites of a network that are tuned; at all others the network stays as it is.
pub struct TunedSites {
    sites: Vec<Site>,
    /// Runs of the network's whole adapter, in order: their lengths, and whether they are tuned.
    runs: Vec<(i64, bool)>,
}

impl TunedSites {
    /// The sites below the given names, such as `layer3` or `layer3.0`; all without any name.
    ///
    /// # Errors
    ///
    /// If a name stands for no site.
    pub fn choose(all: &[Site], names: &[String]) -> Result<Self> {
        let below = |site: &Site, name: &str| {
            site.name
                .strip_prefix(name)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        };
        if let Some(unknown) = names
            .iter()
            .find(|name| !all.iter().any(|site| below(site, name)))
        {
            let mut parts: Vec<&str> = all
                .iter()
                .filter_map(|site| site.name.split('.').next())
                .collect();
            parts.dedup();
            return Err(Error::configuration(format!(
                "`sites` names `{unknown}`, which is no FiLM site of this network and no part with one"
            ))
            .hint(format!("the parts are `{}`", parts.join("`, `"))));
        }
        let mut sites = Vec::new();
        let mut runs: Vec<(i64, bool)> = Vec::new();
        for site in all {
            let tuned = names.is_empty() || names.iter().any(|name| below(site, name));
            if tuned {
                sites.push(site.clone());
            }
            let length = 2 * site.channels as i64;
            match runs.last_mut() {
                Some((run, same)) if *same == tuned => *run += length,
                _ => runs.push((length, tuned)),
            }
        }
        Ok(Self { sites, runs })
    }

    /// The tuned sites in adapter order.
    pub fn sites(&self) -> &[Site] {
        &self.sites
    }

    /// The adapter of the whole network f32 `[.., D of all sites]` for one of the tuned sites `[.., D]`, with zeros in
    /// between.
    ///
    /// # Errors
    ///
    /// If the adapter has another length.
    pub fn whole(&self, phi: &Tensor) -> Result<Tensor> {
        if let [(_, true)] = self.runs.as_slice() {
            return Ok(phi.shallow_clone());
        }
        let mut at = 0;
        let mut size = phi.size();
        let mut parts = Vec::with_capacity(self.runs.len());
        for &(length, tuned) in &self.runs {
            parts.push(if tuned {
                at += length;
                phi.f_narrow(-1, at - length, length)?
            } else {
                if let Some(last) = size.last_mut() {
                    *last = length;
                }
                Tensor::f_zeros(&size, (Kind::Float, phi.device()))?
            });
        }
        Ok(Tensor::f_cat(&parts, -1)?)
    }

    /// What of an adapter of the whole network `[.., D of all sites]` belongs to the tuned sites: `[.., D]`.
    ///
    /// # Errors
    ///
    /// If the adapter has another length.
    pub fn own(&self, whole: &Tensor) -> Result<Tensor> {
        if let [(_, true)] = self.runs.as_slice() {
            return Ok(whole.shallow_clone());
        }
        let mut at = 0;
        let mut parts = Vec::with_capacity(self.runs.len());
        for &(length, tuned) in &self.runs {
            if tuned {
                parts.push(whole.f_narrow(-1, at, length)?);
            }
            at += length;
        }
        Ok(Tensor::f_cat(&parts, -1)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sites() -> Vec<Site> {
        ["bn1", "layer1.0.bn1", "layer1.0.bn2", "layer10.0.bn1"]
            .map(|name| Site {
                name: name.to_owned(),
                channels: 1,
            })
            .to_vec()
    }

    fn choose(names: &[&str]) -> Result<TunedSites> {
        let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
        TunedSites::choose(&sites(), &names)
    }

    #[test]
    fn what_is_not_tuned_is_zero() {
        let phi = Tensor::from_slice(&[1.0_f32, 2.0, 3.0, 4.0]);
        let whole = |names: &[&str]| -> Vec<f32> {
            let tuned = choose(names).unwrap();
            let whole = tuned.whole(&phi).unwrap();
            assert_eq!(tuned.own(&whole).unwrap(), phi);
            Vec::try_from(whole).unwrap()
        };
        assert_eq!(whole(&["layer1"]), [0.0, 0.0, 1.0, 2.0, 3.0, 4.0, 0.0, 0.0]);
        assert_eq!(
            whole(&["layer10", "bn1"]),
            [1.0, 2.0, 0.0, 0.0, 0.0, 0.0, 3.0, 4.0]
        );
        assert_eq!(choose(&[]).unwrap().sites(), sites());
    }

    #[test]
    fn a_population_is_spread_too() {
        let tuned = choose(&["layer1.0.bn2"]).unwrap();
        let phis = Tensor::from_slice(&[1.0_f32, 2.0, 3.0, 4.0]).view([2, 2]);
        let whole = tuned.whole(&phis).unwrap();
        assert_eq!(whole.size(), [2, 8]);
        assert_eq!(tuned.own(&whole).unwrap(), phis);
        assert_eq!(whole.abs().sum(Kind::Float).double_value(&[]), 10.0);
    }

    #[test]
    fn a_name_without_a_site_is_refused() {
        let error = choose(&["layer1", "layer"]).err().unwrap();
        assert!(error.to_string().contains("names `layer`"), "{error}");
        assert_eq!(error.hints(), ["the parts are `bn1`, `layer1`, `layer10`"]);
        assert!(choose(&["layer1.0.b"]).is_err());
    }
}
