//! The tabular plugin: tables with a binary label and a multilayer perceptron.
//!
//! [`data`] reads and splits tables, [`pretrain`] makes the network a user would start from, `network` and `film` are
//! that network with FiLM in front of every hidden activation, `fold` takes FiLM out again, and [`task`] puts them behind
//! the SDK's task trait.

mod cache;
pub mod data;
mod film;
mod fold;
mod network;
pub mod pretrain;
pub mod task;

use metricopt_sdk::register;

register!(task task::Tabular);
