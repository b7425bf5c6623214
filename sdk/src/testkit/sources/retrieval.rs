//! Embeddings and labels.

use super::{FOLDS, Scorer, Source, TRANSFORMATIONS};
use crate::testkit::Sample;
use crate::testkit::draws::Draws;

/// Embeddings of items of several classes, searched for each item or for queries of their own.
#[derive(Clone, Copy)]
pub(crate) struct Embeddings {
    pub(crate) queries: bool,
}

const CLASSES: usize = 8;
const DIMENSIONS: usize = 6;

impl Embeddings {
    /// Of all that was drawn every third is a query, where these are apart.
    fn sample(self, embeddings: Vec<f32>, labels: Vec<i64>) -> Sample {
        let all = labels.len();
        if !self.queries {
            return named(
                &format!("embeddings, {all} items"),
                embeddings,
                DIMENSIONS,
                labels,
            );
        }
        let (mut items, mut queries) = ((Vec::new(), Vec::new()), (Vec::new(), Vec::new()));
        let rows = embeddings.chunks_exact(DIMENSIONS).zip(labels);
        for (at, (embedding, label)) in rows.enumerate() {
            let side = if at % 3 == 0 {
                &mut queries
            } else {
                &mut items
            };
            side.0.extend_from_slice(embedding);
            side.1.push(label);
        }
        let name = format!("embeddings, {all} items and queries");
        named(&name, items.0, DIMENSIONS, items.1)
            .f32(
                "query_embeddings",
                queries.1.len(),
                Some(DIMENSIONS),
                queries.0,
            )
            .i64("query_labels", queries.1)
    }

    fn labels(self, draws: &mut Draws, items: usize) -> Vec<i64> {
        let mut labels: Vec<i64> = (0..items).map(|at| (at % CLASSES) as i64).collect();
        draws.shuffle(&mut labels);
        labels
    }

    /// Each item near the centre of its class, up to that much noise.
    fn around_centres(self, draws: &mut Draws, labels: &[i64], noise: f64) -> Vec<f32> {
        let centres = draws.normals(CLASSES * DIMENSIONS);
        labels
            .iter()
            .flat_map(|&label| {
                let from = label as usize * DIMENSIONS;
                let centre = &centres[from..from + DIMENSIONS];
                let point = centre.iter().map(|x| (x + noise * draws.normal()) as f32);
                point.collect::<Vec<_>>()
            })
            .collect()
    }
}

fn named(name: &str, embeddings: Vec<f32>, dimensions: usize, labels: Vec<i64>) -> Sample {
    Sample::new(name)
        .f32("embeddings", labels.len(), Some(dimensions), embeddings)
        .i64("labels", labels)
}

impl Source for Embeddings {
    fn name(&self) -> String {
        let of = if self.queries { " of queries" } else { "" };
        format!("retrieval{of}")
    }

    fn ordinary(&self, draws: &mut Draws) -> Sample {
        let items = 4 * CLASSES + draws.below(30);
        let labels = self.labels(draws, items);
        self.sample(self.around_centres(draws, &labels, 0.8), labels)
    }

    fn on_grid(&self, draws: &mut Draws, steps: usize) -> Sample {
        let labels = self.labels(draws, 6 * CLASSES);
        let mut embeddings = self.around_centres(draws, &labels, 0.8);
        for x in &mut embeddings {
            *x = (*x * steps as f32 / 4.0).round() * 4.0 / steps as f32;
        }
        self.sample(embeddings, labels)
    }

    fn graded(&self, seed: u64, share: f64) -> Sample {
        let mut draws = Draws::new(seed, "graded embeddings", 0);
        let labels = self.labels(&mut draws, 10 * CLASSES);
        let right = self.around_centres(&mut draws, &labels, 0.02);
        let mut embeddings = right;
        for item in embeddings.chunks_mut(DIMENSIONS) {
            let random = draws.normals(DIMENSIONS);
            if draws.uniform() >= share {
                for (x, random) in item.iter_mut().zip(random) {
                    *x = random as f32;
                }
            }
        }
        self.sample(embeddings, labels)
    }

    fn candidates(&self, draws: &mut Draws, count: usize) -> Vec<Sample> {
        let labels = self.labels(draws, 5 * CLASSES);
        (0..count)
            .map(|_| self.sample(self.around_centres(draws, &labels, 0.8), labels.clone()))
            .collect()
    }

    /// One factor for all: no distance changes its place.
    fn transformed(&self, sample: &Sample, index: usize) -> Option<Sample> {
        // Powers of two are exact.
        let factor = [0.5, 2.0, 0.125, 16.0][index % TRANSFORMATIONS];
        let mut sample = sample.clone();
        for tensor in ["embeddings", "query_embeddings"] {
            for x in sample.f32_mut(tensor) {
                *x *= factor;
            }
        }
        Some(sample)
    }

