//! Frozen networks.

use metricopt_sdk::tch::{Device, Kind, Tensor};
use metricopt_sdk::{Error, Result, Site};

use crate::architecture::Architecture;
use crate::film::Film;
use crate::layout::Layout;
use crate::name::{Input, NetworkName};
use crate::pass::{Mode, Pass};
use crate::precision::Precision;
use crate::tensors::{Shared, channels_last, for_each};
use crate::weights::Weights;

/// A frozen network that is changed through its adapter alone.
///
/// Autograd follows all results back to the adapter, where it is on; for inference call under
/// [`no_grad`](metricopt_sdk::tch::no_grad). What goes in and comes out is f32 in every [`Precision`].
pub trait Network: Send + Sync {
    /// The FiLM sites in adapter order, which is the order of execution. A site has the name of its normalisation.
    fn sites(&self) -> &[Site];

    /// The images it is made for.
    fn input(&self) -> Input;

    /// Length `D` of the adapter.
    fn dimensions(&self) -> usize {
        self.sites().iter().map(|site| 2 * site.channels).sum()
    }

    /// All that stands in front of the first FiLM site and so does not depend on the adapter.
    ///
    /// Takes images f32 `[N, C, H, W]`, normalised as [`input`](Self::input) says.
    ///
    /// # Errors
    ///
    /// If the images have another number of channels, or are too small.
    fn stem(&self, images: &Tensor) -> Result<Tensor>;

