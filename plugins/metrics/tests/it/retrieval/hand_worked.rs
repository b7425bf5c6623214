use serde_json::json;

use super::predictions::Embedded;

/// Items on a line; classes 7 and 9 have one item each. As queries the items of class 5 see:
///
/// ```text
/// 0:  1 (other), 3, 5, 20 (other)
/// 3:  1 (other) and 5 equally near, 0, 20 (other)
/// 5:  3, 1 (other), 0, 20 (other)
/// ```
#[test]
fn on_a_line() {
    let ideal = 1.0 + 1.0 / 3.0_f64.log2();
    let late = (1.0 / 3.0_f64.log2() + 0.5) / ideal;
    let split = 1.5 / ideal;
    let first = Embedded::new(1, &[0.0, 1.0, 3.0, 5.0, 20.0], &[5, 7, 5, 5, 9]);
    first.assert_values(
        1e-15,
        &[
            ("recall-at-k", json!({"distance": "l2"}), 1.0 / 3.0),
            ("recall-at-k", json!({"k": 2, "distance": "l2"}), 1.0),
            ("recall-at-k", json!({"k": 100, "distance": "l2"}), 1.0),
            (
                "map-at-r",
                json!({"distance": "l2"}),
                (0.25 + 0.25 + 0.5) / 3.0,
            ),
            ("r-precision", json!({"distance": "l2"}), 0.5),
            ("mrr", json!({"distance": "l2"}), (0.5 + 0.5 + 1.0) / 3.0),
            ("ndcg", json!({"k": 1, "distance": "l2"}), 1.0 / 3.0),
            (
                "ndcg",
                json!({"k": 3, "distance": "l2"}),
                (late + late + split) / 3.0,
            ),
            (
                "ndcg",
                json!({"distance": "l2"}),
                (late + late + split) / 3.0,
            ),
        ],
    );
    // The item at 1 in the last row: behind the one at 5, which is equally near to 3.
    let last = Embedded::new(1, &[0.0, 3.0, 5.0, 20.0, 1.0], &[5, 5, 5, 9, 7]);
    last.assert_values(
        1e-15,
        &[
            ("recall-at-k", json!({"distance": "l2"}), 2.0 / 3.0),
            (
                "map-at-r",
                json!({"distance": "l2"}),
                (0.25 + 0.5 + 0.5) / 3.0,
            ),
            ("mrr", json!({"distance": "l2"}), (0.5 + 1.0 + 1.0) / 3.0),
        ],
    );
}

/// The query at 3 sees 3, 1 (other) before 5, 0, 20 (other); the one at 2 sees 1 before 3 (other); there is no item of
/// the class of the third.
#[test]
fn queries_of_their_own() {
    let input = Embedded::new(1, &[0.0, 1.0, 3.0, 5.0, 20.0], &[5, 7, 5, 5, 9])
        .with_queries(&[3.0, 2.0, 9.0], &[5, 7, 4]);
    let ideal = 1.0 + 1.0 / 3.0_f64.log2() + 0.5;
    let gained = 1.0 + 0.5 + 1.0 / 5.0_f64.log2();
    input.assert_values(
        1e-15,
        &[
            ("recall-at-k", json!({"distance": "l2"}), 1.0),
            (
                "map-at-r",
                json!({"distance": "l2"}),
                ((1.0 + 2.0 / 3.0) / 3.0 + 1.0) / 2.0,
            ),
            (
                "r-precision",
                json!({"distance": "l2"}),
                (2.0 / 3.0 + 1.0) / 2.0,
            ),
            ("mrr", json!({"distance": "l2"}), 1.0),
            (
                "ndcg",
                json!({"distance": "l2"}),
                (gained / ideal + 1.0) / 2.0,
            ),
        ],
    );
}

/// The cosine does not see lengths, and a vector of zeros is equally far from all.
#[test]
fn cosine_and_zero_vectors() {
    let input = Embedded::new(
        2,
        &[0.0, 0.0, 3.0, 0.0, 0.0, 0.25, -100.0, 0.0],
        &[1, 1, 2, 2],
    );
    input.assert_values(
        1e-15,
        &[
            (
                "mrr",
                json!({"distance": "cosine"}),
                (1.0 + 1.0 + 1.0 / 3.0 + 0.5) / 4.0,
            ),
            ("recall-at-k", json!({"k": 2}), 3.0 / 4.0),
        ],
    );
}

/// Squares of these overflow or vanish in `f32`.
#[test]
fn distances_of_any_magnitude() {
    for scale in [1e-38_f32, 1e-30, 1e30, 1e37] {
        let line = [0.0, 1.0, 3.0, 5.0, 20.0].map(|x| x * scale);
        let input = Embedded::new(1, &line, &[5, 7, 5, 5, 9]);
        let config = json!({"distance": "l2"});
        input.assert_values(1e-15, &[("r-precision", config, 0.5)]);
        let plane: Vec<f32> = line.iter().flat_map(|&x| [x, scale]).collect();
        // By angle 1 is farther from 3, 5 and 20 than these are from each other, and nearest to 0.
        let input = Embedded::new(2, &plane, &[5, 7, 5, 5, 5]);
        input.assert_values(1e-15, &[("r-precision", json!({}), 2.0 / 3.0)]);
    }
}
