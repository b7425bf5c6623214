//! Metrics of retrieval: for each query, where the items of its class stand among all items by distance.
//!
//! Without queries of their own each item is a query that never retrieves itself (leave-one-out); a query for which
//! there is no other item of its class is left out. With `query_rows` only the items at these rows are queries, to all
//! other items. All metrics are the mean over the queries of a number that follows
//! from the ranks of the relevant items, which `search.rs` finds.
//!
//! The **rank** of an item for a query is the number of items nearer to it, plus the number of items equally near with a
//! smaller row. Distances are computed in `f32` ([`Distance`]), one component after the other, so that equal embeddings
//! are always equally near, on every machine and for every number of threads; two items whose distances differ by less
//! than rounding may come in either order, or as a tie, in another implementation.

mod classes;
mod distance;
mod map_at_r;
mod mrr;
mod ndcg;
mod panels;
mod r_precision;
mod ranking;
mod recall_at_k;
mod search;

pub use distance::Distance;
pub use map_at_r::MapAtR;
pub use mrr::Mrr;
pub use ndcg::Ndcg;
pub use r_precision::RPrecision;
pub use recall_at_k::RecallAtK;

use metricopt_sdk::{Error, Result};

/// What `k` may be.
fn check_k(k: usize) -> Result<()> {
    if k > 0 {
        return Ok(());
    }
    Err(Error::configuration("`k` is 0, expected 1 or more"))
}
