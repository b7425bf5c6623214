//! FiLM: per-channel scale and shift behind every normalisation (Perez et al., AAAI 2018).

use metricopt_sdk::tch::{Kind, Tensor};
use metricopt_sdk::{Error, Result, Site};

/// One adapter, cut into the scales and shifts of the sites.
///
/// In `phi` each site holds its `scale - 1` and then its `shift`, so that `phi = 0` leaves the network as it is. Autograd
/// follows the parts back to `phi`.
///
/// ```
/// use metricopt_nn::Film;
/// use metricopt_sdk::{Site, tch::Tensor};
///
/// let sites = [Site { name: "bn1".to_owned(), channels: 2 }];
/// let phi = Tensor::from_slice(&[0.5_f32, 0.0, -1.0, 2.0]);
/// let film = Film::of(&phi, &sites)?;
/// let (deviation, shift) = film.at(0)?;
/// assert_eq!(Vec::<f32>::try_from(deviation)?, [0.5, 0.0]);
/// assert_eq!(Vec::<f32>::try_from(shift)?, [-1.0, 2.0]);
/// # Ok::<(), metricopt_sdk::Error>(())
/// ```
#[derive(Debug)]
pub struct Film<'a> {
    sites: &'a [Site],
    parts: Vec<Tensor>,
}

impl<'a> Film<'a> {
    /// Cuts an adapter f32 `[D]`, or a population of them `[P, D]`, at the sites of its network.
    ///
    /// # Errors
    ///
    /// If the adapter is not f32 or its length is not the sum of `2 * channels` over the sites.
    pub fn of(phi: &Tensor, sites: &'a [Site]) -> Result<Self> {
        let dimensions: usize = sites.iter().map(|site| 2 * site.channels).sum();
        let size = phi.size();
        let fits = (1..=2).contains(&size.len()) && size.last() == Some(&(dimensions as i64));
        if !fits || phi.kind() != Kind::Float {
            return Err(Error::data(format!(
                "an adapter of {:?} {size:?} does not fit {} FiLM sites, which take f32 [{dimensions}]",
                phi.kind(),
                sites.len()
            )));
        }
        let widths: Vec<i64> = sites
            .iter()
            .flat_map(|site| [site.channels as i64; 2])
            .collect();
        Ok(Self {
            sites,
            parts: phi.f_split_with_sizes(&widths, -1)?,
        })
    }

    /// The sites it was cut at.
    pub fn sites(&self) -> &'a [Site] {
        self.sites
    }

    /// Whether it was cut at such sites; `whose` says what they belong to, as in "network".
    ///
    /// # Errors
    ///
    /// If the adapter is that of another network.
    pub(crate) fn check(&self, sites: &[Site], whose: &str) -> Result<()> {
        let channels = |site: &Site| site.channels;
        if self
            .sites
            .iter()
            .map(channels)
            .eq(sites.iter().map(channels))
        {
            return Ok(());
        }
        Err(Error::data(format!(
            "an adapter of {} FiLM sites was given to a {whose} with {}",
            self.sites.len(),
            sites.len()
        )))
    }

    /// Number of candidates `P`.
    ///
    /// # Errors
    ///
    /// If this is one adapter and no population.
    pub(crate) fn population(&self) -> Result<i64> {
        match self.at(0)?.0.size().as_slice() {
            &[candidates, _] if candidates > 0 => Ok(candidates),
            _ => Err(Error::data(
                "a population of adapters has the shape [P, D], not [D]",
            )),
        }
    }

    /// `scale - 1` and `shift` of a site, `[channels]` or `[P, channels]`.
    ///
    /// # Errors
    ///
    /// If there are not that many sites.
    pub fn at(&self, site: usize) -> Result<(&Tensor, &Tensor)> {
        match self.parts.get(2 * site..2 * site + 2) {
            Some([deviation, shift]) => Ok((deviation, shift)),
            _ => Err(Error::failed(format!(
                "FiLM site {site} of {} does not exist",
                self.sites.len()
            ))),
        }
    }

    /// Scale and shift of a layer `y = scale * x^ + shift` with this site folded in:
    /// `(1 + deviation) * scale` and `(1 + deviation) * shift + film shift`. The scale may be a kernel, `[channels, ..]`.
    ///
    /// At `phi = 0` they are the same bits as before.
    pub(crate) fn fold(&self, site: usize, scale: &Tensor, shift: &Tensor) -> Result<[Tensor; 2]> {
        let (deviation, moved) = self.at(site)?;
        let mut each = vec![1; scale.dim()];
        let factor = match each.first_mut() {
            Some(first) if scale.dim() > 1 => {
                *first = -1;
                deviation.f_view(each.as_slice())?
            }
            _ => deviation.shallow_clone(),
        };
        Ok([
            scale.f_addcmul(scale, &factor)?,
            shift.f_addcmul(shift, deviation)?.f_add(moved)?,
        ])
    }
}
