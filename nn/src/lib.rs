//! Networks for images with FiLM after every normalisation layer.
//!
//! A [`Network`] is frozen; what changes is its adapter `phi`, looked at through [`Film`]. Its weights are
//! [`Weights`]: tensors under the names that the Python implementations give them. A network is made of a name and
//! weights by [`build`]; weights come from a file, or from [`initialise`] and [`train`].
//!
//! ```
//! use metricopt_nn::{Film, NetworkName, Precision, build, initialise};
//! use metricopt_sdk::tch::{Device, Kind, Tensor};
//!
//! let weights = initialise(NetworkName::Resnet8, 10, 1)?;
//! let network = build(NetworkName::Resnet8, 10, &weights, Device::Cpu, Precision::F32)?;
//! let phi = Tensor::zeros([network.dimensions() as i64], (Kind::Float, Device::Cpu));
//! let images = Tensor::zeros([2, 1, 8, 8], (Kind::Float, Device::Cpu));
//! let stem = network.stem(&images)?;
//! let logits = network.logits(&Film::of(&phi, network.sites())?, &stem)?;
//! assert_eq!(logits.size(), [2, 10]);
//! # Ok::<(), metricopt_sdk::Error>(())
//! ```

mod architecture;
mod conv4;
pub mod detector;

mod film;
mod initialise;
mod layers;
mod layout;
mod name;
mod nasnet;
mod network;
mod pass;
pub mod population;
mod precision;
mod resnet;
mod tensors;
mod train;
mod weights;

pub use film::Film;
pub use initialise::initialise;
pub use name::{Input, NetworkName};
pub use network::{Network, build};
pub use precision::Precision;
pub use train::{Minibatch, Objective, SHARDS, Start, Training, train};
pub use weights::Weights;
