//! Recall at 1 of ten thousand embeddings that search each other.

use anyhow::Result;
use metricopt_metrics::RecallAtK;
use metricopt_sdk::{Call, Metric, Retrieval};

use crate::inputs::{Array, Uniform};
use crate::row::Row;

const ITEMS: usize = 10_000;
const DIMENSIONS: usize = 128;

/// Five items a class around a centre of their own.
fn predictions() -> (Vec<f32>, Vec<i64>) {
    let mut uniform = Uniform(1);
    let mut draw = || 2.0 * uniform.next() - 1.0;
    let classes = ITEMS / 5;
    let centres: Vec<f32> = (0..classes * DIMENSIONS).map(|_| draw()).collect();
    let labels = (0..ITEMS).map(|item| item % classes);
    let embeddings = labels
        .clone()
        .flat_map(|class| &centres[class * DIMENSIONS..][..DIMENSIONS])
        .map(|x| x + 1.5 * draw())
        .collect();
    (embeddings, labels.map(|class| class as i64).collect())
}

pub(crate) fn arrays() -> Vec<Array> {
    let (embeddings, labels) = predictions();
    vec![
        Array::f32("embeddings", &[ITEMS, DIMENSIONS], &embeddings),
        Array::i64("labels", &labels),
    ]
}

pub(crate) fn rows<'a>(call: &'a Call<'a>) -> Result<Vec<Row<'a>>> {
    let (embeddings, labels) = predictions();
    Ok(vec![Row {
        what: "recall-at-k".to_owned(),
        peer: "FAISS",
        target: Some(1.0),
        tolerance: 1e-9,
        ours: Box::new(move || {
            let input = Retrieval::new(&embeddings, DIMENSIONS, &labels)?;
            Ok(RecallAtK::default()
                .evaluate_many(&[input], call)?
                .first()
                .copied())
        }),
    }])
}
