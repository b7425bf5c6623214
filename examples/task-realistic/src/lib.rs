//! A task as one would ship it: readings of machines, and which of them are about to fail. `task-smallest` is the other
//! end of the scale.
//!
//! | file | what it is about |
//! |---|---|
//! | `config` | what users can set, and what they are told if it is out of range |
//! | `data` | a CSV file or readings made up; random order, splits, standardisation |
//! | `network` | the network with its FiLM sites, for many adapters in one pass |
//! | `pretrain` | how it is trained, and kept in the cache folder |
//! | `task` | the contract with the host |

mod config;
mod data;
mod network;
mod pretrain;
mod task;

pub use config::Config;
pub use task::Machines;
