//! The classification plugin: images and a convolutional network with FiLM after every normalisation.
//!
//! [`config`] is what the user says; [`pretrain`] makes the network that a user would start from, kept by `cache`; `sites`
//! says where it is tuned; `part` holds the images of a split, and their activations in front of the first FiLM site where that
//! pays; [`task`] puts all of it behind the SDK's task trait.

mod cache;
pub mod config;
mod loss;
mod part;
mod pixels;
pub mod pretrain;
mod sites;
pub mod task;

use metricopt_sdk::register;

register!(task task::Classification);
