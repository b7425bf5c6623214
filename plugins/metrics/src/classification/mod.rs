//! Metrics of classification, one small file each.
//!
//! What several of them share is in `counts.rs` (decisions), `ranking.rs` (the sort) and `probabilities.rs`.

mod accuracy;
mod aucpr;
mod auroc;
mod balanced_error;
mod brier;
mod cohen_kappa;
mod counts;
mod ece;
mod f1;
mod fbeta;
mod g_mean;
mod jaccard;
mod log_loss;
mod macro_recall;
mod mcc;
mod mcr;
mod precision_at_recall;
mod probabilities;
mod ranking;
mod recall_at_precision;
mod top_k_error;
mod worst_class_error;

pub use accuracy::Accuracy;
pub use aucpr::Aucpr;
pub use auroc::Auroc;
pub use balanced_error::BalancedError;
pub use brier::Brier;
pub use cohen_kappa::{CohenKappa, Weights};
pub use ece::Ece;
pub use f1::F1;
pub use fbeta::{Average, Fbeta};
pub use g_mean::GMean;
pub use jaccard::Jaccard;
pub use log_loss::LogLoss;
pub use macro_recall::MacroRecall;
pub use mcc::Mcc;
pub use mcr::Mcr;
pub use precision_at_recall::PrecisionAtRecall;
pub use recall_at_precision::RecallAtPrecision;
pub use top_k_error::TopKError;
pub use worst_class_error::WorstClassError;
