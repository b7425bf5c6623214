//! `comparison.html`: many methods over many seeds as one page, from `comparison.json` alone.

mod data;
mod figures;
mod page;
mod progress;

use metricopt_sdk::Result;
use std::path::Path;

pub use data::{Comparison, FILE as DATA_FILE};

/// Name of the page in the directory of a comparison.
pub const FILE: &str = "comparison.html";

/// The page of a comparison.
///
/// # Errors
///
/// If it did not finish, or `comparison.json` is damaged.
pub fn of_comparison(directory: &Path) -> Result<String> {
    Ok(page::page(&Comparison::read(directory)?))
}
