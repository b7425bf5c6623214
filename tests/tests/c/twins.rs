//! The metrics of `examples/c` and their Rust twins: the same bits, the same kinds of errors.

use metricopt_example_realistic::NormalisedCost;
use metricopt_example_smallest::Specificity;
use metricopt_sdk::abi::Level;
use metricopt_sdk::{Call, Data, DynMetric, Error, ErrorKind, MetricEntry, Result, View, Views};
use proptest::prelude::*;
use serde_json::{Value, json};
use std::sync::{LazyLock, Mutex};

use crate::library::plugin;

const CALL: Call<'_> = Call {
    threads: 1,
    cancelled: &|| false,
};

/// A metric in Rust and in C.
struct Twins {
    rust: MetricEntry,
    c: MetricEntry,
}

impl Twins {
    fn new(rust: MetricEntry, source: &str) -> Self {
        let logger = |level, target: &str, text: &str| {
            LOG.lock()
                .unwrap()
                .push((level, target.to_owned(), text.to_owned()));
        };
        let mut found = plugin(source, Box::new(logger)).unwrap();
        assert_eq!(found.len(), 1);
        let c = found.remove(0);
        Self { rust, c }
    }

    fn create(&self, config: &Value) -> [Result<Box<dyn DynMetric>>; 2] {
        [self.rust.create(config), self.c.create(config)]
    }

    /// What both say of the same tensors.
    fn evaluate(&self, config: &Value, views: &Views<'_>) -> [Result<f64>; 2] {
        self.create(config)
            .map(|metric| metric?.evaluate(views, &CALL))
    }
}

static LOG: Mutex<Vec<(Level, String, String)>> = Mutex::new(Vec::new());

static SMALLEST: LazyLock<Twins> =
    LazyLock::new(|| Twins::new(MetricEntry::of::<Specificity>(), "examples/c/smallest.c"));

static REALISTIC: LazyLock<Twins> = LazyLock::new(|| {
    Twins::new(
        MetricEntry::of::<NormalisedCost>(),
        "examples/c/realistic.c",
    )
});

fn both() -> [&'static Twins; 2] {
    [&SMALLEST, &REALISTIC]
}

/// The same bits, or the same kind of error.
#[track_caller]
fn assert_same<T: std::fmt::Debug>(
    [rust, c]: [Result<T>; 2],
    bits: impl Fn(T) -> Vec<u64>,
) -> Option<Error> {
    match (rust, c) {
        (Ok(rust), Ok(c)) => {
            assert_eq!(bits(rust), bits(c));
            None
        }
        (Err(rust), Err(c)) => {
            assert_eq!(rust.kind(), c.kind(), "{rust} / {c}");
            Some(c)
        }
        (rust, c) => panic!("{rust:?} in Rust, {c:?} in C"),
    }
}

fn bits(value: f64) -> Vec<u64> {
    vec![value.to_bits()]
}

fn all_bits(values: Vec<f64>) -> Vec<u64> {
    values.into_iter().map(f64::to_bits).collect()
}

#[test]
fn they_say_the_same_of_themselves() {
    for Twins { rust, c } in both() {
        assert_eq!(format!("{}-c", rust.name), c.name);
        assert_eq!(rust.kind, c.kind);
        assert_eq!(rust.direction, c.direction);
        assert_eq!(rust.population, c.population);
        assert_eq!(rust.rank_based, c.rank_based);
        assert_eq!(rust.ties_by_index, c.ties_by_index);
        assert_eq!(rust.defaults, c.defaults);
        // The lines of C are broken elsewhere.
        let words = |entry: &MetricEntry| {
            let text = entry.schema["description"].as_str().unwrap();
            text.split_whitespace()
                .map(str::to_owned)
                .collect::<Vec<_>>()
        };
        assert_eq!(words(rust), words(c));
        for (key, schema) in rust.schema["properties"].as_object().into_iter().flatten() {
            assert_eq!(
                schema["description"], c.schema["properties"][key]["description"],
                "{key}"
            );
        }
    }
}

