//! Values computed by other libraries on the same embeddings, those of `predictions::generate`, in float64.
//!
//! | metric | source |
//! |---|---|
//! | `recall-at-k` with k = 1 | `precision_at_1` of pytorch-metric-learning 2.9.0 |
//! | `recall-at-k` | `RetrievalHitRate(top_k=k)` of torchmetrics 1.9.0 |
//! | `map-at-r`, `r-precision`, `mrr` | `AccuracyCalculator(k="max_bin_count" or None)` of pytorch-metric-learning 2.9.0 |
//! | `ndcg` | `ndcg_score(relevant, similarity, k=k)` of scikit-learn 1.9.1, without the queries left out and themselves |
//!
//! The nearest neighbours of pytorch-metric-learning are those of `CustomKNN`, by `CosineSimilarity()` or
//! `LpDistance(normalize_embeddings=False)`. No two distances from one query are nearer to each other than 8e-8, the order of
//! which rounding to `f32` could change; 26 of 120 classes have one item, and 18 of 90 queries nothing to find.

use serde_json::json;

use super::predictions::{Embedded, generate};

const TOLERANCE: f64 = 1e-12;

/// pytorch-metric-learning sums reciprocal ranks in `f32`.
const TOLERANCE_OF_MRR: f64 = 1e-7;

fn items() -> Embedded {
    Embedded {
        dimensions: 12,
        items: generate(300, 120, 12, 1),
        queries: None,
    }
}

fn with_queries() -> Embedded {
    Embedded {
        queries: Some(generate(90, 130, 12, 2)),
        ..items()
    }
}

#[test]
fn leave_one_out_by_cosine() {
    let expected = [
        ("recall-at-k", json!({}), 0.15328467153284672),
        ("recall-at-k", json!({"k": 5}), 103.0 / 274.0),
        ("map-at-r", json!({}), 0.09804339010543389),
        ("r-precision", json!({}), 0.12737226277372266),
        ("ndcg", json!({"k": 3}), 0.14966362426814694),
        ("ndcg", json!({}), 0.2194975261587251),
        ("ndcg", json!({"k": 299}), 0.3948947887745005),
    ];
    items().assert_values(TOLERANCE, &expected);
    let mrr = ("mrr", json!({}), 0.2747136354446411);
    items().assert_values(TOLERANCE_OF_MRR, &[mrr]);
}

#[test]
fn leave_one_out_by_l2() {
    let l2 = |k: usize| json!({"k": k, "distance": "l2"});
    let expected = [
        ("recall-at-k", l2(1), 0.13138686131386862),
        ("recall-at-k", l2(5), 92.0 / 274.0),
        ("map-at-r", json!({"distance": "l2"}), 0.08153690186536902),
        (
            "r-precision",
            json!({"distance": "l2"}),
            0.10833333333333332,
        ),
        ("ndcg", l2(3), 0.1258453167867082),
        ("ndcg", l2(10), 0.18750856061159188),
        ("ndcg", l2(299), 0.37240793853159115),
    ];
    items().assert_values(TOLERANCE, &expected);
    let mrr = ("mrr", json!({"distance": "l2"}), 0.241335928440094);
    items().assert_values(TOLERANCE_OF_MRR, &[mrr]);
}

#[test]
fn queries_by_cosine() {
    let expected = [
        ("recall-at-k", json!({}), 0.027777777777777776),
        ("recall-at-k", json!({"k": 5}), 8.0 / 72.0),
        ("map-at-r", json!({}), 0.025655864197530867),
        ("r-precision", json!({}), 0.03356481481481481),
        ("ndcg", json!({"k": 3}), 0.033034830968806675),
        ("ndcg", json!({}), 0.056844878841869076),
        ("ndcg", json!({"k": 300}), 0.23659651417319502),
    ];
    with_queries().assert_values(TOLERANCE, &expected);
    let mrr = ("mrr", json!({}), 0.07570980489253998);
    with_queries().assert_values(TOLERANCE_OF_MRR, &[mrr]);
}

#[test]
fn queries_by_l2() {
    let l2 = |k: usize| json!({"k": k, "distance": "l2"});
    let expected = [
        ("recall-at-k", l2(1), 0.013888888888888888),
        ("recall-at-k", l2(5), 7.0 / 72.0),
        ("map-at-r", json!({"distance": "l2"}), 0.02372685185185185),
        (
            "r-precision",
            json!({"distance": "l2"}),
            0.03356481481481481,
        ),
        ("ndcg", l2(3), 0.03585655745159536),
        ("ndcg", l2(10), 0.06137071149558679),
        ("ndcg", l2(300), 0.23801320841038207),
    ];
    with_queries().assert_values(TOLERANCE, &expected);
    let mrr = ("mrr", json!({"distance": "l2"}), 0.07603749632835388);
    with_queries().assert_values(TOLERANCE_OF_MRR, &[mrr]);
}
