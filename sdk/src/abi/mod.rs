//! The C boundary between a host and a loaded plugin: ABI version 1.
//!
//! A plugin library exports one symbol, [`metricopt_plugin_v1`]. The host calls it once with a [`Host`] and receives a
//! [`Plugin`], which lists tables of C functions: a [`MetricTable`] for each metric, a [`TaskTable`] for each task. The
//! SDK defines the symbol: a Rust author writes `register!` and never sees this module. `include/metricopt.h` says the
//! same in C, for authors of another language; a test holds both to the same sizes and offsets.
//!
//! # Rules
//!
//! 1. Everything passed in is borrowed for the duration of the call. What the handshake hands over ([`Host`],
//!    [`Plugin`], tables and their texts) stays where it is for the life of the process: nothing is unloaded.
//! 2. Everything of variable length goes out through a callback of the caller: [`Sink`] for text, [`Emit`] for
//!    tensors. No memory changes its owner, so that both sides may use allocators of their own.
//! 3. Owned across the boundary are only handles, made by `create` and `open` and ended once by `destroy` and `close`,
//!    and the `at::Tensor` that `gradients` returns, whose reference count lives in the one libtorch of the process.
//! 4. A struct that begins with `size` only grows at its end: a reader takes what both sides know and zeroes the rest.
//!    A null function means "not offered". Lists of such structs are arrays of pointers.
//! 5. Nothing unwinds across the boundary: a panic becomes [`Status::PANIC`], and its handle is only destroyed.
//!
//! The ABI version changes only when a rule breaks, and with it the name of the symbol. What is added without breaking
//! one raises [`MINOR`], on which nobody is ever refused. Neither is the version of the product.
//!
//! One file a concept, both sides in it: what the plugin exports and how the host sees it.

mod failure;
mod handshake;
mod log;
mod metric;
mod table;
#[cfg(feature = "torch")]
mod task;
mod text;
mod types;
mod views;

pub use failure::Status;
pub use handshake::{Offer, PluginFn, in_process, metricopt_plugin_v1, negotiate, target};
pub use log::{Level, Logger, install_logger};
pub use types::{
    Batch, Call, Candidate, CreateMetric, DLDataType, DLDevice, DLTensor, Emit, Host, MetricTable,
    Open, Plugin, Rows, Sink, Str, TaskTable, View, direction, dlpack, kind, metric_flags,
};

/// Version of the ABI; the exported symbol ends in it.
pub const VERSION: u32 = 1;

/// Raised by what is added without breaking a rule.
pub const MINOR: u32 = 1;

/// Name of the exported symbol without the version.
pub const SYMBOL: &str = "metricopt_plugin_v";

/// The libtorch that tasks of this SDK are compiled against.
pub const LIBTORCH: &str = "2.11.0";
