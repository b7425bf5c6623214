//! The metric `r-precision`.

use metricopt_sdk::prelude::*;

use super::Distance;
use super::ranking::Wanted;
use super::search::ByRanks;

/// Precision among the R nearest items, where R is the number of items of the query's class.
///
/// ```text
/// RP = mean over queries of  1/R  number of items of the class among the R nearest
/// ```
///
/// Each item is a query to all others and never finds itself, unless there are `query_embeddings`, which search all
/// items. Equally near items come in the order of their rows. Distances are computed in `f32`.
///
/// Source: Manning et al., Introduction to information retrieval, 2008, section 8.4; for embeddings Musgrave et al., A
/// metric learning reality check, ECCV 2020.
///
/// Degenerate input: queries without another item of their class are left out; undefined if none is left. Zero vectors
/// are at cosine distance 1 from all.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RPrecision {
    /// What is near: `cosine` or `l2`.
    pub distance: Distance,
}

impl ByRanks for RPrecision {
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
        ranks.count() as f64 / relevant as f64
    }
}

impl Metric for RPrecision {
    const NAME: &'static str = "r-precision";
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

register!(metric RPrecision);
