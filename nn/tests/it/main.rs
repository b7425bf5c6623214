//! Networks through their public interface.

mod cifar;
mod film;
mod python;
mod support;
mod training;
