//! The retrieval plugin: images that find others of their class by an embedding, with FiLM after every normalisation.
//!
//! [`config`] is what the user says; [`pretrain`] makes the network that a user would start from; `sampler` draws minibatches
//! with several images of each class; [`loss`] has the surrogates, one a file; `gallery` embeds whole splits; [`task`] puts all
//! of it behind the SDK's task trait.

pub mod config;
mod gallery;
pub mod loss;
pub mod pretrain;
mod sampler;
pub mod task;

use metricopt_sdk::register;

register!(task task::Retrieval);
