//! The classification plugin: images and a convolutional network with FiLM after every normalisation.
//!
//! [`config`] is what the user says; [`pretrain`] makes the network that a user would start from; [`task`] puts all of it behind
//! the SDK's task trait. What it shares with other plugins for images is `metricopt-vision`.

pub mod config;
mod loss;
pub mod pretrain;
pub mod task;

use metricopt_sdk::register;

register!(task task::Classification);
