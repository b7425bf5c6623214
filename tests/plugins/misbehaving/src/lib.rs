//! Metrics and a task that do on purpose what a plugin must not, for the end-to-end tests: loaded from a file, and
//! compiled into a host of their own.

mod allocator;
mod lawless;
mod metric;
mod task;
