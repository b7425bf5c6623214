//! `comparison.json`, `comparison.csv` and the table on the terminal: many methods over many seeds.

use metricopt_sdk::Direction;
use serde::Serialize;
use serde_json::Value;
use std::fmt::Write;

use super::text_table::align;
use crate::engine::contender::Contender;
use crate::engine::contest::{Entry, Note, SeedResult};
use crate::engine::statistics::{PairedTest, holm, mean, paired_test, standard_deviation};

/// Version of `comparison.json`.
const VERSION: u32 = 1;

/// Corrected p-value below which a difference is called clear.
const LEVEL: f64 = 0.05;

/// What a comparison found, as it stands in `comparison.json`.
#[derive(Clone, Debug, Serialize)]
pub struct Comparison {
    version: u32,
    /// What was compared: program, task, metric, device, methods and configuration.
    setup: Value,
    /// What the differences are to.
    reference: Contender,
    /// The MetricOpt that was best on validation, if there is one.
    metricopt: Option<Contender>,
    statistics: &'static str,
    verdict: String,
    methods: Vec<Row>,
    left_out: Vec<Note>,
    /// Every seed, so that everything else can be computed again.
    seeds: Vec<SeedResult>,
    #[serde(skip)]
    direction: Direction,
    #[serde(skip)]
    metric: String,
    #[serde(skip)]
    task: String,
}

/// One method over all seeds.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Row {
    /// The method.
    pub method: Contender,
    /// Natural metric value on the validation split.
    pub validation: Spread,
    /// Natural metric value on the test split.
    pub test: Spread,
    /// Against the reference, on the test split; `None` for the reference itself.
    pub versus_reference: Option<Versus>,
    /// Against the best MetricOpt, on the test split; `None` for that one itself, or if there is none.
    pub versus_metricopt: Option<Versus>,
    /// Mean of the metric queries that it would have taken alone.
    pub queries: f64,
    /// Mean of the seconds that it would have taken alone.
    pub seconds: f64,
}

/// Mean and standard deviation over seeds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Spread {
    /// The mean.
    pub mean: f64,
    /// Sample standard deviation, divisor `n - 1`.
    pub sd: f64,
}

impl Spread {
    fn of(values: &[f64]) -> Self {
        Self {
            mean: mean(values),
            sd: standard_deviation(values),
        }
    }
}

/// A difference paired by seed.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Versus {
    /// Mean of this method minus the other, in the metric's natural sense.
    pub difference: f64,
    /// 95 % interval of the mean by Student's t, not corrected.
    pub interval: [f64; 2],
    /// Two-sided p-value of the paired t test.
    pub p: f64,
    /// The p-value after Holm's correction over all methods compared with the same other one.
    pub p_holm: f64,
}

impl Versus {
    /// Whether the difference is for the better (+1), for the worse (-1), or not clear (0).
    fn clear(&self, direction: Direction) -> i8 {
        match direction.sign() * self.difference {
            _ if self.p_holm >= LEVEL => 0,
            signed if signed < 0.0 => 1,
            _ => -1,
        }
    }
}

/// What the columns mean; the test and the correction are part of the result.
const STATISTICS: &str = "\
Difference: test value minus that of loss-only at the same seed, its mean and 95 % interval by Student's t.
Of each seed, comparison.csv and comparison.json have an interval over the test split too, by paired bootstrap.
p: paired t test over seeds, two-sided. Holm: p corrected for the number of methods compared with loss-only (Holm 1979).
Queries and seconds: what the method would have taken alone, mean over seeds.";

