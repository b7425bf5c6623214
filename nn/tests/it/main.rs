//! Networks through their public interface.

mod cifar;
mod film;
mod pytorch;
mod references;
mod support;
mod training;