#[test]
fn the_log_reaches_the_host() {
    let tensors = [
        View::new("scores", &[3], Data::F32(&[0.9, 0.1, 0.8])).unwrap(),
        View::new("labels", &[3], Data::I64(&[0, 1, 0])).unwrap(),
    ];
    let value = REALISTIC.c.create(&REALISTIC.c.defaults).unwrap();
    assert_eq!(value.evaluate(&Views::new(&tensors), &CALL).unwrap(), 6.0);
    let expected = (
        Level::Debug,
        "example-realistic-c".to_owned(),
        "a constant decision would cost less".to_owned(),
    );
    assert!(LOG.lock().unwrap().contains(&expected));
}

/// Where the words of C can be those of Rust, they are.
#[test]
fn errors_read_the_same() {
    let scores = View::new("scores", &[2], Data::F32(&[0.25, 0.75])).unwrap();
    let label = |labels| View::new("labels", &[2], Data::I64(labels)).unwrap();
    for (tensors, expected) in [
        (vec![], "tensor `scores` is missing; there are none"),
        (
            vec![scores],
            "tensor `labels` is missing; there are `scores`",
        ),
        (
            vec![scores, label(&[0, 2])],
            "tensor `labels` holds 2 at row 1, expected 0..=1",
        ),
        (
            vec![scores, label(&[i64::MIN, 0])],
            "tensor `labels` holds -9223372036854775808 at row 0, expected 0..=1",
        ),
    ] {
        for twins in both() {
            for outcome in twins.evaluate(&twins.rust.defaults, &Views::new(&tensors)) {
                let error = outcome.unwrap_err();
                assert_eq!(error.kind(), ErrorKind::Data);
                assert_eq!(error.to_string(), expected);
            }
        }
    }
    let one_class = [scores, label(&[1, 1])];
    for (twins, expected) in both()
        .into_iter()
        .zip(["no samples of class 0", "a constant decision costs nothing"])
    {
        for outcome in twins.evaluate(&twins.rust.defaults, &Views::new(&one_class)) {
            let error = outcome.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Undefined);
            assert_eq!(error.to_string(), expected);
        }
    }
}

/// The name of a tensor goes into the message whatever is in it.
#[test]
fn names_of_tensors_are_escaped() {
    let name = "a\"b\\c\n\u{1}\u{1f3af}";
    let tensors = [View::new(name, &[0], Data::U8(&[])).unwrap()];
    for outcome in SMALLEST.evaluate(&json!({}), &Views::new(&tensors)) {
        let expected = format!("tensor `scores` is missing; there are `{name}`");
        assert_eq!(outcome.unwrap_err().to_string(), expected);
    }
}

#[test]
fn whoever_asked_to_stop_does_not_wait() {
    let tensors = [
        View::new("scores", &[2], Data::F32(&[0.25, 0.75])).unwrap(),
        View::new("labels", &[2], Data::I64(&[0, 1])).unwrap(),
    ];
    let call = Call {
        threads: 1,
        cancelled: &|| true,
    };
    for metric in REALISTIC.create(&REALISTIC.rust.defaults) {
        let metric = metric.unwrap();
        let outcome = metric.evaluate_many(&[Views::new(&tensors); 2], &call);
        assert_eq!(outcome.unwrap().unwrap_err().kind(), ErrorKind::Cancelled);
    }
}

/// Scores of several candidates on the same rows, and labels.
#[derive(Debug)]
struct Input {
    columns: usize,
    candidates: Vec<Vec<f32>>,
    labels: Vec<i64>,
}

fn input() -> impl Strategy<Value = Input> {
    // Ties and exact halves, ordinary probabilities, now and then no probability.
    let score = prop_oneof![
        40 => (0..=8_u8).prop_map(|eighths| f32::from(eighths) / 8.0),
        40 => 0.0..=1.0_f32,
        1 => -2.0..2.0_f32,
    ];
    (1..5_usize, 0..60_usize, 1..4_usize).prop_flat_map(move |(columns, rows, candidates)| {
        let scores = prop::collection::vec(score.clone(), rows * columns);
        let labels = prop::collection::vec(0..columns.max(2) as i64, rows);
        (prop::collection::vec(scores, candidates), labels).prop_map(move |(candidates, labels)| {
            Input {
                columns,
                candidates,
                labels,
            }
        })
    })
}

