//! The metric kit on metrics that are wrong on purpose, each caught by the right law, and on right ones of every kind.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use metricopt_sdk::prelude::*;
use metricopt_sdk::testkit::{self, Law, Options, Report, Sample, Shape, Verdict};
use std::sync::atomic::{AtomicU64, Ordering};

/// A metric without options, the quick way.
macro_rules! metric {
    ($name:ident, $input:ident, $direction:ident, { $($constant:item)* }, |$arg:ident| $value:expr) => {
        #[doc = stringify!($name)]
        #[derive(Default, Serialize, Deserialize, JsonSchema)]
        #[serde(default, deny_unknown_fields)]
        struct $name {}

        impl Metric for $name {
            const NAME: &'static str = stringify!($name);
            const DIRECTION: Direction = Direction::$direction;
            $($constant)*
            type Input<'a> = $input<'a>;

            fn evaluate(&self, $arg: $input<'_>) -> Result<f64> {
                $value
            }
        }
    };
}

const UNIT: (f64, f64) = (0.0, 1.0);

fn some(input: Classification<'_>) -> Result<Classification<'_>> {
    if input.is_empty() {
        return Err(Error::undefined("no samples"));
    }
    Ok(input)
}

/// Share of samples whose decision is their label.
fn accuracy(input: Classification<'_>) -> Result<f64> {
    let pairs = some(input)?.decisions()?.zip(input.labels());
    let right = pairs.filter(|&(class, &label)| class as i64 == label);
    Ok(right.count() as f64 / input.len() as f64)
}

/// Share of the first half of the ranking that is positive; equal scores stay in the order they came.
fn precision_of_the_upper_half(input: Classification<'_>) -> Result<f64> {
    if !some(input)?.is_binary() {
        return Err(Error::unsupported("binary scores only"));
    }
    let mut rows: Vec<_> = input.scores().iter().zip(input.labels()).collect();
    rows.sort_by(|a, b| b.0.total_cmp(a.0));
    let half = input.len().div_ceil(2);
    let positive = rows[..half].iter().filter(|row| *row.1 == 1).count();
    Ok(positive as f64 / half as f64)
}

#[track_caller]
fn assert_broken<M: Metric>(metric: &M, laws: &[Law], parts: &[&str]) -> Report {
    let report = testkit::check(metric).unwrap();
    let broken: Vec<Law> = report.broken().map(|found| found.law).collect();
    assert_eq!(broken, laws, "\n{report}");
    let text = report.to_string();
    for part in parts {
        assert!(text.contains(part), "no `{part}` in\n{text}");
    }
    let panic = metricopt_sdk::panics::catch(|| report.assert()).unwrap_err();
    assert!(panic.message.contains("BROKEN"), "{}", panic.message);
    report
}

metric!(
    Right,
    Classification,
    Maximise,
    {
        const RANGE: (f64, f64) = UNIT;
    },
    |input| accuracy(input)
);

#[test]
fn a_right_metric_passes() {
    let report = testkit::check(&Right {}).unwrap();
    report.assert();
    assert!(report.notes.is_empty(), "{report}");
    for law in [
        Law::Determinism,
        Law::Permutation,
        Law::Ties,
        Law::Degenerate,
        Law::Range,
        Law::Direction,
    ] {
        assert_eq!(report.verdict(law), Verdict::Held, "\n{report}");
    }
    for law in [Law::RankBased, Law::Population] {
        assert_eq!(report.verdict(law), Verdict::NotApplicable, "\n{report}");
    }
    assert_eq!(report.profiles.len(), 3);
    assert!(
        report
            .profiles
            .iter()
            .all(|profile| profile.shape == Shape::Smooth),
        "\n{report}"
    );
    assert_eq!(
        report,
        testkit::check(&Right {}).unwrap(),
        "the kit itself is deterministic"
    );
    testkit::assert_laws(&Right {});
}

#[track_caller]
fn any_seed<M: Metric>() {
    for seed in 0..30 {
        let options = Options {
            seed,
            profile: false,
            ..Options::default()
        };
        testkit::check_with(&M::default(), &options)
            .unwrap()
            .assert();
    }
}

#[test]
fn laws_hold_for_any_seed() {
    any_seed::<Right>();
}

metric!(
    WrongDirection,
    Classification,
    Minimise,
    {
        const RANGE: (f64, f64) = UNIT;
    },
    |input| accuracy(input)
);

#[test]
fn wrong_direction() {
    assert_broken(
        &WrongDirection {},
        &[Law::Direction],
        &["declared to minimise, yet it rises", "check `DIRECTION`"],
    );
}

metric!(
    Positional,
    Classification,
    Maximise,
    {
        const RANGE: (f64, f64) = UNIT;
    },
    |input| {
        let pairs = some(input)?.decisions()?.zip(input.labels()).enumerate();
        let weights: Vec<(f64, f64)> = pairs
            .map(|(at, (class, &label))| {
                (
                    1.0 / (at + 1) as f64,
                    f64::from(u8::from(class as i64 == label)),
                )
            })
            .collect();
        let total: f64 = weights.iter().map(|(weight, _)| weight).sum();
        Ok(weights
            .iter()
            .map(|(weight, right)| weight * right)
            .sum::<f64>()
            / total)
    }
);

#[test]
fn order_dependent() {
    assert_broken(
        &Positional {},
        &[Law::Permutation],
        &["in another order (binary, "],
    );
}

metric!(InSinglePrecision, Classification, Minimise, {}, |input| {
    let pairs = some(input)?.probabilities()?.iter().zip(input.labels());
    if !input.is_binary() {
        return Err(Error::unsupported("binary scores only"));
    }
    let sum: f32 = pairs.map(|(p, &label)| (p - label as f32).powi(2)).sum();
    Ok(f64::from(sum) / input.len() as f64)
});

#[test]
fn summed_in_single_precision() {
    assert_broken(
        &InSinglePrecision {},
        &[Law::Permutation],
        &["looks like rounding", "sum in `f64`"],
    );
}

metric!(
    TiesByOrder,
    Classification,
    Maximise,
    {
        const RANGE: (f64, f64) = UNIT;
    },
    |input| precision_of_the_upper_half(input)
);

#[test]
fn ties_broken_by_order() {
    let report = assert_broken(
        &TiesByOrder {},
        &[Law::Ties],
        &["with many equal scores", "as one threshold"],
    );
    assert_eq!(
        report.notes,
        ["not checked on 3-class predictions: no value (binary scores only)"]
    );
    let text = report.to_string();
    assert!(text.contains("could declare `RANK_BASED`"), "{text}");
}

metric!(
    NanForOneClass,
    Classification,
    Maximise,
    {
        const RANGE: (f64, f64) = UNIT;
    },
    |input| {
        let pairs: Vec<_> = some(input)?
            .decisions()?
            .zip(input.labels())
            .filter(|pair| *pair.1 == 0)
            .collect();
        let right = pairs.iter().filter(|pair| pair.0 == 0).count();
        Ok(right as f64 / pairs.len() as f64)
    }
);

#[test]
fn nan_for_one_class() {
    assert_broken(
        &NanForOneClass {},
        &[Law::Degenerate],
        &[
            "one sample (binary) and 4 more: returned NaN",
            "Error::undefined",
        ],
    );
}

metric!(
    OutOfRange,
    Classification,
    Maximise,
    {
        const RANGE: (f64, f64) = (0.0, 0.5);
    },
    |input| accuracy(input)
);

#[test]
fn out_of_range() {
    let report = testkit::check(&OutOfRange {}).unwrap();
    assert_eq!(report.verdict(Law::Range), Verdict::Broken, "\n{report}");
    assert!(
        report.to_string().contains("outside its range [0, 0.5]"),
        "{report}"
    );
    assert_ne!(
        report.verdict(Law::Determinism),
        Verdict::Broken,
        "\n{report}"
    );
}

/// Counts its calls.
#[derive(Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct Counting {
    #[serde(skip)]
    calls: AtomicU64,
}

