//! The metric `mrr`.

use metricopt_sdk::prelude::*;

use super::Distance;
use super::ranking::Wanted;
use super::search::ByRanks;

/// Mean reciprocal rank of the nearest item of the query's class.
///
/// ```text
/// MRR = mean over queries q of  1 / (1 + number of items in front of the nearest item of q's class)
/// ```
///
/// Each item is a query to all others and never finds itself, unless there are `query_embeddings`, which search all
/// items. Equally near items come in the order of their rows. Distances are computed in `f32`.
///
/// Source: Voorhees, The TREC-8 question answering track report, 1999.
///
/// Degenerate input: queries without another item of their class are left out; undefined if none is left. Zero vectors
/// are at cosine distance 1 from all.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Mrr {
    /// What is near: `cosine` or `l2`.
    pub distance: Distance,
}

impl ByRanks for Mrr {
    fn distance(&self) -> Distance {
        self.distance
    }

    fn wanted(&self, _: usize) -> Wanted {
        Wanted {
            targets: 1,
            within: usize::MAX,
        }
    }

    fn score(&self, ranks: impl Iterator<Item = usize>, _: usize) -> f64 {
        ranks.map(|rank| 1.0 / (rank + 1) as f64).sum()
    }
}

impl Metric for Mrr {
    const NAME: &'static str = "mrr";
    const DIRECTION: Direction = Direction::Maximise;
    const RANGE: (f64, f64) = (0.0, 1.0);
    const RANK_BASED: bool = true;
    const TIES_BY_INDEX: bool = true;
    const POPULATION: bool = true;
    const MEAN_OF_UNITS: bool = true;
    type Input<'a> = Retrieval<'a>;

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

register!(metric Mrr);
