//! The metric `recall-at-k` by tensor operations, for the GPU that the network is on.
//!
//! Where the galleries are large and few cores stand beside the GPU, to search on the CPU takes longer than to embed the images.
//! No ranking is needed: a query has an item of its class among the `k` nearest if fewer than `k` items come before the nearest of
//! its class. So a tile of queries by items is looked at twice, once for that item and once to count.
//!
//! The definition is that of the metric, ties by row included; sums are added up in another order, so that items whose distances
//! differ by less than rounding may come in another.

use metricopt_metrics::{Distance, RecallAtK};
use metricopt_sdk::tch::{Device, Kind, Tensor, no_grad};
use metricopt_sdk::{
    Call, Details, DeviceMemory, DynMetric, Predictions, Result, Retrieval, Views,
};
use std::collections::HashMap;

/// From so many multiplications of a search on: a core takes some twenty milliseconds for them, and a GPU less than it takes to
/// hand the embeddings over.
const WORTH_IT: usize = 1 << 31;

/// Most values of a tile on the GPU, to begin with: 256 MB.
const MAX_DEVICE_VALUES: usize = 1 << 26;

/// Values that a query and an item have at once: distance, distance within the class, and masks.
const VALUES_A_PAIR: usize = 4;

/// The metric as it is, but for searches that are worth a GPU.
pub(super) struct RecallOnGpu<'a> {
    metric: &'a dyn DynMetric,
    recall: RecallAtK,
    device: Device,
    memory: DeviceMemory,
    worth_it: usize,
}

impl<'a> RecallOnGpu<'a> {
    /// None where the configuration is not that of the metric.
    pub(super) fn new(metric: &'a dyn DynMetric, device: Device) -> Option<Self> {
        Some(Self {
            recall: serde_json::from_value(metric.config()).ok()?,
            metric,
            device,
            memory: DeviceMemory::new(MAX_DEVICE_VALUES),
            worth_it: WORTH_IT,
        })
    }

    /// For each query that has something to find its row, and 1 if it finds it, else 0; none where the CPU does as well.
    fn on_gpu(&self, views: &Views<'_>, call: &Call<'_>) -> Option<Result<Vec<(usize, f64)>>> {
        // What is wrong with the input, the metric itself says.
        let input = Retrieval::from_views(views).ok()?;
        let queries = with_something_to_find(&input);
        let pairs = queries.len().saturating_mul(input.len());
        let work = pairs.saturating_mul(input.dimensions());
        if queries.is_empty() || work < self.worth_it {
            return None;
        }
        let found = no_grad(|| self.ranks(&input, &queries, call)).map(|ranks| {
            let hit = |rank| f64::from(u8::from(rank < self.recall.k as i64));
            queries
                .iter()
                .copied()
                .zip(ranks.into_iter().map(hit))
                .collect()
        });
        Some(found)
    }

    /// How many items come before the nearest of a query's class.
    fn ranks(&self, input: &Retrieval<'_>, queries: &[usize], call: &Call<'_>) -> Result<Vec<i64>> {
        let scale = Distance::common_factor(input);
        let prepared = |embeddings: &[f32]| -> Result<Tensor> {
            let rows = Tensor::f_from_slice(embeddings)?
                .f_view([-1, input.dimensions() as i64])?
                .f_to_device(self.device)?;
            match self.recall.distance {
                Distance::Cosine => unit_length(&rows),
                Distance::L2 => Ok(rows.f_mul_scalar(scale)?),
            }
        };
        let on_device = |numbers: &[i64]| -> Result<Tensor> {
            Ok(Tensor::f_from_slice(numbers)?.f_to_device(self.device)?)
        };
        let items = prepared(input.embeddings())?;
        let labels = on_device(input.labels())?;
        let own = input.query_embeddings().zip(input.query_labels());
        let (searching, wanted) = match own {
            Some((embeddings, labels)) => (prepared(embeddings)?, on_device(labels)?),
            None => (items.shallow_clone(), labels.shallow_clone()),
        };
        let places = Tensor::f_arange(input.len() as i64, (Kind::Int64, self.device))?;
        let rows: Vec<i64> = queries.iter().map(|&row| row as i64).collect();
        let rows = on_device(&rows)?;
        let values_a_query = VALUES_A_PAIR * input.len();
        let ranks = self.memory.each(queries.len(), values_a_query, |range| {
            call.check()?;
            let rows = rows.f_narrow(0, range.start as i64, range.len() as i64)?;
            let tile = searching.f_index_select(0, &rows)?;
            let mut far = match self.recall.distance {
                Distance::Cosine => tile.f_matmul(&items.f_transpose(0, 1)?)?.f_neg()?,
                // Not by products, which would cancel for what is near.
                Distance::L2 => Tensor::f_cdist(&tile, &items, 2.0, 2)?,
            };
            let wanted = wanted.f_index_select(0, &rows)?.f_unsqueeze(1)?;
            let mut others = labels.f_unsqueeze(0)?.f_ne_tensor(&wanted)?;
            if own.is_none() {
                // An item never finds itself.
                let itself = rows.f_unsqueeze(1)?;
                far = far.f_scatter_value(1, &itself, f64::INFINITY)?;
                others = others.f_scatter_value(1, &itself, 1)?;
            }
            let nearest = far
                .f_masked_fill(&others, f64::INFINITY)?
                .f_amin([1], true)?;
            // Of equally near items of the class the one of the lowest row.
            let is_other = far.f_ne_tensor(&nearest)?.f_logical_or(&others)?;
            let none = input.len() as i64;
            let first = places
                .f_unsqueeze(0)?
                .f_masked_fill(&is_other, none)?
                .f_amin([1], true)?;
            let tied = far.f_eq_tensor(&nearest)?;
            let earlier = places.f_unsqueeze(0)?.f_lt_tensor(&first)?;
            let before = far
                .f_lt_tensor(&nearest)?
                .f_logical_or(&tied.f_logical_and(&earlier)?)?;
            let counts = before.f_sum_dim_intlist(1, false, Kind::Int64)?;
            Ok(Vec::<i64>::try_from(counts.f_to_device(Device::Cpu)?)?)
        })?;
        Ok(ranks.concat())
    }
}

