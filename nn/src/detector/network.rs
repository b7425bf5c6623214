//! Frozen detectors.

use metricopt_sdk::tch::{Device, Tensor};
use metricopt_sdk::{Error, Result, Site};

use super::layers::Layers;
use super::name::DetectorName;
use super::shape::Shape;
use super::{retinanet, tiny};
use crate::film::Film;
use crate::initialise::random;
use crate::layout::Layout;
use crate::pass::{Mode, Pass};
use crate::resnet::imagenet::Kind;
use crate::tensors::{Shared, channels_last, for_each};
use crate::weights::Weights;

/// Probability of an object at an anchor before training (Lin et al., ICCV 2017, section 4.1).
const PRIOR: f64 = 0.01;

/// What a detector says of images, one row an anchor.
#[derive(Debug)]
pub struct Output {
    /// A logit for each class, `[N, A, classes]`.
    pub logits: Tensor,
    /// Codes of boxes, see [`coding`](super::coding), `[N, A, 4]`.
    pub codes: Tensor,
}

/// A frozen detector that is changed through its adapter alone.
///
/// Autograd follows its outputs back to the adapter, where it is on.
pub struct Detector {
    layers: Box<dyn Layers>,
    layout: Layout,
    shape: Shape,
    tensors: Shared,
}

impl Detector {
    /// Makes a detector of weights, which must fit exactly.
    ///
    /// # Errors
    ///
    /// If weights are missing, unexpected or of another shape: they are named.
    pub fn build(shape: Shape, weights: &Weights, device: Device) -> Result<Self> {
        let mut layout = Layout::default();
        let layers = layers(&shape, &mut layout);
        let tensors = weights.load(&layout, &shape.title(), device)?;
        Ok(Self {
            layers,
            layout,
            shape,
            tensors: Shared::new(tensors),
        })
    }

    /// What it takes and gives.
    pub fn shape(&self) -> Shape {
        self.shape
    }

    /// The FiLM sites in adapter order, which is the order of execution.
    pub fn sites(&self) -> &[Site] {
        self.layout.sites()
    }

    /// Length `D` of the adapter.
    pub fn dimensions(&self) -> usize {
        self.sites().iter().map(|site| 2 * site.channels).sum()
    }

    /// What stands in front of the first FiLM site, of images f32 `[N, C, H, W]`.
    ///
    /// # Errors
    ///
    /// If the images have another number of channels.
    pub fn stem(&self, images: &Tensor) -> Result<Tensor> {
        let size = images.size();
        if size.len() != 4 || size[1] != self.shape.channels as i64 {
            return Err(Error::data(format!(
                "images of shape {size:?} were given to a detector that takes [N, {}, height, width]",
                self.shape.channels
            )));
        }
        self.pass(Mode::Plain, |pass| {
            self.layers.stem(pass, &channels_last(images)?)
        })
    }

    /// Scores and codes with an adapter.
    ///
    /// # Errors
    ///
    /// If the adapter is that of another network; those of libtorch.
    pub fn output(&self, film: &Film<'_>, stem: &Tensor) -> Result<Output> {
        film.check(self.sites(), "detector")?;
        self.output_in(Mode::Film(film), stem)
    }

    /// Scores and codes of a population in one batched pass: `film` is cut from adapters `[P, D]`, and `stems` `[P * N, ..]` has `N`
    /// images of each candidate, one candidate after the other. One output a candidate.
    ///
    /// For devices that need large batches; on the CPU a pass for each candidate is faster.
    ///
    /// # Errors
    ///
    /// Those of [`output`](Self::output), or if the images cannot be shared out among the candidates.
    pub fn output_of_each(&self, film: &Film<'_>, stems: &Tensor) -> Result<Vec<Output>> {
        film.check(self.sites(), "detector")?;
        let candidates = film.population()?;
        let Output { logits, codes } = self.output_in(Mode::Population(film), stems)?;
        let [logits, codes] = [logits, codes].map(|rows| rows.f_chunk(candidates, 0));
        let outputs = logits?.into_iter().zip(codes?);
        Ok(outputs
            .map(|(logits, codes)| Output { logits, codes })
            .collect())
    }

    /// The same where all candidates share the images of one `stem` `[N, ..]`.
    ///
    /// # Errors
    ///
    /// Those of [`output_of_each`](Self::output_of_each).
    pub fn population_output(&self, film: &Film<'_>, stem: &Tensor) -> Result<Vec<Output>> {
        self.output_of_each(film, &for_each(film.population()?, stem)?)
    }

    /// Scores and codes without FiLM: the network as it was loaded.
    ///
    /// # Errors
    ///
    /// Those of libtorch.
    pub fn plain_output(&self, stem: &Tensor) -> Result<Output> {
        self.output_in(Mode::Plain, stem)
    }

    /// The weights with an adapter `[D]` folded in, under their own names.
    ///
    /// # Errors
    ///
    /// If the adapter does not fit.
    pub fn fold(&self, phi: &Tensor) -> Result<Weights> {
        let film = Film::of(phi, self.sites())?;
        Weights::folded(&self.layout, self.tensors.get(), &film)
    }

    fn output_in(&self, mode: Mode<'_>, stem: &Tensor) -> Result<Output> {
        self.pass(mode, |pass| {
            let [logits, codes] = self.layers.heads(pass, &channels_last(stem)?)?;
            Ok(Output { logits, codes })
        })
    }

    fn pass<T>(&self, mode: Mode<'_>, run: impl FnOnce(&Pass<'_>) -> Result<T>) -> Result<T> {
        run(&Pass {
            tensors: &self.tensors.get(),
            mode,
        })
    }
}

impl Shape {
    /// Weights to train from: as of [`initialise`](crate::initialise), but for the biases of the scores, which say that objects
    /// are rare.
    ///
    /// # Errors
    ///
    /// Those of libtorch.
    pub fn initialise(self, seed: u64) -> Result<Weights> {
        let mut layout = Layout::default();
        let biases = layers(&self, &mut layout).score_biases();
        let rare = -((1.0 - PRIOR) / PRIOR).ln();
        random(&layout, seed)?.replace(|name, tensor| {
            Ok(if biases.iter().any(|bias| bias == name) {
                tensor.f_full_like(rare)?
            } else {
                tensor
            })
        })
    }
}

/// The layers of a detector, with their tensors entered in the layout.
pub(super) fn layers(shape: &Shape, layout: &mut Layout) -> Box<dyn Layers> {
    let retinanet = |kind, blocks, layout: &mut Layout| -> Box<dyn Layers> {
        Box::new(retinanet::Retinanet::new(kind, blocks, shape, layout))
    };
    match shape.network {
        DetectorName::Tiny => Box::new(tiny::Tiny::new(shape, layout)),
        DetectorName::RetinanetResnet18 => retinanet(Kind::Basic, [2, 2, 2, 2], layout),
        DetectorName::RetinanetResnet50 => retinanet(Kind::Bottleneck, [3, 4, 6, 3], layout),
    }
}
