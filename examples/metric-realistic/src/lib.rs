//! A metric as one would ship it: options with a check, a range, documentation with a formula and its source, care for
//! degenerate input, work that candidates share, a log line, and tests.
//!
//! Read `metric-smallest` first. `examples/c/realistic.c` is the same metric in C, which gives the same values to the
//! last bit.

mod costs;

use metricopt_sdk::{prelude::*, tracing};

use costs::{Baseline, Confusions};

// The doc comment is what `host describe normalised-cost` prints, and the first sentence what `host list` prints: say
// what is computed, with a formula and where it is from, and what happens on degenerate input.

/// Normalised cost: what the decisions cost, relative to the cheapest decision that ignores the data.
///
/// ```text
/// cost = false_positive FP + false_negative FN + confusion MIX
/// NC   = cost / min over classes k of the cost of deciding for k every time
/// ```
///
/// Class 0 is "nothing there". FP counts its samples that are decided otherwise, FN the samples of other classes that
/// are decided to be of class 0, MIX the samples of other classes that are taken for one another. 0 is perfect, and from
/// 1 on the model is no use: a constant decision costs as much.
///
/// Source: the normalised detection cost of Martin and Przybocki, The NIST 1999 Speaker Recognition Evaluation, 2000;
/// here with several classes.
///
/// Degenerate input: undefined without samples, and where a constant decision costs nothing, as with labels of one class
/// only.
// A struct with public fields is all there is to options. `serde(default)` lets users name only those that they change,
// `deny_unknown_fields` catches those that they misspell.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct NormalisedCost {
    /// Cost of a false alarm, above 0.
    pub false_positive: f64,
    /// Cost of a miss, above 0.
    pub false_negative: f64,
    /// Cost of taking one class for another, neither of them class 0; at least 0.
    pub confusion: f64,
}

impl Default for NormalisedCost {
    fn default() -> Self {
        Self {
            false_positive: 1.0,
            false_negative: 10.0,
            confusion: 1.0,
        }
    }
}

impl Metric for NormalisedCost {
    const NAME: &'static str = "normalised-cost";
    const DIRECTION: Direction = Direction::Minimise;
    // The host reports a value outside as a fault of the metric, instead of tuning for a mistake.
    const RANGE: (f64, f64) = (0.0, f64::INFINITY);
    // Candidates share work here, see `evaluate_many`. Most metrics leave both out.
    const POPULATION: bool = true;
    type Input<'a> = Classification<'a>;

    /// Called once, before anything else: a bad option must not cost the user a training run. All problems are named at
    /// once.
    fn check(&self) -> Result<()> {
        let options = [
            (
                "false_positive",
                self.false_positive,
                self.false_positive > 0.0,
                "above 0",
            ),
            (
                "false_negative",
                self.false_negative,
                self.false_negative > 0.0,
                "above 0",
            ),
            (
                "confusion",
                self.confusion,
                self.confusion >= 0.0,
                "at least 0",
            ),
        ];
        // NaN fails every comparison, so it is caught too.
        let problems: Vec<String> = options
            .iter()
            .filter(|(_, value, fits, _)| !fits || !value.is_finite())
            .map(|(name, value, _, expected)| format!("`{name}` is {value}, expected {expected}"))
            .collect();
        if problems.is_empty() {
            Ok(())
        } else {
            Err(Error::configuration(problems.join("; ")))
        }
    }

    /// The input was validated: scores are finite, labels in range, and there are as many rows of both.
    fn evaluate(&self, input: Classification<'_>) -> Result<f64> {
        let baseline = Baseline::of(self, input.labels(), input.classes())?;
        self.relative_to(baseline, input)
    }