impl Comparison {
    /// Compares finished seeds, given in ascending order.
    pub fn new(
        setup: Value,
        metric: &str,
        direction: Direction,
        task: &str,
        seeds: Vec<SeedResult>,
    ) -> Self {
        let columns: Vec<(Contender, Vec<&Entry>)> = Contender::ALL
            .into_iter()
            .filter_map(|method| {
                let entry = |seed: &'_ SeedResult| {
                    let mut entries = seed.entries.iter();
                    entries.position(|entry| entry.method == method)
                };
                let places: Option<Vec<usize>> = seeds.iter().map(entry).collect();
                let entries = places?
                    .into_iter()
                    .zip(&seeds)
                    .filter_map(|(place, seed)| seed.entries.get(place));
                Some((method, entries.collect()))
            })
            .collect();
        let validation = |entries: &[&Entry]| column(entries, |entry| entry.validation);
        // Chosen on validation: to choose on test would flatter it.
        let metricopt = columns
            .iter()
            .filter(|(method, _)| method.metricopt_optimizer().is_some())
            .min_by(|(_, a), (_, b)| {
                let signed = |entries| direction.sign() * mean(&validation(entries));
                signed(a).total_cmp(&signed(b))
            })
            .map(|&(method, _)| method);
        let against_reference = versus(&columns, Some(Contender::REFERENCE));
        let against_metricopt = versus(&columns, metricopt);
        let methods: Vec<Row> = columns
            .iter()
            .zip(against_reference.into_iter().zip(against_metricopt))
            .map(
                |((method, entries), (versus_reference, versus_metricopt))| Row {
                    method: *method,
                    validation: Spread::of(&validation(entries)),
                    test: Spread::of(&column(entries, |entry| entry.test)),
                    versus_reference,
                    versus_metricopt,
                    queries: mean(&column(entries, |entry| entry.queries as f64)),
                    seconds: mean(&column(entries, |entry| entry.seconds)),
                },
            )
            .collect();
        let mut left_out: Vec<Note> = Vec::new();
        for note in seeds.iter().flat_map(|seed| &seed.left_out) {
            if !left_out.contains(note) {
                left_out.push(note.clone());
            }
        }
        Self {
            version: VERSION,
            setup,
            reference: Contender::REFERENCE,
            metricopt,
            statistics: STATISTICS,
            verdict: verdict(&methods, metricopt, direction, seeds.len()),
            methods,
            left_out,
            seeds,
            direction,
            metric: metric.to_owned(),
            task: task.to_owned(),
        }
    }

    /// The table with its verdict, for the terminal.
    pub fn table(&self) -> String {
        let head = [
            "method",
            "test, mean ± sd",
            "difference",
            "95 % interval",
            "p",
            "Holm",
            "queries",
            "seconds",
        ];
        let mut rows = vec![head.map(str::to_owned)];
        for row in &self.methods {
            let [difference, interval, p, p_holm] = match &row.versus_reference {
                None => [(); 4].map(|()| "-".to_owned()),
                Some(versus) => {
                    let [low, high] = versus.interval;
                    [
                        format!("{:+.4}", versus.difference),
                        format!("[{low:+.4}, {high:+.4}]"),
                        probability(versus.p),
                        probability(versus.p_holm),
                    ]
                }
            };
            rows.push([
                row.method.to_string(),
                format!("{:.4} ± {:.4}", row.test.mean, row.test.sd),
                difference,
                interval,
                p,
                p_holm,
                format!("{:.0}", row.queries),
                format!("{:.1}", row.seconds),
            ]);
        }
        let aim = match self.direction {
            Direction::Minimise => "lower is better",
            Direction::Maximise => "higher is better",
        };
        let mut text = format!(
            "{} ({aim}), task {}, {} seeds\n\n{}\n{STATISTICS}\n",
            self.metric,
            self.task,
            self.seeds.len(),
            align(&rows)
        );
        for note in &self.left_out {
            // Writing to a `String` cannot fail.
            let _ = writeln!(text, "Left out: {}, {}.", note.method, note.reason);
        }
        for seed in &self.seeds {
            for note in &seed.failed_points {
                let _ = writeln!(
                    text,
                    "Seed {}: {} without {}",
                    seed.seed, note.method, note.reason
                );
            }
        }
        let _ = write!(text, "\n{}", self.verdict);
        text
    }

    /// Every value in long form.
    pub fn csv(&self) -> String {
        let mut text =
            "seed,method,validation,test,queries,seconds,difference_low,difference_high\n"
                .to_owned();
        for seed in &self.seeds {
            for entry in &seed.entries {
                // Nothing where there is no interval.
                let [low, high] = match entry.difference_interval {
                    Some(ends) => ends.map(|end| end.to_string()),
                    None => [(); 2].map(|()| String::new()),
                };
                // Writing to a `String` cannot fail; the shortest digits that give the same number back.
                let _ = writeln!(
                    text,
                    "{},{},{},{},{},{},{low},{high}",
                    seed.seed,
                    entry.method,
                    entry.validation,
                    entry.test,
                    entry.queries,
                    entry.seconds
                );
            }
        }
        text
    }
}

