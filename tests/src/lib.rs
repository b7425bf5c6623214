//! What the end-to-end tests and the program `reproduce` need.
//!
//! [`reproduce`] repeats the published numbers with the real `host`. The tests themselves are in `tests/it`.

pub mod reproduce;
