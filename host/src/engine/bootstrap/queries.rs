//! Retrieval: the queries are drawn again, what they search stays as it is.

use metricopt_sdk::{
    Call, Data, DynMetric, Error, Predictions, Result, Retrieval, View, Views,
};

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
        Ok(Self(match (input.query_embeddings(), input.query_labels()) {
            (Some(embeddings), Some(labels)) => Form::Own {
                items,
                embeddings: embeddings.to_vec(),
                labels: labels.to_vec(),
                dimensions: input.dimensions(),
            },
            _ => Form::Rows(items, (0..all as i64).collect()),
        }))
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
