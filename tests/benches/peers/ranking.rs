//! Metrics of a million binary scores.

use anyhow::Result;
use metricopt_metrics::{Aucpr, Auroc, F1};
use metricopt_sdk::{Call, Classification, Metric};
use std::rc::Rc;

use crate::inputs::{Array, Uniform};
use crate::row::Row;

const SCORES: usize = 1_000_000;

/// Uniform scores, of which the higher are the likelier positive.
fn predictions() -> (Vec<f32>, Vec<i64>) {
    let mut uniform = Uniform(1);
    let draw = |_| {
        let score = uniform.next();
        (score, i64::from(uniform.next() < score))
    };
    (0..SCORES).map(draw).unzip()
}

pub(crate) fn arrays() -> Vec<Array> {
    let (scores, labels) = predictions();
    vec![
        Array::f32("scores", &[SCORES], &scores),
        Array::i64("labels", &labels),
    ]
}

pub(crate) fn rows<'a>(call: &'a Call<'a>) -> Result<Vec<Row<'a>>> {
    let predictions = Rc::new(predictions());
    let mut rows = Vec::new();
    both(
        "aucpr",
        Aucpr {},
        &predictions,
        call,
        [10.0, 8.0].map(Some),
        &mut rows,
    );
    both("auroc", Auroc {}, &predictions, call, [None; 2], &mut rows);
    both("f1", F1 {}, &predictions, call, [None; 2], &mut rows);
    Ok(rows)
}

/// The rows of a metric against scikit-learn and torchmetrics.
fn both<'a, M>(
    what: &str,
    metric: M,
    predictions: &Rc<(Vec<f32>, Vec<i64>)>,
    call: &'a Call<'a>,
    targets: [Option<f64>; 2],
    rows: &mut Vec<Row<'a>>,
) where
    M: for<'i> Metric<Input<'i> = Classification<'i>> + Clone + 'a,
{
    for (peer, target) in ["scikit-learn", "torchmetrics"].into_iter().zip(targets) {
        let (metric, predictions) = (metric.clone(), predictions.clone());
        rows.push(Row {
            what: what.to_owned(),
            peer,
            target,
            // Sums of a million terms in single precision.
            tolerance: 1e-3,
            ours: Box::new(move || {
                // The checks of the input are part of it, as they are of theirs.
                let input = Classification::binary(&predictions.0, &predictions.1)?;
                Ok(metric.evaluate_many(&[input], call)?.first().copied())
            }),
        });
    }
}
