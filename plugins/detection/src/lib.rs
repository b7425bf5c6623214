//! The detection plugin: images with boxes and a small one-stage detector with FiLM after every normalisation.
//!
//! [`config`] is what the user says; [`pretrain`] makes the detector that a user would start from, kept by `cache`; `part` holds
//! the images of a split, and their activations in front of the first FiLM site where that pays; `truth` the true boxes;
//! `found` turns outputs into predictions; [`task`] puts all of it behind the SDK's task trait.

pub mod config;
mod found;
mod minibatch;
mod part;
pub mod pretrain;
pub mod task;
mod truth;

use metricopt_sdk::register;

register!(task task::Detection);
