//! Retrieval: the queries are drawn again, what they search stays as it is.

use metricopt_sdk::{Call, Data, DynMetric, Error, Predictions, Result, Retrieval, View, Views};

use super::Units;
use crate::engine::predictions::{self, Emitted};
use crate::numbers::OwnedTensor;

/// Names of the tensors that are about the queries.
const ROWS: &str = "query_rows";
const EMBEDDINGS: &str = "query_embeddings";
const LABELS: &str = "query_labels";

/// The queries of one model.
pub struct Queries(Form);

/// By what a sample is evaluated.
enum Form {
    /// The metric is a mean over queries: their numbers, in the order in which they are added up, and how many queries there
    /// are, those included that are left out.
    Mean(Vec<(usize, f64)>, usize),
    /// The items at these rows are queries.
    Rows(Emitted, Vec<i64>),
    /// The queries are no items: these are kept apart, with their dimension.
    Own {
        items: Emitted,
        embeddings: Vec<f32>,
        labels: Vec<i64>,
        dimensions: usize,
    },
}

impl Queries {
    /// Of the predictions of one model. Where the metric is a mean over queries it is asked for its terms now and never again.
    ///
    /// # Errors
    ///
    /// If the tensors are none of retrieval; those of the metric.
    pub fn new(views: &Views<'_>, metric: &dyn DynMetric, call: &Call<'_>) -> Result<Self> {
        let input = Retrieval::from_views(views)?;
        let all = match (input.query_labels(), input.query_rows()) {
            (Some(labels), _) => labels.len(),
            (None, Some(rows)) => {
                return Ok(Self(Form::Rows(items(views)?, rows.to_vec())));
            }
            (None, None) => input.len(),
        };
        if let Some(values) = metric.unit_values(views, call) {
            return Ok(Self(Form::Mean(values?, all)));
        }
        let items = items(views)?;
        Ok(Self(
            match (input.query_embeddings(), input.query_labels()) {
                (Some(embeddings), Some(labels)) => Form::Own {
                    items,
                    embeddings: embeddings.to_vec(),
                    labels: labels.to_vec(),
                    dimensions: input.dimensions(),
                },
                _ => Form::Rows(items, (0..all as i64).collect()),
            },
        ))
    }
}

/// The tensors that are not about the queries.
fn items(views: &Views<'_>) -> Result<Emitted> {
    let mut tensors = predictions::copy(views)?;
    tensors.retain(|tensor| ![ROWS, EMBEDDINGS, LABELS].contains(&tensor.name.as_str()));
    Ok(tensors)
}

impl Units for Queries {
    fn count(&self) -> usize {
        match &self.0 {
            Form::Mean(_, count) => *count,
            Form::Rows(_, rows) => rows.len(),
            Form::Own { labels, .. } => labels.len(),
        }
    }

    fn evaluate(&self, sample: &[u32], metric: &dyn DynMetric, call: &Call<'_>) -> Result<f64> {
        let evaluate = |items: &Emitted, drawn: &[View<'_>]| {
            let views: Result<Vec<View<'_>>> = items.iter().map(OwnedTensor::view).collect();
            let mut views = views?;
            views.extend_from_slice(drawn);
            metric.evaluate(&Views::new(&views), call)
        };
        match &self.0 {
            Form::Mean(values, count) => mean_of(values, *count, sample),
            Form::Rows(items, rows) => {
                let drawn: Vec<i64> = sample.iter().map(|&unit| rows[unit as usize]).collect();
                let shape = [drawn.len()];
                evaluate(items, &[View::new(ROWS, &shape, Data::I64(&drawn))?])
            }
            Form::Own {
                items,
                embeddings,
                labels,
                dimensions,
            } => {
                let places = || sample.iter().map(|&unit| unit as usize);
                let embedding = |at: usize| &embeddings[at * dimensions..][..*dimensions];
                let of_drawn: Vec<f32> = places().flat_map(embedding).copied().collect();
                let labels: Vec<i64> = places().map(|at| labels[at]).collect();
                let shape = [labels.len(), *dimensions];
                evaluate(
                    items,
                    &[
                        View::new(EMBEDDINGS, &shape, Data::F32(&of_drawn))?,
                        View::new(LABELS, &shape[..1], Data::I64(&labels))?,
                    ],
                )
            }
        }
    }
}