    /// Logits `[N, classes]`.
    ///
    /// # Errors
    ///
    /// If the adapter is that of another network; those of libtorch.
    fn logits(&self, film: &Film<'_>, stem: &Tensor) -> Result<Tensor>;

    /// The embedding in front of the classifier, `[N, F]`.
    ///
    /// # Errors
    ///
    /// Those of [`logits`](Self::logits).
    fn features(&self, film: &Film<'_>, stem: &Tensor) -> Result<Tensor>;

    /// Feature maps `[N, C, H, W]` behind each stage, the finest first; each stage halves height and width.
    ///
    /// # Errors
    ///
    /// Those of [`logits`](Self::logits).
    fn maps(&self, film: &Film<'_>, stem: &Tensor) -> Result<Vec<Tensor>>;

    /// Logits `[P, N, classes]` of a population in one batched pass: `film` is cut from adapters `[P, D]`, and `stems`
    /// `[P * N, ..]` has `N` images of each candidate, one candidate after the other.
    ///
    /// For devices that need large batches; on the CPU a pass for each candidate is faster.
    ///
    /// # Errors
    ///
    /// Those of [`logits`](Self::logits), or if the images cannot be shared out among the candidates.
    fn logits_of_each(&self, film: &Film<'_>, stems: &Tensor) -> Result<Tensor>;

    /// The same where all candidates share the images of one `stem` `[N, ..]`.
    ///
    /// # Errors
    ///
    /// Those of [`logits_of_each`](Self::logits_of_each).
    fn population_logits(&self, film: &Film<'_>, stem: &Tensor) -> Result<Tensor> {
        self.logits_of_each(film, &for_each(film.population()?, stem)?)
    }

    /// Logits `[N, classes]` without FiLM: the network as it was loaded.
    ///
    /// # Errors
    ///
    /// Those of libtorch.
    fn plain_logits(&self, stem: &Tensor) -> Result<Tensor>;

    /// The weights with an adapter `[D]` folded in: scale and shift of each normalisation are replaced, all names stay
    /// (without a `module.` in front), and the result is an ordinary network that knows nothing of FiLM.
    ///
    /// # Errors
    ///
    /// If the adapter does not fit.
    fn fold(&self, phi: &Tensor) -> Result<Weights>;
}

/// Makes a network of weights, which must fit exactly.
///
/// # Errors
///
/// If weights are missing, unexpected or of another shape: they are named. If a running variance is negative.
pub fn build(
    name: NetworkName,
    classes: usize,
    weights: &Weights,
    device: Device,
    precision: Precision,
) -> Result<Box<dyn Network>> {
    let mut layout = Layout::default();
    let architecture = name.architecture(classes, &mut layout);
    let tensors = weights.load(&layout, &format!("{name} with {classes} classes"), device)?;
    Ok(Box::new(Frozen {
        architecture,
        input: name.input(),
        precision,
        tensors: Shared::new(precision.weights(&layout, &tensors)?),
        exact: Shared::new(tensors),
        layout,
    }))
}

struct Frozen {
    architecture: Box<dyn Architecture>,
    layout: Layout,
    input: Input,
    precision: Precision,
    /// What passes calculate with.
    tensors: Shared,
    /// The weights as they were loaded, for export; the same memory where the precision is that of the weights.
    exact: Shared,
}

impl Frozen {
    fn stages(&self, pass: &Pass<'_>, stem: &Tensor) -> Result<Vec<Tensor>> {
        let stem = self.precision.activations(stem)?;
        self.architecture.maps(pass, &channels_last(&stem)?)
    }

    fn embedding(&self, pass: &Pass<'_>, stem: &Tensor) -> Result<Tensor> {
        let mut maps = self.stages(pass, stem)?;
        let last = maps
            .pop()
            .ok_or_else(|| Error::failed("a network without stages"))?;
        self.architecture.features(&last)
    }

    fn classified(&self, mode: Mode<'_>, stem: &Tensor) -> Result<Tensor> {
        let pass = Pass {
            tensors: &self.tensors.get(),
            mode,
        };
        let features = self.embedding(&pass, stem)?;
        exact(&self.architecture.classify(&pass, &features)?)
    }
}

impl Network for Frozen {
    fn sites(&self) -> &[Site] {
        self.layout.sites()
    }

    fn input(&self) -> Input {
        self.input.clone()
    }

    fn stem(&self, images: &Tensor) -> Result<Tensor> {
        let size = images.size();
        if size.len() != 4 || size[1] != self.input.channels as i64 {
            return Err(Error::data(format!(
                "images of shape {size:?} were given to a network that takes [N, {}, height, width]",
                self.input.channels
            )));
        }
        let pass = Pass {
            tensors: &self.tensors.get(),
            mode: Mode::Plain,
        };
        let images = self.precision.activations(images)?;
        exact(&self.architecture.stem(&pass, &channels_last(&images)?)?)
    }

    fn logits(&self, film: &Film<'_>, stem: &Tensor) -> Result<Tensor> {
        film.check(self.sites(), "network")?;
        self.classified(Mode::Film(film), stem)
    }

    fn features(&self, film: &Film<'_>, stem: &Tensor) -> Result<Tensor> {
        film.check(self.sites(), "network")?;
        let pass = Pass {
            tensors: &self.tensors.get(),
            mode: Mode::Film(film),
        };
        exact(&self.embedding(&pass, stem)?)
    }

    fn maps(&self, film: &Film<'_>, stem: &Tensor) -> Result<Vec<Tensor>> {
        film.check(self.sites(), "network")?;
        let pass = Pass {
            tensors: &self.tensors.get(),
            mode: Mode::Film(film),
        };
        self.stages(&pass, stem)?.iter().map(exact).collect()
    }

    fn logits_of_each(&self, film: &Film<'_>, stems: &Tensor) -> Result<Tensor> {
        film.check(self.sites(), "network")?;
        let candidates = film.population()?;
        let logits = self.classified(Mode::Population(film), stems)?;
        let images = logits.size().first().map_or(0, |rows| rows / candidates);
        Ok(logits.f_view([candidates, images, -1])?)
    }

    fn plain_logits(&self, stem: &Tensor) -> Result<Tensor> {
        self.classified(Mode::Plain, stem)
    }

    fn fold(&self, phi: &Tensor) -> Result<Weights> {
        let film = Film::of(phi, self.sites())?;
        Weights::folded(&self.layout, self.exact.get(), &film)
    }
}

/// Results in f32, whatever the network calculates with.
fn exact(result: &Tensor) -> Result<Tensor> {
    Ok(result.f_to_kind(Kind::Float)?)
}
