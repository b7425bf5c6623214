//! Networks through their public interface.
#![expect(
    clippy::unwrap_used,
    reason = "what a test cannot go on without fails it"
)]

mod ap_loss;
mod cifar;
mod detector;
mod film;
mod initial;
mod population;
mod precision;
mod references;
mod retinanet;
mod shapes;
mod support;
mod torchvision;
mod training;
mod weights;