impl DynMetric for RecallOnGpu<'_> {
    fn evaluate(&self, views: &Views<'_>, call: &Call<'_>) -> Result<f64> {
        match self.on_gpu(views, call) {
            Some(found) => Ok(mean(&found?)),
            None => self.metric.evaluate(views, call),
        }
    }

    fn evaluate_many(&self, candidates: &[Views<'_>], call: &Call<'_>) -> Option<Result<Vec<f64>>> {
        let mut values = Vec::with_capacity(candidates.len());
        for views in candidates {
            match self.on_gpu(views, call) {
                Some(Ok(found)) => values.push(mean(&found)),
                Some(Err(error)) => return Some(Err(error)),
                // All have the same number of items, and if not, the CPU knows what to say.
                None => return self.metric.evaluate_many(candidates, call),
            }
        }
        Some(Ok(values))
    }

    fn unit_values(&self, views: &Views<'_>, call: &Call<'_>) -> Option<Result<Vec<(usize, f64)>>> {
        self.on_gpu(views, call)
            .or_else(|| self.metric.unit_values(views, call))
    }

    fn details(&self, views: &Views<'_>) -> Option<Result<Details>> {
        self.metric.details(views)
    }

    fn config(&self) -> serde_json::Value {
        self.metric.config()
    }
}

fn mean(found: &[(usize, f64)]) -> f64 {
    found.iter().map(|(_, value)| value).sum::<f64>() / found.len() as f64
}

/// The rows of the queries for which there is another item of their class.
fn with_something_to_find(input: &Retrieval<'_>) -> Vec<usize> {
    let mut sizes: HashMap<i64, usize> = HashMap::new();
    for &label in input.labels() {
        *sizes.entry(label).or_default() += 1;
    }
    let size = |label: i64| sizes.get(&label).copied().unwrap_or(0);
    let item_finds = |row: &usize| size(input.labels()[*row]) > 1;
    match (input.query_labels(), input.query_rows()) {
        (Some(labels), _) => {
            let finds = |(row, &label): (usize, &i64)| (size(label) > 0).then_some(row);
            labels.iter().enumerate().filter_map(finds).collect()
        }
        (None, Some(rows)) => {
            let rows = rows.iter().map(|&row| row as usize);
            rows.filter(item_finds).collect()
        }
        (None, None) => (0..input.len()).filter(item_finds).collect(),
    }
}

