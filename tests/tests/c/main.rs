//! Plugins in C: `metricopt.h` is in step with the SDK, its helpers are safe, and the metrics of `examples/c` are those
//! of their Rust twins. The C and C++ compilers are `$CC` and `$CXX`, else `cc` and `c++`.
#![expect(
    clippy::unwrap_used,
    reason = "what a test cannot go on without fails it"
)]

mod compiler;
mod config;
mod header;
mod layout;
mod library;
mod twins;