impl Metric for Counting {
    const NAME: &'static str = "counting";
    const DIRECTION: Direction = Direction::Maximise;
    type Input<'a> = Classification<'a>;

    fn evaluate(&self, input: Classification<'_>) -> Result<f64> {
        Ok(accuracy(input)? + 1e-12 * self.calls.fetch_add(1, Ordering::Relaxed) as f64)
    }
}

#[test]
fn not_deterministic() {
    let report = assert_broken(
        &Counting::default(),
        &[Law::Determinism],
        &["on the same input later"],
    );
    assert_eq!(report.verdict(Law::Permutation), Verdict::NotApplicable);
}

/// Remembers something of its last call.
#[derive(Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct Shared {
    #[serde(skip)]
    samples: AtomicU64,
}

impl Metric for Shared {
    const NAME: &'static str = "shared";
    const DIRECTION: Direction = Direction::Maximise;
    type Input<'a> = Classification<'a>;

    fn evaluate(&self, input: Classification<'_>) -> Result<f64> {
        self.samples.store(input.len() as u64, Ordering::Relaxed);
        let right = accuracy(input)? * input.len() as f64;
        std::thread::sleep(std::time::Duration::from_micros(20));
        Ok(right / self.samples.load(Ordering::Relaxed) as f64)
    }
}

