//! Networks through their public interface.

mod cifar;
mod film;
mod support;
mod training;
