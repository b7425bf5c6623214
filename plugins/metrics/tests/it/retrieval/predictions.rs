//! Embeddings that own their memory, and draws of them.

use metricopt_sdk::{Data, Result, Retrieval, View, Views};
use serde_json::Value;

use crate::support::{Lcg, assert_close, evaluate};

/// Embeddings and labels of a gallery, and of queries where these are apart.
#[derive(Clone, Debug, Default)]
pub(crate) struct Embedded {
    pub(crate) dimensions: usize,
    pub(crate) items: Rows,
    pub(crate) queries: Option<Rows>,
}

/// Row-major embeddings, and the label of each row.
#[derive(Clone, Debug, Default)]
pub(crate) struct Rows {
    pub(crate) embeddings: Vec<f32>,
    pub(crate) labels: Vec<i64>,
}

impl Rows {
    pub(crate) fn new(embeddings: &[f32], labels: &[i64]) -> Self {
        Self {
            embeddings: embeddings.to_vec(),
            labels: labels.to_vec(),
        }
    }
}

impl Embedded {
    pub(crate) fn new(dimensions: usize, embeddings: &[f32], labels: &[i64]) -> Self {
        Self {
            dimensions,
            items: Rows::new(embeddings, labels),
            queries: None,
        }
    }

    pub(crate) fn with_queries(self, embeddings: &[f32], labels: &[i64]) -> Self {
        Self {
            queries: Some(Rows::new(embeddings, labels)),
            ..self
        }
    }

    pub(crate) fn view(&self) -> Retrieval<'_> {
        let items = &self.items;
        let view = Retrieval::new(&items.embeddings, self.dimensions, &items.labels).unwrap();
        match &self.queries {
            None => view,
            Some(queries) => view
                .with_queries(&queries.embeddings, &queries.labels)
                .unwrap(),
        }
    }

    /// Calls with the named tensors, as they come to a metric.
    pub(crate) fn with_views<T>(&self, call: impl FnOnce(&Views<'_>) -> T) -> T {
        let shapes = |rows: &Rows| [rows.labels.len(), self.dimensions];
        let both = [Some(&self.items), self.queries.as_ref()].map(|rows| rows.map(shapes));
        let names = [
            ["embeddings", "labels"],
            ["query_embeddings", "query_labels"],
        ];
        let all = [Some(&self.items), self.queries.as_ref()];
        let tensors: Vec<View<'_>> = all
            .iter()
            .zip(&both)
            .zip(names)
            .filter_map(|((rows, shape), names)| Some(((*rows)?, shape.as_ref()?, names)))
            .flat_map(|(rows, shape, [embeddings, labels])| {
                [
                    View::new(embeddings, shape, Data::F32(&rows.embeddings)).unwrap(),
                    View::new(labels, &shape[..1], Data::I64(&rows.labels)).unwrap(),
                ]
            })
            .collect();
        call(&Views::new(&tensors))
    }

    #[track_caller]
    pub(crate) fn evaluate(&self, name: &str, config: &Value) -> Result<f64> {
        self.with_views(|views| evaluate(name, config, views))
    }

    #[track_caller]
    pub(crate) fn assert_values(&self, tolerance: f64, expected: &[(&str, Value, f64)]) {
        for (name, config, expected) in expected {
            let actual = self.evaluate(name, config).unwrap();
            assert_close(actual, *expected, tolerance, &format!("{name} {config}"));
        }
    }
}

/// From -1 to 1.
fn uniform(random: &mut Lcg) -> f32 {
    random.bits() as f32 / (1 << 23) as f32 - 1.0
}

/// Rows of random classes, each around the centre of its class; the same in `golden.rs`'s Python.
pub(crate) fn generate(items: usize, classes: u64, dimensions: usize, seed: u64) -> Rows {
    let mut random = Lcg(seed);
    let centres: Vec<f32> = (0..classes as usize * dimensions)
        .map(|_| uniform(&mut random))
        .collect();
    let mut rows = Rows::default();
    for _ in 0..items {
        let class = (random.bits() * classes) >> 24;
        rows.labels.push(class as i64);
        let centre = &centres[class as usize * dimensions..][..dimensions];
        let embedding = centre.iter().map(|x| x + 1.25 * uniform(&mut random));
        rows.embeddings.extend(embedding);
    }
    rows
}