#[test]
fn not_safe_on_several_threads() {
    assert_broken(
        &Shared::default(),
        &[Law::Determinism],
        &["while other threads call too"],
    );
}

metric!(
    PanicsOnEmpty,
    Classification,
    Maximise,
    {
        const RANGE: (f64, f64) = UNIT;
    },
    |input| {
        assert!(!input.is_empty(), "nothing there");
        accuracy(input)
    }
);

#[test]
fn panics_on_empty() {
    assert_broken(
        &PanicsOnEmpty {},
        &[Law::Degenerate],
        &[
            "no sample (binary) and 1 more: panicked: nothing there (at ",
            ".rs:",
        ],
    );
}

metric!(
    FalselyRankBased,
    Classification,
    Maximise,
    {
        const RANGE: (f64, f64) = UNIT;
        const RANK_BASED: bool = true;
    },
    |input| accuracy(input)
);

#[test]
fn claims_to_be_rank_based() {
    assert_broken(
        &FalselyRankBased {},
        &[Law::RankBased],
        &["after an increasing transformation of the scores"],
    );
}

metric!(
    Unplugged,
    Classification,
    Minimise,
    {
        const RANGE: (f64, f64) = UNIT;
    },
    |input| {
        Err(Error::failed(format!(
            "no connection for {} samples",
            input.len()
        )))
    }
);

#[test]
fn fails_always() {
    let laws = [Law::Degenerate, Law::Range];
    let report = assert_broken(
        &Unplugged {},
        &laws,
        &[
            "no connection for",
            "no connection for 12 samples; and 1 other fault",
        ],
    );
    assert_eq!(report.verdict(Law::Determinism), Verdict::NotApplicable);
    assert_eq!(report.profiles[0].shape, Shape::Unclear);
}

metric!(Constant, Classification, Minimise, {}, |input| Ok(
    f64::from(u8::from(input.len() > 1_000_000))
));

#[test]
fn a_constant_breaks_nothing_and_is_flat() {
    let report = testkit::check(&Constant {}).unwrap();
    report.assert();
    assert_eq!(
        report.verdict(Law::Direction),
        Verdict::NotApplicable,
        "\n{report}"
    );
    assert!(
        report
            .profiles
            .iter()
            .all(|profile| profile.shape == Shape::Flat),
        "\n{report}"
    );
    assert!(
        report.to_string().contains("no bounds are declared"),
        "{report}"
    );
}

/// The population form of a mean, right or wrong in a few ways.
#[derive(Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct Population {
    how: u8,
}

impl Metric for Population {
    const NAME: &'static str = "population";
    const DIRECTION: Direction = Direction::Maximise;
    const POPULATION: bool = true;
    type Input<'a> = Classification<'a>;

    fn evaluate(&self, input: Classification<'_>) -> Result<f64> {
        accuracy(input)
    }

    fn evaluate_many(&self, inputs: &[Classification<'_>], _: &Call<'_>) -> Result<Vec<f64>> {
        let values = inputs.iter().map(|&input| accuracy(input));
        match self.how {
            0 => values.collect(),
            1 => values
                .map(|value| Ok(value? * (1.0 + 4.0 * f64::EPSILON)))
                .collect(),
            2 => values.skip(1).collect(),
            3 if inputs.len() > 1 => values.collect::<Result<Vec<_>>>().map(|mut values| {
                values.reverse();
                values
            }),
            3 => values.collect(),
            4 => Err(Error::undefined("not together")),
            _ => panic!("too many"),
        }
    }
}

#[test]
fn populations() {
    let report = testkit::check(&Population { how: 0 }).unwrap();
    assert_eq!(report.verdict(Law::Population), Verdict::Held, "\n{report}");
    for (how, part) in [
        (1, "from `evaluate`, but"),
        (2, "returned 0 values for 1 candidates"),
        (3, "of 5)"),
        (
            4,
            "`evaluate_many` failed where `evaluate` has values: not together",
        ),
        (5, "panicked: too many"),
    ] {
        assert_broken(&Population { how }, &[Law::Population], &[part]);
    }
}

/// One option, with bounds.
#[derive(Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct Bounded {
    at: f64,
}