fn option() -> impl Strategy<Value = Value> {
    prop_oneof![
        (1..100_u8).prop_map(|tenths| json!(f64::from(tenths) / 10.0)),
        (0.0..1e6_f64).prop_map(|cost| json!(cost)),
        any::<u64>().prop_map(|cost| json!(cost)),
        any::<f64>().prop_map(|cost| json!(cost)),
        (-3..3_i32).prop_map(|cost| json!(cost)),
    ]
}

/// Some of the options, in any order, or something that is no option's value.
fn config() -> impl Strategy<Value = Value> {
    let odd = prop_oneof![
        Just(json!(null)),
        Just(json!("1")),
        Just(json!([1])),
        Just(json!(true)),
        Just(json!({"confusion": 1})),
    ];
    let value = prop_oneof![20 => option(), 1 => odd];
    let key = prop::sample::select(vec!["false_positive", "false_negative", "confusion"]);
    prop::collection::vec((key, value), 0..4).prop_map(|pairs| {
        pairs
            .into_iter()
            .map(|(key, value)| (key.to_owned(), value))
            .collect()
    })
}

/// Tensors that are mostly wrong: names, types and shapes as they come.
fn tensors() -> impl Strategy<Value = Vec<(&'static str, Vec<usize>, u8)>> {
    let name = prop::sample::select(vec!["scores", "labels", "score", ""]);
    let shape = prop::collection::vec(0..4_usize, 0..4);
    prop::collection::vec((name, shape, 0..4_u8), 0..4)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn values_are_the_same_to_the_last_bit(input in input(), config in config()) {
        let rows = input.labels.len();
        let (flat, matrix) = ([rows], [rows, input.columns]);
        let shape: &[usize] = if input.columns == 1 { &flat } else { &matrix };
        let labels = View::new("labels", &flat, Data::I64(&input.labels)).unwrap();
        let candidates: Vec<[View<'_>; 2]> = input
            .candidates
            .iter()
            .map(|scores| [View::new("scores", shape, Data::F32(scores)).unwrap(), labels])
            .collect();
        let candidates: Vec<Views<'_>> = candidates.iter().map(|tensors| Views::new(tensors)).collect();
        for views in &candidates {
            assert_same(SMALLEST.evaluate(&json!({}), views), bits);
            assert_same(REALISTIC.evaluate(&config, views), bits);
        }
        let [rust, c] = REALISTIC.create(&config);
        if let (Ok(rust), Ok(c)) = (rust, c) {
            let all = [&rust, &c].map(|metric| metric.evaluate_many(&candidates, &CALL).unwrap());
            assert_same(all, all_bits);
        }
    }

    #[test]
    fn tensors_that_do_not_fit_are_refused_alike(tensors in tensors()) {
        let data = [vec![0.5_f32; 64]];
        let (floats, doubles, integers, bytes) = (&data[0], vec![0.5_f64; 64], vec![0_i64; 64], vec![0_u8; 64]);
        let views: Vec<View<'_>> = tensors
            .iter()
            .map(|(name, shape, dtype)| {
                let len = shape.iter().product::<usize>();
                let data = match dtype {
                    0 => Data::F32(&floats[..len]),
                    1 => Data::F64(&doubles[..len]),
                    2 => Data::I64(&integers[..len]),
                    _ => Data::U8(&bytes[..len]),
                };
                View::new(name, shape, data).unwrap()
            })
            .collect();
        for twins in both() {
            assert_same(twins.evaluate(&twins.rust.defaults, &Views::new(&views)), bits);
        }
    }

    #[test]
    fn numbers_that_are_none_are_refused_alike(
        at in 0..4_usize,
        score in prop::sample::select(vec![f32::NAN, f32::INFINITY, f32::NEG_INFINITY, f32::MAX, 1.5, -0.0, f32::MIN_POSITIVE]),
        label in any::<i64>(),
        columns in 1..=2_usize,
    ) {
        let (mut scores, mut labels) = (vec![0.5_f32; 4 * columns], vec![0_i64, 1, 0, 1]);
        scores[at * columns] = score;
        if label % 2 == 0 {
            labels[at] = label;
        }
        let shape = [4, 2];
        let tensors = [
            View::new("scores", &shape[..columns], Data::F32(&scores)).unwrap(),
            View::new("labels", &shape[..1], Data::I64(&labels)).unwrap(),
        ];
        for twins in both() {
            assert_same(twins.evaluate(&twins.rust.defaults, &Views::new(&tensors)), bits);
        }
    }
}
