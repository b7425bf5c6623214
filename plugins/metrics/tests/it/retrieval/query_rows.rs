//! Only some items as queries: each searches all items but itself.

use metricopt_metrics::{MapAtR, RecallAtK};
use metricopt_sdk::{ErrorKind, Metric, Retrieval};

use crate::support::assert_close;

/// On a line by angle: 0 and 1 are neighbours of one class, 2 of the other is nearest to 3, and 4 stands alone.
const EMBEDDINGS: [f32; 10] = [1.0, 0.0, 1.0, 0.1, 1.0, 0.5, 1.0, 0.4, 1.0, 2.0];
const LABELS: [i64; 5] = [1, 1, 2, 1, 2];

fn items() -> Retrieval<'static> {
    Retrieval::new(&EMBEDDINGS, 2, &LABELS).unwrap()
}

#[test]
fn a_query_never_finds_itself_and_finds_items_that_are_no_queries() {
    let recall = |rows: &[i64]| {
        let input = items().with_query_rows(rows).unwrap();
        RecallAtK::default().evaluate(input).unwrap()
    };
    // 0 and 1 find each other; 2 finds 3, 3 finds 2, 4 finds 2.
    assert_eq!(
        [0, 1, 2, 3, 4].map(|row| recall(&[row])),
        [1.0, 1.0, 0.0, 0.0, 1.0]
    );
    assert_eq!(recall(&[0, 2]), 0.5);
    // A row that stands there twice counts twice.
    assert_close(recall(&[0, 2, 2]), 1.0 / 3.0, 1e-12, "recall-at-k");
}

#[test]
fn all_rows_are_no_restriction() {
    let input = items().with_query_rows(&[4, 3, 2, 1, 0]).unwrap();
    let metric = MapAtR::default();
    let whole = metric.evaluate(items()).unwrap();
    assert_eq!(metric.evaluate(input).unwrap(), whole);
    let single = |row: i64| {
        metric
            .evaluate(items().with_query_rows(&[row]).unwrap())
            .unwrap()
    };
    let mean = (0..5).map(single).sum::<f64>() / 5.0;
    assert_close(mean, whole, 1e-12, "map-at-r");
}

#[test]
fn rows_without_anything_to_find_have_no_value() {
    let items = Retrieval::new(&EMBEDDINGS[..6], 2, &[1, 1, 2]).unwrap();
    let input = items.with_query_rows(&[2]).unwrap();
    let error = RecallAtK::default().evaluate(input).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Undefined);
}
