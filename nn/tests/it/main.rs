//! Networks through their public interface.

mod cifar;
mod film;
mod initial;
mod population;
mod pytorch;
mod references;
mod shapes;
mod support;
mod training;
mod weights;
