//! Metrics that break a law of the metric kit each.

use metricopt_sdk::prelude::*;

/// Accuracy, declared to be an error.
#[derive(Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct WrongWay {}

impl Metric for WrongWay {
    const NAME: &'static str = "wrong-way";
    const DIRECTION: Direction = Direction::Minimise;
    const RANGE: (f64, f64) = (0.0, 1.0);
    type Input<'a> = Classification<'a>;

    fn evaluate(&self, input: Classification<'_>) -> Result<f64> {
        if input.is_empty() {
            return Err(Error::undefined("no samples"));
        }
        let pairs = input.decisions()?.zip(input.labels());
        let right = pairs.filter(|&(class, &label)| class as i64 == label);
        Ok(right.count() as f64 / input.len() as f64)
    }
}
register!(metric WrongWay);

/// Precision of the upper half of the ranking; a sort leaves equal scores as they came.
#[derive(Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct FirstCome {}

impl Metric for FirstCome {
    const NAME: &'static str = "first-come";
    const DIRECTION: Direction = Direction::Maximise;
    const RANGE: (f64, f64) = (0.0, 1.0);
    const RANK_BASED: bool = true;
    type Input<'a> = Classification<'a>;

    fn evaluate(&self, input: Classification<'_>) -> Result<f64> {
        if !input.is_binary() || input.is_empty() {
            return Err(Error::undefined("binary scores only"));
        }
        let mut rows: Vec<_> = input.scores().iter().zip(input.labels()).collect();
        rows.sort_by(|a, b| b.0.total_cmp(a.0));
        rows.truncate(rows.len().div_ceil(2));
        let positive = rows.iter().filter(|row| *row.1 == 1).count();
        Ok(positive as f64 / rows.len() as f64)
    }
}
register!(metric FirstCome);
