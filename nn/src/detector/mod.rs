//! One-stage detectors with FiLM in backbone, pyramid and heads: a small one, and [RetinaNet](retinanet).
//!
//! [`Detector`] gives scores and codes of [`Anchors`]; [`coding`] turns codes into boxes and back, [`matching`] says which
//! anchor answers for which object, [`loss`] and [`ap_loss`] compare, [`detect`] keeps the boxes worth keeping, by [`nms`].
//!
//! ```
//! use metricopt_nn::Film;
//! use metricopt_nn::detector::{Anchors, Detector, DetectorName, Shape};
//! use metricopt_sdk::tch::{Device, Kind, Tensor};
//!
//! let shape = Shape::new(DetectorName::Tiny, 1, 10);
//! let detector = Detector::build(shape, &shape.initialise(1)?, Device::Cpu)?;
//! let phi = Tensor::zeros([detector.dimensions() as i64], (Kind::Float, Device::Cpu));
//! let images = Tensor::zeros([2, 1, 64, 64], (Kind::Float, Device::Cpu));
//! let output = detector.output(&Film::of(&phi, detector.sites())?, &detector.stem(&images)?)?;
//! let anchors = Anchors::new(DetectorName::Tiny, [64, 64]);
//! assert_eq!(output.logits.size(), [2, anchors.boxes().len() as i64, 10]);
//! # Ok::<(), metricopt_sdk::Error>(())
//! ```

mod anchors;
pub mod ap_loss;
pub mod coding;
pub mod detect;
mod grid;
mod layers;
pub mod loss;
pub mod matching;
mod name;
mod network;
pub mod nms;
pub mod retinanet;
mod shape;
mod tiny;
mod training;

pub use anchors::Anchors;
pub use name::DetectorName;
pub use network::{Detector, Output};
pub use shape::Shape;
pub use training::{Minibatch, Start, train};

/// A box: `x1, y1, x2, y2`, as points between pixels, so that its width is `x2 - x1`.
pub type Corners = [f32; 4];

/// Intersection over union; 0 where neither has an area.
pub(crate) fn overlap(a: &Corners, b: &Corners) -> f32 {
    let width = (a[2].min(b[2]) - a[0].max(b[0])).max(0.0);
    let height = (a[3].min(b[3]) - a[1].max(b[1])).max(0.0);
    let shared = width * height;
    let union = area(a) + area(b) - shared;
    if union > 0.0 { shared / union } else { 0.0 }
}

/// Width times height.
pub(crate) fn area(corners: &Corners) -> f32 {
    (corners[2] - corners[0]) * (corners[3] - corners[1])
}