fn column(entries: &[&Entry], value: impl Fn(&Entry) -> f64) -> Vec<f64> {
    entries.iter().map(|entry| value(entry)).collect()
}

/// Every method against one of them, with Holm's correction over all of these comparisons.
fn versus(columns: &[(Contender, Vec<&Entry>)], other: Option<Contender>) -> Vec<Option<Versus>> {
    let base = columns
        .iter()
        .find(|(method, _)| Some(*method) == other)
        .map(|(_, entries)| column(entries, |entry| entry.test));
    let test = |(method, entries): &(Contender, Vec<&Entry>)| -> Option<PairedTest> {
        let base = base.as_ref().filter(|_| Some(*method) != other)?;
        let values = column(entries, |entry| entry.test);
        let differences: Vec<f64> = values.iter().zip(base).map(|(a, b)| a - b).collect();
        paired_test(&differences)
    };
    let tests: Vec<Option<PairedTest>> = columns.iter().map(test).collect();
    let p_values: Vec<f64> = tests.iter().flatten().map(|test| test.p).collect();
    let mut corrected = holm(&p_values).into_iter();
    tests
        .into_iter()
        .map(|test| {
            let PairedTest {
                difference,
                interval,
                p,
            } = test?;
            Some(Versus {
                difference,
                interval,
                p,
                p_holm: corrected.next()?,
            })
        })
        .collect()
}

/// One sentence: which methods are clearly better than the reference, and what that says of MetricOpt.
fn verdict(
    rows: &[Row],
    metricopt: Option<Contender>,
    direction: Direction,
    seeds: usize,
) -> String {
    let names = |wanted: &dyn Fn(&Row) -> bool| -> Vec<&'static str> {
        let chosen = rows.iter().filter(|row| wanted(row));
        chosen.map(|row| row.method.name()).collect()
    };
    let is = |versus: Option<Versus>, clear: i8| {
        versus.is_some_and(|versus| versus.clear(direction) == clear)
    };
    let reference = Contender::REFERENCE;
    let better = names(&|row| row.method != Contender::Pretrained && is(row.versus_reference, 1));
    let mut text = if better.is_empty() {
        format!(
            "nothing to gain here that {seeds} seeds could show: no method is clearly better than {reference}"
        )
    } else {
        format!(
            "clearly better than {reference} over {seeds} seeds: {}",
            better.join(", ")
        )
    };
    let Some(metricopt) = metricopt else {
        return text;
    };
    let mut add = |clause: String| text.push_str(&format!("; {clause}"));
    if !better.is_empty() && !better.contains(&metricopt.name()) {
        add(format!("{metricopt} is not among them"));
    }
    let as_good = names(&|row| row.method.is_trivial() && !is(row.versus_metricopt, -1));
    let behind = names(&|row| row.method.is_trivial() && is(row.versus_metricopt, -1));
    if !as_good.is_empty() {
        add(format!(
            "a trivial method does as well as {metricopt}, or not clearly worse: {}",
            as_good.join(", ")
        ));
    } else if !behind.is_empty() {
        add(format!(
            "{metricopt} is clearly better than the trivial {}",
            behind.join(" and ")
        ));
    }
    let ahead = names(&|row| !row.method.is_trivial() && is(row.versus_metricopt, 1));
    if !ahead.is_empty() {
        add(format!(
            "clearly better than {metricopt}: {}",
            ahead.join(", ")
        ));
    }
    text
}

