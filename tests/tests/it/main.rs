//! End to end: what a person or a script sees of the real `host`.
#![expect(
    clippy::unwrap_used,
    reason = "what a test cannot go on without fails it"
)]

mod bad_input;
mod bench;
mod browser;
mod check_metric;
mod classification;
mod coco;
mod command_line;
mod compare;
mod comparison_page;
mod configuration;
mod data;
mod detection;
mod determinism;
mod device;
mod estimate;
mod exec_metric;
mod export;
mod interruption;
mod json;
mod learned;
mod manual;
mod misbehaving;
mod new;
mod pages;
mod plugins;
mod products;
mod refusals;
mod report;
mod reproduce;
mod results;
mod resume;
mod retrieval;
mod reuse;
mod score;
mod slow;
mod structure;
mod support;
mod tables;
mod tensorboard;
mod variants;
