//! The metric `ndcg`.

use metricopt_sdk::prelude::*;

use super::ranking::Wanted;
use super::search::ByRanks;
use super::{Distance, check_k};

/// Normalised discounted cumulative gain among the `k` nearest items: an item of the query's class gains 1, others 0.
///
/// ```text
/// NDCG@k = mean over queries of DCG / IDCG
/// DCG    = sum over i = 1..k of [the i-th nearest item is of the class] / log2(i + 1)
/// ```
///
/// `IDCG` is the `DCG` where all items of the class come first. Each item is a query to all others and never finds itself,
/// unless there are `query_embeddings`, which search all items. Equally near items come in the order of their rows.
/// Distances are computed in `f32`.
///
/// Source: Järvelin and Kekäläinen, Cumulated gain-based evaluation of IR techniques, TOIS 2002, with the logarithm of
/// Burges et al., Learning to rank using gradient descent, ICML 2005.
///
/// Degenerate input: queries without another item of their class are left out; undefined if none is left. A `k` above
/// the number of items means all items. Zero vectors are at cosine distance 1 from all.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Ndcg {
    /// Number of nearest items looked at, 1 or more.
    pub k: usize,
    /// What is near: `cosine` or `l2`.
    pub distance: Distance,
}

impl Default for Ndcg {
    fn default() -> Self {
        Self {
            k: 10,
            distance: Distance::Cosine,
        }
    }
}

/// What an item of that rank, from 0 on, gains.
fn gain(rank: usize) -> f64 {
    1.0 / (rank as f64 + 2.0).log2()
}

impl ByRanks for Ndcg {
    fn distance(&self) -> Distance {
        self.distance
    }

    fn wanted(&self, _: usize) -> Wanted {
        Wanted {
            targets: self.k,
            within: self.k,
        }
    }

    fn score(&self, ranks: impl Iterator<Item = usize>, relevant: usize) -> f64 {
        let ideal: f64 = (0..self.k.min(relevant)).map(gain).sum();
        ranks.map(gain).sum::<f64>() / ideal
    }
}

impl Metric for Ndcg {
    const NAME: &'static str = "ndcg";
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

register!(metric Ndcg);