/// The mean of the values of the drawn units, each as often as it was drawn and in the place that it has among all: the same
/// additions as the metric makes on the drawn queries.
fn mean_of(values: &[(usize, f64)], count: usize, sample: &[u32]) -> Result<f64> {
    let mut times = vec![0_u32; count];
    for &unit in sample {
        times[unit as usize] += 1;
    }
    let (mut sum, mut terms) = (0.0, 0_u64);
    for &(unit, value) in values {
        let times = times.get(unit).copied().unwrap_or(0);
        for _ in 0..times {
            sum += value;
        }
        terms += u64::from(times);
    }
    match terms {
        0 => Err(Error::undefined("no drawn query has anything to find")),
        terms => Ok(sum / terms as f64),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metric_spec::MetricSpec;
    use crate::registry::Registry;

    const CALL: Call<'static> = Call {
        threads: 1,
        cancelled: &|| false,
    };

    fn metric(name: &str) -> Box<dyn DynMetric> {
        let registry = Registry::built_in().unwrap();
        let spec = MetricSpec::parse(name).unwrap();
        spec.create(&registry).unwrap().1
    }

    /// As a metric of a loaded library, which does not say what it is the mean of.
    struct Silent<'a>(&'a dyn DynMetric);

    impl DynMetric for Silent<'_> {
        fn evaluate(&self, views: &Views<'_>, call: &Call<'_>) -> Result<f64> {
            self.0.evaluate(views, call)
        }

        fn config(&self) -> serde_json::Value {
            self.0.config()
        }
    }

    /// 60 items of 7 classes and one that is alone in its class.
    fn items() -> (Vec<f32>, Vec<i64>) {
        let values = (0..120).map(|at| (at as f32 * 12.9898).sin());
        let labels = (0..60).map(|row| if row == 31 { 99 } else { row * row % 7 });
        (values.collect(), labels.collect())
    }

    #[test]
    fn terms_give_the_bits_of_the_metric_on_the_drawn_queries() {
        let (embeddings, labels) = items();
        let views = [
            View::new("embeddings", &[60, 2], Data::F32(&embeddings)).unwrap(),
            View::new("labels", &[60], Data::I64(&labels)).unwrap(),
        ];
        let views = Views::new(&views);
        let sample: Vec<u32> = (0..60).map(|at| at * at * 7 % 60).collect();
        for name in ["recall-at-k", "map-at-r", "r-precision", "mrr", "ndcg"] {
            let metric = metric(name);
            let silent = Silent(metric.as_ref());
            let terms = Queries::new(&views, metric.as_ref(), &CALL).unwrap();
            let rows = Queries::new(&views, &silent, &CALL).unwrap();
            assert!(matches!(
                (&terms.0, &rows.0),
                (Form::Mean(..), Form::Rows(..))
            ));
            assert_eq!((terms.count(), rows.count()), (60, 60));
            let by_terms = terms.evaluate(&sample, metric.as_ref(), &CALL).unwrap();
            assert_eq!(
                by_terms,
                rows.evaluate(&sample, &silent, &CALL).unwrap(),
                "{name}"
            );
            let every: Vec<u32> = (0..60).collect();
            let all = metric.evaluate(&views, &CALL).unwrap();
            assert_eq!(
                terms.evaluate(&every, metric.as_ref(), &CALL).unwrap(),
                all,
                "{name}"
            );
            assert_ne!(by_terms, all);
            let alone = terms
                .evaluate(&[31, 31], metric.as_ref(), &CALL)
                .unwrap_err();
            assert_eq!(
                alone.kind(),
                rows.evaluate(&[31, 31], &silent, &CALL).unwrap_err().kind()
            );
        }
    }

    #[test]
    fn queries_that_are_no_items_and_chosen_ones_are_drawn_too() {
        // Items at 0 and 10 of classes 1 and 2; queries at 1 and 9 of class 1: the first finds its class, the second does not.
        let tensor = |name, shape: &'static [usize], data| View::new(name, shape, data).unwrap();
        let own = [
            tensor("embeddings", &[2, 1], Data::F32(&[0.0, 10.0])),
            tensor("labels", &[2], Data::I64(&[1, 2])),
            tensor("query_embeddings", &[2, 1], Data::F32(&[1.0, 9.0])),
            tensor("query_labels", &[2], Data::I64(&[1, 1])),
        ];
        let l2 = metric("recall-at-k:distance=l2");
        let silent = Silent(l2.as_ref());
        for metric in [l2.as_ref(), &silent] {
            let queries = Queries::new(&Views::new(&own), metric, &CALL).unwrap();
            let on = |sample: &[u32]| queries.evaluate(sample, metric, &CALL).unwrap();
            assert_eq!((on(&[0, 0]), on(&[0, 1]), on(&[1, 1])), (1.0, 0.5, 0.0));
        }
        // Items 0 and 2 of class 1, in between class 2: item 0 finds item 1 first, item 2 too.
        let chosen = [
            tensor("embeddings", &[4, 1], Data::F32(&[0.0, 1.0, 2.0, 1.5])),
            tensor("labels", &[4], Data::I64(&[1, 2, 1, 2])),
            tensor("query_rows", &[2], Data::I64(&[2, 3])),
        ];
        let queries = Queries::new(&Views::new(&chosen), l2.as_ref(), &CALL).unwrap();
        let on = |sample: &[u32]| queries.evaluate(sample, l2.as_ref(), &CALL).unwrap();
        assert_eq!(queries.count(), 2);
        assert_eq!((on(&[0, 0]), on(&[1, 1]), on(&[0, 1])), (0.0, 1.0, 0.5));
    }
}
