//! The metric `recall-at-k`.

use metricopt_sdk::prelude::*;

use super::ranking::Wanted;
use super::search::ByRanks;
use super::{Distance, check_k};

/// Share of the queries with an item of their class among the `k` nearest.
///
/// ```text
/// R@k = mean over queries q of [rank of the nearest item of q's class < k]
/// ```
///
/// Each item is a query to all others and never finds itself, unless there are `query_embeddings`, which search all
/// items. Equally near items come in the order of their rows. Distances are computed in `f32`.
///
/// Source: Song et al., Deep metric learning via lifted structured feature embedding, CVPR 2016 (Stanford Online
/// Products); Jégou et al., Product quantization for nearest neighbor search, TPAMI 2011.
///
/// Degenerate input: queries without another item of their class are left out; undefined if none is left. Where `k` is
/// the number of items or more it is 1. Zero vectors are at cosine distance 1 from all.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RecallAtK {
    /// Number of nearest items looked at, 1 or more.
    pub k: usize,
    /// What is near: `cosine` or `l2`.
    pub distance: Distance,
}

impl Default for RecallAtK {
    fn default() -> Self {
        Self {
            k: 1,
            distance: Distance::Cosine,
        }
    }
}

impl ByRanks for RecallAtK {
    fn distance(&self) -> Distance {
        self.distance
    }

    fn wanted(&self, _: usize) -> Wanted {
        Wanted {
            targets: 1,
            within: self.k,
        }
    }

    fn score(&self, mut ranks: impl Iterator<Item = usize>, _: usize) -> f64 {
        f64::from(u8::from(ranks.next().is_some()))
    }
}

impl Metric for RecallAtK {
    const NAME: &'static str = "recall-at-k";
    const DIRECTION: Direction = Direction::Maximise;
    const RANGE: (f64, f64) = (0.0, 1.0);
    const RANK_BASED: bool = true;
    const TIES_BY_INDEX: bool = true;
    const POPULATION: bool = true;
    const MEAN_OF_UNITS: bool = true;
    type Input<'a> = Retrieval<'a>;

    fn check(&self) -> Result<()> {
        check_k(self.k)
    }

    fn evaluate(&self, input: Retrieval<'_>) -> Result<f64> {
        self.value(input)
    }

    fn evaluate_many(&self, inputs: &[Retrieval<'_>], call: &Call<'_>) -> Result<Vec<f64>> {
        self.values(inputs, call)
    }

    fn unit_values(&self, input: Retrieval<'_>, call: &Call<'_>) -> Result<Vec<(usize, f64)>> {
        self.of_queries(input, call)
    }
}

register!(metric RecallAtK);
