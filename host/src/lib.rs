//! The host of metricopt: engine, configuration, run directories and command line.
//!
//! The host knows no dataset, no network and no metric: those come from plugins, which [`builtin`] names and
//! [`registry`] finds.

pub mod builtin;
pub mod cli;
pub mod config;
pub mod deterministic;
pub mod device;
pub mod engine;
pub mod exec_metric;
pub mod foreign;
pub mod interrupt;
pub mod libtorch;
pub mod loader;
pub mod metric_spec;
pub mod numbers;
pub mod peak_memory;
pub mod predictions_file;
pub mod registry;
pub mod report;
pub mod run;
pub mod scaffold;
pub mod suggest;
