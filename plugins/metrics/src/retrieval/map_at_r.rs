//! The metric `map-at-r`.

use metricopt_sdk::prelude::*;

use super::Distance;
use super::ranking::Wanted;
use super::search::ByRanks;

/// Mean average precision at R, where R is the number of items of the query's class.
///
/// ```text
/// MAP@R = mean over queries of  1/R  sum over i = 1..R of  P(i) [the i-th nearest item is of the class]
/// ```
///
/// `P(i)` is the precision among the `i` nearest items. Each item is a query to all others and never finds itself, unless
/// there are `query_embeddings`, which search all items. Equally near items come in the order of their rows. Distances are
/// computed in `f32`.
///
/// Source: Musgrave et al., A metric learning reality check, ECCV 2020.
///
/// Degenerate input: queries without another item of their class are left out; undefined if none is left. Zero vectors
/// are at cosine distance 1 from all.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct MapAtR {
    /// What is near: `cosine` or `l2`.
    pub distance: Distance,
}

impl ByRanks for MapAtR {
    fn distance(&self) -> Distance {
        self.distance
    }

    fn wanted(&self, relevant: usize) -> Wanted {
        Wanted {
            targets: relevant,
            within: relevant,
        }
    }

    fn score(&self, ranks: impl Iterator<Item = usize>, relevant: usize) -> f64 {
        let precisions = (1_usize..)
            .zip(ranks)
            .map(|(found, rank)| found as f64 / (rank + 1) as f64);
        precisions.sum::<f64>() / relevant as f64
    }
}

impl Metric for MapAtR {
    const NAME: &'static str = "map-at-r";
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

register!(metric MapAtR);
