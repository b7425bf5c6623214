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
//! Each kind has a folder: `classification`, one small file a metric, [`Accuracy`] the one to copy for a metric of your
//! own; `retrieval`, which shares a search; `detection`, which shares the matching.
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

mod classification;
mod detection;
mod retrieval;

pub use classification::{
    Accuracy, Aucpr, Auroc, Average, BalancedError, Brier, CohenKappa, Ece, F1, Fbeta, GMean,
    Jaccard, LogLoss, MacroRecall, Mcc, Mcr, PrecisionAtRecall, RecallAtPrecision, TopKError,
    Weights, WorstClassError,
};
pub use detection::{
    Areas, AverageRecall, ClassCurve, ClassValue, CocoMap, Interpolation, Ties, VocMap,
};
pub use retrieval::{Distance, MapAtR, Mrr, Ndcg, RPrecision, RecallAtK};