    /// The candidates of one step are predictions on the same rows. So what a constant decision costs, which only the
    /// labels decide, is computed once for all of them.
    fn evaluate_many(&self, inputs: &[Classification<'_>], call: &Call<'_>) -> Result<Vec<f64>> {
        let Some(first) = inputs.first() else {
            return Ok(Vec::new());
        };
        let baseline = Baseline::of(self, first.labels(), first.classes())?;
        let each = inputs.iter().map(|&input| {
            // Whoever presses Ctrl-C should not have to wait for the rest.
            call.check()?;
            self.relative_to(baseline, input)
        });
        each.collect()
    }
}

impl NormalisedCost {
    fn relative_to(&self, baseline: Baseline, input: Classification<'_>) -> Result<f64> {
        let confusions = Confusions::of(input)?;
        let value = confusions.cost(self) / baseline.0;
        if value > 1.0 {
            // It appears in the host's log, compiled in or loaded. A metric is called thousands of times: nothing above
            // debug.
            tracing::debug!(value, ?confusions, "a constant decision would cost less");
        }
        Ok(value)
    }
}

register!(metric NormalisedCost);

#[cfg(test)]
mod tests {
    use super::*;
    use metricopt_sdk::{ErrorKind, MetricEntry};
    use serde_json::json;

    const CALL: Call<'_> = Call {
        threads: 1,
        cancelled: &|| false,
    };

    fn metric(false_positive: f64, false_negative: f64, confusion: f64) -> NormalisedCost {
        NormalisedCost {
            false_positive,
            false_negative,
            confusion,
        }
    }

    /// Worked by hand: one false alarm of 2 and one miss of 5, against 3 false alarms or 2 misses.
    #[test]
    fn binary() -> Result<()> {
        let scores = [0.9, 0.8, 0.1, 0.2, 0.3];
        let input = Classification::binary(&scores, &[1, 0, 1, 0, 0])?;
        assert_eq!(metric(2.0, 5.0, 0.0).evaluate(input)?, 7.0 / 6.0);
        assert_eq!(metric(2.0, 2.5, 0.0).evaluate(input)?, 4.5 / 5.0);
        Ok(())
    }

    /// Worked by hand: classes 1 and 2 are mixed up once; deciding for 2 costs one false alarm and one confusion.
    #[test]
    fn several_classes() -> Result<()> {
        #[rustfmt::skip]
        let scores = [
            0.9, 0.1, 0.0,
            0.0, 0.2, 0.8,
            0.1, 0.1, 0.8,
            0.1, 0.2, 0.7,
        ];
        let input = Classification::multiclass(&scores, &[0, 1, 2, 2], 3)?;
        assert_eq!(metric(3.0, 10.0, 1.5).evaluate(input)?, 1.5 / 4.5);
        Ok(())
    }

    #[test]
    fn degenerate_input_is_undefined() -> Result<()> {
        for (scores, labels, reason) in [
            (vec![], vec![], "no samples"),
            (
                vec![0.2, 0.7],
                vec![1, 1],
                "a constant decision costs nothing",
            ),
            (
                vec![0.2, 0.7],
                vec![0, 0],
                "a constant decision costs nothing",
            ),
        ] {
            let input = Classification::binary(&scores, &labels)?;
            let error = NormalisedCost::default().evaluate(input).unwrap_err();
            assert_eq!(
                (error.kind(), error.to_string().as_str()),
                (ErrorKind::Undefined, reason)
            );
        }
        Ok(())
    }

    #[test]
    fn together_as_one_by_one() -> Result<()> {
        let labels = [0, 1, 0, 1, 1, 0];
        let all = [
            [0.1, 0.9, 0.7, 0.2, 0.6, 0.3],
            [0.5; 6],
            [0.9, 0.1, 0.9, 0.1, 0.1, 0.9],
        ];
        let inputs: Vec<_> = all
            .iter()
            .map(|scores| Classification::binary(scores, &labels))
            .collect::<Result<_>>()?;
        let metric = NormalisedCost::default();
        let one_by_one: Result<Vec<f64>> =
            inputs.iter().map(|&input| metric.evaluate(input)).collect();
        assert_eq!(metric.evaluate_many(&inputs, &CALL)?, one_by_one?);
        Ok(())
    }

    /// Through the entry, as the host does it.
    #[test]
    fn options_are_checked() {
        let entry = MetricEntry::of::<NormalisedCost>();
        assert!(entry.create(&json!({"false_negative": 3})).is_ok());
        for (config, expected) in [
            (
                json!({"false_positive": 0, "confusion": -1}),
                "`false_positive` is 0, expected above 0; `confusion` is -1, expected at least 0",
            ),
            (
                json!({"false_negatives": 3}),
                "unknown field `false_negatives`",
            ),
        ] {
            let error = entry.create(&config).map(|_| ()).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Configuration);
            assert!(error.to_string().contains(expected), "{error}");
        }
    }
}
