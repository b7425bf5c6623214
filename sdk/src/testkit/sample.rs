//! Predictions that own their memory, of any kind.

use super::draws::Draws;
use crate::{Data, Kind, View, Views};

/// Named tensors that own their memory: one set of predictions to check a metric on.
///
/// ```
/// use metricopt_sdk::{Data, View, Views, testkit::Sample};
///
/// let tensors = [View::new("depth", &[2], Data::F32(&[1.5, 2.0]))?];
/// let sample = Sample::copy("two depths", &Views::new(&tensors));
/// assert_eq!(sample.name(), "two depths");
/// assert_eq!(sample.with_views(|views| views.get("depth").map(|view| view.data().len()))?, 2);
/// # Ok::<(), metricopt_sdk::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Sample {
    name: String,
    tensors: Vec<Tensor>,
}

#[derive(Clone, Debug)]
struct Tensor {
    name: String,
    shape: Vec<usize>,
    numbers: Numbers,
}

#[derive(Clone, Debug)]
enum Numbers {
    F32(Vec<f32>),
    F64(Vec<f64>),
    I64(Vec<i64>),
    U8(Vec<u8>),
}

impl Numbers {
    fn copy(data: Data<'_>) -> Self {
        match data {
            Data::F32(values) => Self::F32(values.to_vec()),
            Data::F64(values) => Self::F64(values.to_vec()),
            Data::I64(values) => Self::I64(values.to_vec()),
            Data::U8(values) => Self::U8(values.to_vec()),
        }
    }

    fn data(&self) -> Data<'_> {
        match self {
            Self::F32(values) => Data::F32(values),
            Self::F64(values) => Data::F64(values),
            Self::I64(values) => Data::I64(values),
            Self::U8(values) => Data::U8(values),
        }
    }

    /// The rows, each of `width` numbers, in another order.
    fn reorder(&mut self, width: usize, order: &[usize]) {
        match self {
            Self::F32(values) => *values = reordered(values, width, order),
            Self::F64(values) => *values = reordered(values, width, order),
            Self::I64(values) => *values = reordered(values, width, order),
            Self::U8(values) => *values = reordered(values, width, order),
        }
    }
}

fn reordered<T: Copy>(values: &[T], width: usize, order: &[usize]) -> Vec<T> {
    let rows = order
        .iter()
        .flat_map(|&row| &values[row * width..(row + 1) * width]);
    rows.copied().collect()
}

/// The tensors whose rows belong together, and may stand in any order.
fn rows_that_belong_together(kind: Kind) -> &'static [&'static [&'static str]] {
    match kind {
        Kind::Classification => &[&["scores", "labels"]],
        Kind::Retrieval => &[
            &["embeddings", "labels"],
            &["query_embeddings", "query_labels"],
        ],
        Kind::Detection => &[
            &["boxes", "scores", "labels", "image_ids"],
            &["gt_boxes", "gt_labels", "gt_image_ids", "gt_difficult"],
        ],
        Kind::Named => &[],
    }
}

impl Sample {
    /// Copies named tensors; the name says in a report what they are.
    pub fn copy(name: impl Into<String>, views: &Views<'_>) -> Self {
        let tensors = views.tensors().iter().map(|view| Tensor {
            name: view.name().to_owned(),
            shape: view.shape().to_vec(),
            numbers: Numbers::copy(view.data()),
        });
        Self {
            name: name.into(),
            tensors: tensors.collect(),
        }
    }

    /// No tensors yet.
    pub(crate) fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            tensors: Vec::new(),
        }
    }

    /// Adds a tensor of `f32`, of one dimension or of two.
    pub(crate) fn f32(self, name: &str, rows: usize, width: Option<usize>, data: Vec<f32>) -> Self {
        let shape = [rows].into_iter().chain(width).collect();
        self.with(name, shape, Numbers::F32(data))
    }

    /// Adds a row of `i64`.
    pub(crate) fn i64(self, name: &str, data: Vec<i64>) -> Self {
        self.with(name, vec![data.len()], Numbers::I64(data))
    }

    /// Adds a row of bytes.
    pub(crate) fn u8(self, name: &str, data: Vec<u8>) -> Self {
        self.with(name, vec![data.len()], Numbers::U8(data))
    }

    fn with(mut self, name: &str, shape: Vec<usize>, numbers: Numbers) -> Self {
        debug_assert_eq!(shape.iter().product::<usize>(), numbers.data().len());
        self.tensors.push(Tensor {
            name: name.to_owned(),
            shape,
            numbers,
        });
        self
    }

    /// What it is, for messages.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Calls `call` with the named tensors, as they cross to a metric.
    pub fn with_views<T>(&self, call: impl FnOnce(&Views<'_>) -> T) -> T {
        call(&Views::new(&self.views()))
    }

    pub(crate) fn views(&self) -> Vec<View<'_>> {
        let views = self.tensors.iter().map(|tensor| {
            View::new(&tensor.name, &tensor.shape, tensor.numbers.data())
                .expect("a shape is kept with the numbers that fill it")
        });
        views.collect()
    }

    /// The numbers of an `f32` tensor; none if there is no such tensor.
    pub(crate) fn f32_mut(&mut self, name: &str) -> &mut [f32] {
        let found = self.tensors.iter_mut().find(|tensor| tensor.name == name);
        match found.map(|tensor| &mut tensor.numbers) {
            Some(Numbers::F32(values)) => values,
            _ => &mut [],
        }
    }

    /// The same predictions with their rows in another order.
    pub(crate) fn shuffled(&self, kind: Kind, draws: &mut Draws) -> Self {
        let mut shuffled = self.clone();
        for names in rows_that_belong_together(kind) {
            let mut order = None;
            for tensor in &mut shuffled.tensors {
                let &[rows, ref widths @ ..] = tensor.shape.as_slice() else {
                    continue;
                };
                if names.contains(&tensor.name.as_str()) {
                    let order = order.get_or_insert_with(|| draws.order(rows));
                    // A tensor of another length does not fit the kind: it stays as it is.
                    if order.len() == rows {
                        tensor.numbers.reorder(widths.iter().product(), order);
                    }
                }
            }
        }
        shuffled
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_stay_together() {
        let sample = Sample::new("three")
            .f32("scores", 3, Some(2), vec![0.0, 0.5, 1.0, 1.5, 2.0, 2.5])
            .i64("labels", vec![0, 1, 2])
            .i64("other", vec![7, 8]);
        let mut moved = false;
        for index in 0..10 {
            let shuffled = sample.shuffled(Kind::Classification, &mut Draws::new(0, "test", index));
            shuffled.with_views(|views| {
                let scores = views.get("scores").unwrap().f32().unwrap();
                let labels = views.get("labels").unwrap().i64().unwrap();
                for (row, &label) in scores.chunks(2).zip(labels) {
                    assert_eq!(row, [label as f32, label as f32 + 0.5]);
                }
                assert_eq!(views.get("other").unwrap().i64().unwrap(), [7, 8]);
                moved |= labels != [0, 1, 2];
            });
        }
        assert!(moved);
    }
}
