//! The standard metrics of classification, retrieval and detection.
//!
//! | name | struct | reads | better |
//! |---|---|---|---|
//! | `mcr` | [`Mcr`] | decisions | lower |
//! | `accuracy` | [`Accuracy`] | decisions | higher |
//! | `balanced-error` | [`BalancedError`] | decisions | lower |
//! | `f1` | [`F1`] | decisions | higher |
//! | `g-mean` | [`GMean`] | decisions | higher |
//! | `jaccard` | [`Jaccard`] | decisions | higher |
//! | `macro-recall` | [`MacroRecall`] | decisions | higher |
//! | `worst-class-error` | [`WorstClassError`] | decisions | lower |
//! | `fbeta` | [`Fbeta`] | decisions | higher |
//! | `cohen-kappa` | [`CohenKappa`] | decisions | higher |
//! | `top-k-error` | [`TopKError`] | order within a sample | lower |
//! | `mcc` | [`Mcc`] | decisions | higher |
//! | `auroc` | [`Auroc`] | ranking | higher |
//! | `aucpr` | [`Aucpr`] | ranking | higher |
//! | `precision-at-recall` | [`PrecisionAtRecall`] | ranking | higher |
//! | `recall-at-precision` | [`RecallAtPrecision`] | ranking | higher |
//! | `log-loss` | [`LogLoss`] | probabilities | lower |
//! | `brier` | [`Brier`] | probabilities | lower |
//! | `ece` | [`Ece`] | probabilities | lower |
//! | `recall-at-k` | [`RecallAtK`] | embeddings | higher |
//! | `map-at-r` | [`MapAtR`] | embeddings | higher |
//! | `r-precision` | [`RPrecision`] | embeddings | higher |
//! | `mrr` | [`Mrr`] | embeddings | higher |
//! | `ndcg` | [`Ndcg`] | embeddings | higher |
//! | `voc-map` | [`VocMap`] | boxes | higher |
//! | `coco-map` | [`CocoMap`] | boxes | higher |
//! | `average-recall` | [`AverageRecall`] | boxes | higher |
//!
//! A metric of classification is one small file; [`Accuracy`] is the one to copy for a metric of your own. What several of
//! them share is in `counts.rs` (decisions), `ranking.rs` (the sort) and `probabilities.rs`. The metrics of embeddings share
//! a search, those of boxes much more: each kind has a folder, `retrieval` and `detection`.
//!
//! Binary scores `[N]` are the probability of class 1, the positive class; the decision is 1 from 0.5 on. Scores `[N,
//! C]` are one column a class, also where `C` is 2, and the decision is the largest. Metrics that only rank take any
//! finite scores. No samples at all is always an error; each metric says what else it does on degenerate input.
//!
//! ```
//! use metricopt_metrics::Aucpr;
//! use metricopt_sdk::{Classification, Metric};
//!
//! let input = Classification::binary(&[0.9, 0.7, 0.7, 0.1], &[1, 0, 1, 0])?;
//! assert_eq!(Aucpr {}.evaluate(input)?, 0.5 + 0.5 * (2.0 / 3.0));
//! # Ok::<(), metricopt_sdk::Error>(())
//! ```

mod accuracy;
mod aucpr;
mod auroc;
mod balanced_error;
mod brier;
mod cohen_kappa;
mod counts;
mod detection;
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
mod retrieval;
mod top_k_error;
mod worst_class_error;

pub use accuracy::Accuracy;
pub use aucpr::Aucpr;
pub use auroc::Auroc;
pub use balanced_error::BalancedError;
pub use brier::Brier;
pub use cohen_kappa::{CohenKappa, Weights};
pub use detection::{
    Areas, AverageRecall, ClassCurve, ClassValue, CocoMap, Interpolation, Ties, VocMap,
};
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
pub use retrieval::{Distance, MapAtR, Mrr, Ndcg, RPrecision, RecallAtK};
pub use top_k_error::TopKError;
pub use worst_class_error::WorstClassError;