impl Metric for Bounded {
    const NAME: &'static str = "bounded";
    const DIRECTION: Direction = Direction::Maximise;
    type Input<'a> = Classification<'a>;

    fn check(&self) -> Result<()> {
        if self.at < 1.0 {
            return Ok(());
        }
        Err(Error::configuration("`at` is 1 or more"))
    }

    fn evaluate(&self, input: Classification<'_>) -> Result<f64> {
        accuracy(input)
    }
}

#[test]
fn a_configuration_out_of_range() {
    assert!(testkit::check(&Bounded { at: 0.5 }).is_ok());
    assert_eq!(
        testkit::check(&Bounded { at: 1.5 })
            .unwrap_err()
            .to_string(),
        "`at` is 1 or more"
    );
    let panic =
        metricopt_sdk::panics::catch(|| testkit::assert_laws(&Bounded { at: 1.5 })).unwrap_err();
    assert_eq!(panic.message, "metric `bounded`: `at` is 1 or more");
}

/// Squared distance between two items.
fn distance(input: &Retrieval<'_>, a: usize, b: usize) -> f64 {
    let d = input.dimensions();
    let row = |at: usize| &input.embeddings()[at * d..(at + 1) * d];
    row(a)
        .iter()
        .zip(row(b))
        .map(|(x, y)| (f64::from(*x) - f64::from(*y)).powi(2))
        .sum()
}

/// Recall at 1; of equally near items either the mean or the first.
fn recall_at_1(input: Retrieval<'_>, first: bool) -> Result<f64> {
    if input.len() < 2 {
        return Err(Error::undefined("no two items"));
    }
    let hits = (0..input.len()).map(|a| {
        let others = || (0..input.len()).filter(move |&b| b != a);
        let nearest = others()
            .map(|b| distance(&input, a, b))
            .fold(f64::INFINITY, f64::min);
        let mut near: Vec<usize> = others()
            .filter(|&b| distance(&input, a, b) == nearest)
            .collect();
        if first {
            near.truncate(1);
        }
        let hits = near
            .iter()
            .filter(|&&b| input.labels()[a] == input.labels()[b])
            .count();
        hits as f64 / near.len() as f64
    });
    Ok(hits.sum::<f64>() / input.len() as f64)
}

metric!(
    RecallAt1,
    Retrieval,
    Maximise,
    {
        const RANGE: (f64, f64) = UNIT;
        const RANK_BASED: bool = true;
    },
    |input| recall_at_1(input, false)
);
metric!(RecallAtFirst, Retrieval, Maximise, {}, |input| recall_at_1(
    input, true
));
metric!(
    RecallByRows,
    Retrieval,
    Maximise,
    {
        const TIES_BY_INDEX: bool = true;
    },
    |input| recall_at_1(input, true)
);
metric!(
    RecallWrongWay,
    Retrieval,
    Minimise,
    {},
    |input| recall_at_1(input, false)
);

#[test]
fn retrieval() {
    let report = testkit::check(&RecallAt1 {}).unwrap();
    report.assert();
    assert_eq!(report.verdict(Law::Direction), Verdict::Held, "\n{report}");
    assert_eq!(report.verdict(Law::RankBased), Verdict::Held, "\n{report}");
    assert!(
        report
            .profiles
            .iter()
            .all(|profile| profile.shape == Shape::Smooth),
        "\n{report}"
    );
    any_seed::<RecallAt1>();
    assert_broken(&RecallAtFirst {}, &[Law::Ties], &["embeddings, "]);
    let declared = testkit::check(&RecallByRows {}).unwrap();
    declared.assert();
    assert_eq!(declared.verdict(Law::Ties), Verdict::NotApplicable);
    assert_broken(&RecallWrongWay {}, &[Law::Direction], &[]);
}