/// Rows of length 1; zeros stay zeros. Lengths in f64, where no square of an f32 overflows or vanishes.
fn unit_length(rows: &Tensor) -> Result<Tensor> {
    let rows = rows.f_to_kind(Kind::Double)?;
    let squares = rows.f_square()?.f_sum_dim_intlist(1, true, Kind::Double)?;
    let factors = squares.f_rsqrt()?.f_masked_fill(&squares.f_eq(0.0)?, 1.0)?;
    Ok(rows.f_mul(&factors)?.f_to_kind(Kind::Float)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device::DeviceChoice;
    use metricopt_sdk::{Data, MetricEntry, View};
    use rand::{RngExt, SeedableRng};
    use rand_pcg::Pcg64Mcg;
    use serde_json::json;

    const CALL: Call<'static> = Call {
        threads: 1,
        cancelled: &|| false,
    };

    /// Tensors of a random case. For L2 embeddings are whole numbers, whose distances are exact and often equal; cosines of such
    /// tie but for rounding, so that those have fractions, or are zero altogether.
    fn case(rng: &mut Pcg64Mcg, form: usize, distance: &str) -> Tensors {
        let (items, dimensions) = (rng.random_range(2..60), rng.random_range(3..6));
        let classes = rng.random_range(1..=items as i64);
        let labels = |count: usize, rng: &mut Pcg64Mcg| -> Vec<i64> {
            (0..count).map(|_| rng.random_range(0..classes)).collect()
        };
        let embeddings = |count: usize, rng: &mut Pcg64Mcg| -> Vec<f32> {
            let mut all = Vec::with_capacity(count * dimensions);
            for _ in 0..count {
                let zero = rng.random_range(0..8) == 0;
                all.extend((0..dimensions).map(|_| match distance {
                    _ if zero => 0.0,
                    "l2" => rng.random_range(-1..=1) as f32,
                    _ => rng.random_range(-1.0..1.0_f32),
                }));
            }
            all
        };
        let mut tensors = vec![
            (
                "embeddings",
                vec![items, dimensions],
                Numbers::F32(embeddings(items, rng)),
            ),
            ("labels", vec![items], Numbers::I64(labels(items, rng))),
        ];
        let queries = rng.random_range(1..20);
        match form {
            0 => {}
            1 => {
                let row = |_| rng.random_range(0..items as i64);
                let rows = (0..queries).map(row).collect();
                tensors.push(("query_rows", vec![queries], Numbers::I64(rows)));
            }
            _ => {
                let values = embeddings(queries, rng);
                tensors.push((
                    "query_embeddings",
                    vec![queries, dimensions],
                    Numbers::F32(values),
                ));
                let values = labels(queries, rng);
                tensors.push(("query_labels", vec![queries], Numbers::I64(values)));
            }
        }
        tensors
    }

    type Tensors = Vec<(&'static str, Vec<usize>, Numbers)>;

    enum Numbers {
        F32(Vec<f32>),
        I64(Vec<i64>),
    }

    #[test]
    fn it_finds_what_the_metric_finds() {
        finds_what_the_metric_finds(Device::Cpu);
    }

    #[test]
    #[expect(clippy::print_stderr, reason = "a test that is skipped says so")]
    fn it_finds_what_the_metric_finds_on_a_gpu() {
        match DeviceChoice::Cuda(0).resolve(&|_| ()) {
            Ok(Device::Cuda(index)) => finds_what_the_metric_finds(Device::Cuda(index)),
            _ => eprintln!("SKIPPED: there is no GPU"),
        }
    }

    /// Every form of queries and either distance, with ties, singletons and zero vectors, in tiles of one query and of all; where
    /// the metric has no value both say so.
    fn finds_what_the_metric_finds(device: Device) {
        let mut rng = Pcg64Mcg::seed_from_u64(8);
        let entry = MetricEntry::of::<RecallAtK>();
        let (mut defined, mut between) = (0, 0);
        for number in 0..600 {
            let distance = ["l2", "cosine"][number / 3 % 2];
            let tensors = case(&mut rng, number % 3, distance);
            let views: Vec<View<'_>> = tensors
                .iter()
                .map(|(name, shape, numbers)| {
                    let data = match numbers {
                        Numbers::F32(values) => Data::F32(values),
                        Numbers::I64(values) => Data::I64(values),
                    };
                    View::new(name, shape, data).unwrap()
                })
                .collect();
            let views = Views::new(&views);
            let config = json!({ "k": 1 + number % 4, "distance": distance });
            let metric = entry.create(&config).unwrap();
            let on_gpu = RecallOnGpu {
                memory: DeviceMemory::new([1, 1 << 20][number % 2]),
                worth_it: 0,
                ..RecallOnGpu::new(metric.as_ref(), device).unwrap()
            };
            match metric.evaluate(&views, &CALL) {
                Ok(expected) => {
                    let found = on_gpu.evaluate(&views, &CALL).unwrap();
                    assert_eq!(found, expected, "{number}");
                    let sorted = |metric: &dyn DynMetric| {
                        let mut units = metric.unit_values(&views, &CALL).unwrap().unwrap();
                        units.sort_by_key(|unit| unit.0);
                        units
                    };
                    assert_eq!(sorted(&on_gpu), sorted(metric.as_ref()), "{number}");
                    let many = on_gpu.evaluate_many(&[views, views], &CALL);
                    assert_eq!(many.unwrap().unwrap(), [found; 2]);
                    defined += 1;
                    between += usize::from(found > 0.0 && found < 1.0);
                }
                Err(expected) => {
                    let error = on_gpu.evaluate(&views, &CALL).unwrap_err();
                    assert_eq!(error.to_string(), expected.to_string());
                }
            }
        }
        assert!(defined > 400 && between > 200, "{defined} {between}");
    }
}
