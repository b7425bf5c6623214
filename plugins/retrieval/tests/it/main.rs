//! The plugin through its public interface.
#![expect(
    clippy::unwrap_used,
    reason = "what a test cannot go on without fails it"
)]

mod losses;
mod task;