fn overlap(a: [f32; 4], b: [f32; 4]) -> f64 {
    let extent = |low: f32, high: f32| f64::from(high) - f64::from(low);
    let area = |c: [f32; 4]| extent(c[0], c[2]).max(0.0) * extent(c[1], c[3]).max(0.0);
    let both = area([
        a[0].max(b[0]),
        a[1].max(b[1]),
        a[2].min(b[2]),
        a[3].min(b[3]),
    ]);
    let either = area(a) + area(b) - both;
    if either > 0.0 { both / either } else { 0.0 }
}

/// Mean over the true boxes of the best overlap with a box of its class and image, weighted by its score.
fn found(input: Detection<'_>) -> Result<f64> {
    if input.gt_boxes.is_empty() {
        return Err(Error::undefined("no true boxes"));
    }
    let best = (0..input.gt_boxes.len()).map(|truth| {
        let fits = (0..input.boxes.len()).filter(move |&at| {
            input.labels[at] == input.gt_labels[truth]
                && input.image_ids[at] == input.gt_image_ids[truth]
        });
        fits.map(|at| {
            f64::from(input.scores[at].clamp(0.0, 1.0))
                * overlap(input.boxes[at], input.gt_boxes[truth])
        })
        .fold(0.0, f64::max)
    });
    Ok(best.sum::<f64>() / input.gt_boxes.len() as f64)
}

metric!(
    Found,
    Detection,
    Maximise,
    {
        const RANGE: (f64, f64) = UNIT;
    },
    |input| found(input)
);
metric!(
    FoundFirst,
    Detection,
    Maximise,
    {
        const RANGE: (f64, f64) = UNIT;
    },
    |input| {
        let at =
            (0..input.scores.len()).min_by(|&a, &b| input.scores[b].total_cmp(&input.scores[a]));
        let at = at.ok_or_else(|| Error::undefined("no box found"))?;
        let truths = input
            .gt_boxes
            .iter()
            .zip(input.gt_image_ids)
            .filter(|truth| *truth.1 == input.image_ids[at]);
        Ok(truths
            .map(|(corners, _)| overlap(*corners, input.boxes[at]))
            .fold(0.0, f64::max))
    }
);

#[test]
fn detection() {
    let report = testkit::check(&Found {}).unwrap();
    report.assert();
    assert_eq!(report.verdict(Law::Direction), Verdict::Held, "\n{report}");
    assert!(
        report
            .profiles
            .iter()
            .all(|profile| profile.shape == Shape::Smooth),
        "\n{report}"
    );
    any_seed::<Found>();
    assert_broken(&FoundFirst {}, &[Law::Ties], &["boxes, "]);
}

metric!(Mean, Named, Maximise, {}, |input| {
    let values = input.get("depth")?.f32()?;
    if values.is_empty() {
        return Err(Error::undefined("no depths"));
    }
    Ok(values.iter().map(|&x| f64::from(x)).sum::<f64>() / values.len() as f64)
});

#[test]
fn named_tensors_need_samples() {
    let report = testkit::check(&Mean {}).unwrap();
    report.assert();
    let why = "there are no made-up named predictions: give some of your own";
    assert!(
        report
            .findings
            .iter()
            .all(|found| found.verdict == Verdict::NotApplicable),
        "\n{report}"
    );
    assert!(report.to_string().contains(why), "{report}");

    let depths = [View::new("depth", &[3], Data::F32(&[1.0, 2.0, 4.5])).unwrap()];
    let other = [View::new("height", &[0], Data::F32(&[])).unwrap()];
    let samples = vec![
        Sample::copy("three depths", &Views::new(&depths)),
        Sample::copy("no depth", &Views::new(&other)),
    ];
    let options = Options {
        samples,
        ..Options::default()
    };
    let report = testkit::check_with(&Mean {}, &options).unwrap();
    assert_eq!(
        report.verdict(Law::Determinism),
        Verdict::Held,
        "\n{report}"
    );
    assert_eq!(report.verdict(Law::Range), Verdict::Held, "\n{report}");
    assert_eq!(
        report.verdict(Law::Permutation),
        Verdict::NotApplicable,
        "\n{report}"
    );
    assert_eq!(
        report.notes,
        ["not checked on no depth: no value (tensor `depth` is missing; there are `height`)"]
    );
}
