//! Repeating the published numbers: which runs, how they are run, what they must show, and the tables.

pub mod a9a;
mod claim;
pub mod covtype;
mod experiment;
mod runner;
mod statistics;
mod summary;
mod tables;

pub use claim::{Claim, Expected};
pub use experiment::Experiment;
pub use runner::{Results, Runner};
pub use statistics::{mean, standard_deviation, t_interval};
pub use summary::Summary;
pub use tables::{claim_table, method_tables};