fn probability(p: f64) -> String {
    if p < 1e-4 {
        "<0.0001".to_owned()
    } else {
        format!("{p:.4}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Seeds in which the given methods have the given test values.
    fn compare(direction: Direction, methods: &[(Contender, [f64; 4])]) -> Comparison {
        let seeds = (0..4)
            .map(|seed| SeedResult {
                seed,
                width: 1.0,
                rank_correlation: None,
                entries: methods
                    .iter()
                    .map(|&(method, tests)| Entry {
                        method,
                        validation: tests[seed as usize],
                        test: tests[seed as usize],
                        difference_interval: (method == Contender::Pretrained)
                            .then_some([-0.02, 0.01]),
                        queries: 10,
                        seconds: 0.5,
                        chosen: None,
                        acceptance: None,
                        history: Vec::new(),
                    })
                    .collect(),
                left_out: Vec::new(),
                failed_points: Vec::new(),
            })
            .collect();
        Comparison::new(Value::Null, "f1", direction, "t", seeds)
    }

    const PRETRAINED: (Contender, [f64; 4]) = (Contender::Pretrained, [0.60, 0.62, 0.61, 0.63]);
    const LOSS_ONLY: (Contender, [f64; 4]) = (Contender::LossOnly, [0.61, 0.62, 0.62, 0.63]);

    #[test]
    fn a_clear_gain_is_named_with_the_trivial_method_that_has_it_too() {
        let found = compare(
            Direction::Maximise,
            &[
                PRETRAINED,
                (Contender::Threshold, [0.701, 0.719, 0.712, 0.729]),
                LOSS_ONLY,
                (Contender::MetricoptAdam, [0.70, 0.72, 0.711, 0.73]),
            ],
        );
        assert_eq!(
            found.verdict,
            "clearly better than loss-only over 4 seeds: threshold, metricopt-adam; a trivial method does as well as \
             metricopt-adam, or not clearly worse: threshold"
        );
        assert_eq!(found.metricopt, Some(Contender::MetricoptAdam));
        let versus = found.methods[3].versus_reference.unwrap();
        assert!((versus.difference - 0.09525).abs() < 1e-12, "{versus:?}");
        assert!(versus.p <= versus.p_holm);
        assert_eq!(found.methods[2].versus_reference, None);
    }

    #[test]
    fn the_direction_turns_the_verdict_round() {
        let methods = [
            PRETRAINED,
            (Contender::Threshold, [0.60, 0.63, 0.61, 0.63]),
            LOSS_ONLY,
            (Contender::MetricoptSgd, [0.70, 0.72, 0.711, 0.73]),
        ];
        assert_eq!(
            compare(Direction::Minimise, &methods).verdict,
            "nothing to gain here that 4 seeds could show: no method is clearly better than loss-only; a trivial method does \
             as well as metricopt-sgd, or not clearly worse: threshold; clearly better than metricopt-sgd: \
             pretrained, loss-only"
        );
        assert_eq!(
            compare(Direction::Maximise, &methods).verdict,
            "clearly better than loss-only over 4 seeds: metricopt-sgd; metricopt-sgd is clearly better than the trivial \
             threshold"
        );
    }

    #[test]
    fn a_method_that_one_seed_lacks_has_no_row() {
        let mut seeds = compare(Direction::Maximise, &[PRETRAINED, LOSS_ONLY]).seeds;
        seeds[2].entries.remove(0);
        let found = Comparison::new(Value::Null, "f1", Direction::Maximise, "t", seeds);
        assert_eq!(found.methods.len(), 1);
        assert!(found.csv().contains("\n0,loss-only,0.61,0.61,10,0.5,,\n"));
        assert!(
            found
                .csv()
                .contains("\n0,pretrained,0.6,0.6,10,0.5,-0.02,0.01\n")
        );
    }
}