    fn degenerate(&self) -> Vec<Sample> {
        if self.queries {
            return degenerate_queries();
        }
        let labels: Vec<i64> = (0..24).map(|at| at % 4).collect();
        // One point for each class, on the axes.
        let axis = |label: i64, length: f32| {
            let mut point = vec![0.0; DIMENSIONS];
            point[label as usize % DIMENSIONS] = length;
            point
        };
        let all = |name: &str, labels: &[i64], point: &dyn Fn(usize, i64) -> Vec<f32>| {
            let points = labels.iter().enumerate();
            let embeddings: Vec<f32> = points.flat_map(|(at, &label)| point(at, label)).collect();
            named(name, embeddings, DIMENSIONS, labels.to_vec())
        };
        let different: Vec<i64> = (0..12).collect();
        let negative: Vec<i64> = labels.iter().map(|label| -5 - label).collect();
        vec![
            all("no item", &[], &|_, label| axis(label, 1.0)),
            all("one item", &[3], &|_, label| axis(label, 1.0)),
            all("two items of one class", &[3, 3], &|_, label| {
                axis(label, 1.0)
            }),
            all("two items of two classes", &[3, 4], &|_, label| {
                axis(label, 1.0)
            }),
            all("one class only", &[2; 12], &|at, _| axis(at as i64, 1.0)),
            all("no two items of a class", &different, &|at, _| {
                axis(at as i64, 1.0 + at as f32)
            }),
            all("every class in one point", &labels, &|_, label| {
                axis(label, 1.0)
            }),
            all("all items in one point", &labels, &|_, _| axis(0, 1.0)),
            all("all embeddings zero", &labels, &|_, _| axis(0, 0.0)),
            all("nearest items all of another class", &labels, &|at, _| {
                axis(at as i64 / 4, 1.0)
            }),
            all("smallest positive embeddings", &labels, &|_, label| {
                axis(label, f32::from_bits(1))
            }),
            all("huge embeddings", &labels, &|at, label| {
                axis(label, if at % 2 == 0 { 1e30 } else { -1e30 })
            }),
            all("negative labels", &negative, &|_, label| {
                axis(label.abs(), 1.0)
            }),
            named(
                "embeddings of one dimension",
                (0..24_u8).map(f32::from).collect(),
                1,
                labels.clone(),
            ),
        ]
    }

    fn scorer(&self, draws: &mut Draws) -> Box<dyn Scorer> {
        let items = 10 * CLASSES;
        let mut folds = Vec::new();
        for _ in 0..FOLDS {
            let labels = self.labels(draws, items);
            let mut points = self.around_centres(draws, &labels, 0.6);
            // The last channels say nothing: turning them down helps.
            for item in points.chunks_mut(DIMENSIONS) {
                for x in &mut item[DIMENSIONS / 2..] {
                    *x = draws.normal() as f32;
                }
            }
            folds.push((points, labels));
        }
        Box::new(Channels {
            source: *self,
            folds,
        })
    }
}

fn degenerate_queries() -> Vec<Sample> {
    let split = |name: &str, labels: &[i64], query_labels: &[i64]| {
        let points = |labels: &[i64]| -> Vec<f32> {
            let channels = (0..DIMENSIONS as i64).cycle();
            let numbers = channels.take(labels.len() * DIMENSIONS);
            let labels = labels.iter().flat_map(|label| [*label; DIMENSIONS]);
            numbers
                .zip(labels)
                .map(|(c, label)| (c * label) as f32)
                .collect()
        };
        let rows = query_labels.len();
        named(name, points(labels), DIMENSIONS, labels.to_vec())
            .f32(
                "query_embeddings",
                rows,
                Some(DIMENSIONS),
                points(query_labels),
            )
            .i64("query_labels", query_labels.to_vec())
    };
    vec![
        split("no item and no query", &[], &[]),
        split("queries, but no item", &[], &[1, 2]),
        split("items, but no query", &[1, 2], &[]),
        split("one item and one query", &[4], &[4]),
        split("queries of other classes", &[0, 1, 1], &[2, -3]),
        split("some queries of other classes", &[0, 1, 1], &[2, 1, 0]),
        split("more queries than items", &[1, 2], &[1, 2, 1, 2, 2]),
    ]
}

/// Embeddings whose channels are scaled and shifted by the adapter.
struct Channels {
    source: Embeddings,
    folds: Vec<(Vec<f32>, Vec<i64>)>,
}

impl Scorer for Channels {
    fn dimensions(&self) -> usize {
        2 * DIMENSIONS
    }

    fn predict(&self, phi: &[f64], fold: usize) -> Sample {
        let (points, labels) = &self.folds[fold];
        let (scales, shifts) = phi.split_at(DIMENSIONS);
        let adapted = points.iter().enumerate().map(|(at, &x)| {
            let channel = at % DIMENSIONS;
            (f64::from(x) * (1.0 + scales[channel]) + shifts[channel]) as f32
        });
        self.source.sample(adapted.collect(), labels.clone())
    }
}
