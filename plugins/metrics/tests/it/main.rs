//! The metrics as a host sees them: by name, with a configuration in JSON, on named tensors.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod degenerate;
mod detection;
mod golden;
mod hand_worked;
mod laws;
mod names;
mod properties;
mod retrieval;
mod support;
