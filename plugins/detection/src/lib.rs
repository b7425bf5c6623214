//! The detection plugin: images with boxes and a one-stage detector with FiLM after every normalisation: a small one, or RetinaNet.
//!
//! [`config`] is what the user says; [`pretrain`] makes the detector that a user would start from, kept by `cache`; `weights` takes over
//! one of torchvision; `pixels` is what stands between bytes and a detector; `part` holds the images of a split, and their activations in front of the first FiLM site where that pays; `truth` the true boxes;
//! `found` turns outputs into predictions; `side_by_side` is how a GPU works on many adapters; [`task`] puts all of it behind the SDK's task trait.

pub mod config;
mod found;
mod minibatch;
mod part;
mod pixels;
pub mod pretrain;
mod side_by_side;
pub mod task;
mod truth;
mod weights;

use metricopt_sdk::register;

register!(task task::Detection);
