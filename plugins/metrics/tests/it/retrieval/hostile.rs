use metricopt_sdk::{Data, ErrorKind, View, Views};
use serde_json::{Value, json};

use super::predictions::Embedded;
use crate::support::evaluate;

const NAMES: [&str; 5] = ["recall-at-k", "map-at-r", "r-precision", "mrr", "ndcg"];

#[track_caller]
fn assert_undefined(input: &Embedded, message: &str) {
    for name in NAMES {
        let error = input.evaluate(name, &json!({})).unwrap_err();
        let found = (error.kind(), error.to_string());
        assert_eq!(found, (ErrorKind::Undefined, message.to_owned()), "{name}");
        assert_eq!(error.hints().len(), 1, "{name}");
    }
}

#[test]
fn nothing_to_find() {
    let none = "no two items are of one class";
    assert_undefined(&Embedded::new(3, &[], &[]), none);
    assert_undefined(&Embedded::new(2, &[1.0, 0.0], &[3]), none);
    assert_undefined(&Embedded::new(1, &[1.0, 2.0, 3.0], &[3, 1, 2]), none);
    let none = "no item is of the class of a query";
    let items = Embedded::new(1, &[1.0, 2.0], &[3, 3]);
    assert_undefined(&items.clone().with_queries(&[], &[]), none);
    assert_undefined(&items.with_queries(&[1.0, 2.0], &[2, 4]), none);
    let empty = Embedded::new(1, &[], &[]).with_queries(&[1.0], &[2]);
    assert_undefined(&empty, none);
}

/// All right whatever the embeddings.
#[test]
fn one_class_only() {
    let embeddings: Vec<f32> = (0..3 * 150_u16).map(|at| f32::from(at % 7)).collect();
    let input = Embedded::new(3, &embeddings, &[-4; 150]);
    for name in NAMES {
        for distance in ["cosine", "l2"] {
            let value = input.evaluate(name, &json!({"distance": distance}));
            assert_eq!(value.unwrap(), 1.0, "{name} {distance}");
        }
    }
}

/// Every item in one point: only the rows order them.
#[test]
fn one_point_only() {
    let input = Embedded::new(2, &[0.5; 8], &[1, 2, 2, 1]);
    // Ranks of the other of the class: 2, 1, 1, 0.
    let expected = (1.0 / 3.0 + 0.5 + 0.5 + 1.0) / 4.0;
    input.assert_values(
        1e-15,
        &[
            ("mrr", json!({}), expected),
            ("recall-at-k", json!({}), 0.25),
        ],
    );
}

#[test]
fn configurations_out_of_range() {
    let input = Embedded::new(1, &[1.0, 2.0], &[3, 3]);
    for name in ["recall-at-k", "ndcg"] {
        let error = input.evaluate(name, &json!({"k": 0})).unwrap_err();
        assert_eq!(
            (error.kind(), error.to_string().as_str()),
            (ErrorKind::Configuration, "`k` is 0, expected 1 or more")
        );
        let largest = json!({"k": usize::MAX});
        assert_eq!(input.evaluate(name, &largest).unwrap(), 1.0);
    }
    let wrong: [Value; 3] = [
        json!({"distance": "manhattan"}),
        json!({"distance": 2}),
        json!({"radius": 1}),
    ];
    for (name, config) in NAMES
        .iter()
        .flat_map(|name| wrong.iter().map(move |config| (name, config)))
    {
        let error = input.evaluate(name, config).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Configuration, "{name} {config}");
    }
    let error = input.evaluate("mrr", &wrong[0]).unwrap_err().to_string();
    assert!(
        error.contains("`cosine`") && error.contains("`l2`"),
        "{error}"
    );
}

#[test]
fn tensors_that_do_not_fit() {
    let refusal = |shape: &[usize], embeddings: &[f32], labels: &[i64]| {
        let rows = [labels.len()];
        let tensors = [
            View::new("embeddings", shape, Data::F32(embeddings)).unwrap(),
            View::new("labels", &rows, Data::I64(labels)).unwrap(),
        ];
        let error = evaluate("map-at-r", &json!({}), &Views::new(&tensors)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Data);
        error.to_string()
    };
    assert_eq!(
        refusal(&[2, 2], &[0.0, 1.0, f32::NAN, 1.0], &[1, 1]),
        "tensor `embeddings` holds NaN at element 2"
    );
    assert_eq!(
        refusal(&[2, 0], &[], &[1, 1]),
        "tensor `embeddings` has no columns"
    );
    assert_eq!(
        refusal(&[4], &[0.0; 4], &[1, 1]),
        "tensor `embeddings` has shape [4], expected [N, D]"
    );
    assert_eq!(
        refusal(&[2, 2], &[0.0; 4], &[1, 1, 1]),
        "tensor `labels` has shape [3], expected [2]"
    );
}
