//! Laws that hold for any input, and the definitions taken literally.

use metricopt_sdk::{ErrorKind, Kind, OwnedClassification};
use proptest::prelude::*;
use serde_json::json;

use crate::support::{Lcg, assert_close, binary, evaluate, metrics_of, several};

const RANKED: [&str; 4] = [
    "auroc",
    "aucpr",
    "precision-at-recall",
    "recall-at-precision",
];

/// Few distinct scores of both signs, and both zeros.
fn margins() -> impl Strategy<Value = OwnedClassification> {
    let score = prop_oneof![
        (-6..=6_i8).prop_map(|level| f32::from(level) / 4.0),
        Just(-0.0_f32)
    ];
    prop::collection::vec((score, 0..=1_i64), 1..50).prop_map(|rows| {
        let (scores, labels): (Vec<_>, Vec<_>) = rows.into_iter().unzip();
        binary(&scores, &labels)
    })
}

/// Probabilities in steps of 1/16, 0 and 1 among them: binary, or of 2 to 4 classes.
fn probabilities() -> impl Strategy<Value = OwnedClassification> {
    let two = prop::collection::vec((0..=16_u8, 0..=1_i64), 1..50).prop_map(|rows| {
        let scores: Vec<_> = rows.iter().map(|row| f32::from(row.0) / 16.0).collect();
        let labels: Vec<_> = rows.iter().map(|row| row.1).collect();
        binary(&scores, &labels)
    });
    let more = (2..=4_usize).prop_flat_map(|classes| {
        let row = (prop::collection::vec(0..classes, 16), 0..classes as i64);
        prop::collection::vec(row, 1..50).prop_map(move |rows| {
            let mut scores = vec![0.0; rows.len() * classes];
            for (at, (sixteenths, _)) in rows.iter().enumerate() {
                sixteenths
                    .iter()
                    .for_each(|class| scores[at * classes + class] += 1.0 / 16.0);
            }
            let labels: Vec<_> = rows.iter().map(|row| row.1).collect();
            several(&scores, &labels, classes)
        })
    });
    prop_oneof![two, more]
}

/// An input and the order of its rows shuffled.
fn with_order(
    inputs: impl Strategy<Value = OwnedClassification>,
) -> impl Strategy<Value = (OwnedClassification, Vec<u32>)> {
    inputs.prop_flat_map(|input| {
        let rows: Vec<_> = (0..input.view().len() as u32).collect();
        (Just(input), Just(rows).prop_shuffle())
    })
}

/// The value, or none where it is undefined; any other error fails the test.
fn defined(name: &str, input: &OwnedClassification) -> Option<f64> {
    match evaluate(name, &json!({}), input) {
        Ok(value) => Some(value),
        Err(error) if error.kind() == ErrorKind::Undefined => None,
        Err(error) => panic!("{name}: {error}"),
    }
}

/// Scores of the positive and of the negative samples.
fn split(input: &OwnedClassification) -> (Vec<f32>, Vec<f32>) {
    let (scores, labels) = (input.view().scores(), input.view().labels());
    let of = |wanted: i64| {
        let rows = scores
            .iter()
            .zip(labels)
            .filter(move |(_, label)| **label == wanted);
        rows.map(|(score, _)| *score).collect()
    };
    (of(1), of(0))
}

/// At each distinct score the counts of positives and of samples at or above it, by looking at all of them.
fn counted(input: &OwnedClassification) -> Vec<(f64, f64)> {
    let (positives, negatives) = split(input);
    let above =
        |scores: &[f32], at: f32| scores.iter().filter(|score| **score >= at).count() as f64;
    let mut distinct = input.view().scores().to_vec();
    distinct.sort_by(|a, b| b.partial_cmp(a).unwrap());
    distinct.dedup();
    distinct
        .into_iter()
        .map(|at| {
            let found = above(&positives, at);
            (found, found + above(&negatives, at))
        })
        .collect()
}

/// Checks every ranking metric against its definition.
fn assert_ranked_by_definition(input: &OwnedClassification) {
    let (positives, negatives) = split(input);
    let (p, n) = (positives.len() as f64, negatives.len() as f64);
    let thresholds = counted(input);

    let pairs = positives
        .iter()
        .flat_map(|a| negatives.iter().map(move |b| (a, b)));
    let ordered: f64 = pairs
        .map(|(a, b)| f64::from(u8::from(a > b)) + 0.5 * f64::from(u8::from(a == b)))
        .sum();
    let mut before = 0.0;
    let steps = thresholds.iter().map(|(found, predicted)| {
        let step = (found - before) / p * (found / predicted);
        before = *found;
        step
    });
    let area: f64 = steps.sum();
    let best = |value: &dyn Fn(f64, f64) -> Option<f64>| {
        let values = thresholds
            .iter()
            .filter_map(|(found, predicted)| value(found / p, found / predicted));
        values.fold(0.0, f64::max)
    };
    let precision = best(&|recall, precision| (recall >= 0.9).then_some(precision));
    let recall = best(&|recall, precision| (precision >= 0.9).then_some(recall));

    for (name, expected) in RANKED
        .into_iter()
        .zip([ordered / (p * n), area, precision, recall])
    {
        match defined(name, input) {
            Some(actual) => assert_close(actual, expected, 1e-12, name),
            None => assert!(
                p == 0.0 || (n == 0.0 && name == "auroc"),
                "{name} is undefined"
            ),
        }
    }
}

/// Mean weight of the confusions, and what it would be by chance: over all pairs of a label and a decision.
fn confusion(input: &OwnedClassification, weight: fn(f64) -> f64) -> (f64, f64) {
    let labels = input.view().labels();
    let decisions: Vec<_> = input.view().decisions().unwrap().collect();
    let weight = |label: i64, decision: usize| weight((label as f64 - decision as f64).abs());
    let samples = labels.len() as f64;
    let paired = labels.iter().zip(&decisions);
    let observed: f64 = paired.map(|(l, d)| weight(*l, *d)).sum();
    let crossed = labels
        .iter()
        .flat_map(|l| decisions.iter().map(move |d| (l, d)));
    let expected: f64 = crossed.map(|(l, d)| weight(*l, *d)).sum();
    (observed / samples, expected / (samples * samples))
}

proptest! {
    #[test]
    fn rankings_follow_their_definitions(input in margins()) {
        assert_ranked_by_definition(&input);
    }

    #[test]
    fn rankings_depend_on_the_order_of_scores_only(input in margins()) {
        let maps: [fn(f32) -> f32; 3] = [|s| s * s * s, |s| (2.0 * s).exp(), |s| 3.0 * s - 100.0];
        for map in maps {
            let mut mapped = input.clone();
            mapped.map_scores(map).unwrap();
            for name in RANKED {
                prop_assert_eq!(defined(name, &input), defined(name, &mapped), "{}", name);
            }
        }
    }

    #[test]
    fn rankings_do_not_depend_on_the_order_of_samples((input, order) in with_order(margins())) {
        let shuffled = input.view().select(&order);
        for name in RANKED {
            prop_assert_eq!(defined(name, &input), defined(name, &shuffled), "{}", name);
        }
    }

    #[test]
    fn nothing_depends_on_the_order_of_samples((input, order) in with_order(probabilities())) {
        let shuffled = input.view().select(&order);
        for entry in metrics_of(Kind::Classification) {
            match (defined(&entry.name, &input), defined(&entry.name, &shuffled)) {
                (Some(a), Some(b)) => assert_close(a, b, 1e-12, &entry.name),
                (a, b) => prop_assert_eq!(a, b, "{}", entry.name),
            }
        }
    }

    /// `evaluate` refuses a value that is not finite or out of range; only rankings may be undefined.
    #[test]
    fn values_are_in_range(input in probabilities()) {
        for entry in metrics_of(Kind::Classification) {
            prop_assert!(defined(&entry.name, &input).is_some() || RANKED.contains(&entry.name.as_str()), "{}", entry.name);
        }
    }

    #[test]
    fn metrics_agree_with_each_other(input in probabilities()) {
        let value = |name| defined(name, &input).unwrap();
        assert_close(value("mcr"), 1.0 - value("accuracy"), 1e-15, "mcr");
        assert_close(value("top-k-error"), value("mcr"), 1e-15, "top-k-error");
        assert_close(value("macro-recall"), 1.0 - value("balanced-error"), 1e-15, "macro-recall");
        prop_assert!(value("worst-class-error") >= value("balanced-error") - 1e-12);
        let with = |name, config| evaluate(name, &config, &input).unwrap();
        assert_close(with("fbeta", json!({"beta": 1.0})), value("f1"), 1e-12, "fbeta");
        assert_close(with("fbeta", json!({"average": "micro"})), value("accuracy"), 1e-12, "fbeta");
        let (observed, expected) = confusion(&input, |distance| distance * distance);
        let kappa = with("cohen-kappa", json!({"weights": "quadratic"}));
        assert_close(kappa, if expected > 0.0 { 1.0 - observed / expected } else { 0.0 }, 1e-12, "cohen-kappa");
        let (observed, expected) = confusion(&input, |distance| distance);
        let kappa = with("cohen-kappa", json!({"weights": "linear"}));
        assert_close(kappa, if expected > 0.0 { 1.0 - observed / expected } else { 0.0 }, 1e-12, "cohen-kappa");
        prop_assert!(value("g-mean") <= 1.0 - value("balanced-error") + 1e-12);
        if input.view().is_binary() {
            assert_close(value("jaccard"), value("f1") / (2.0 - value("f1")), 1e-12, "jaccard");
            // The same probabilities as two columns.
            let two: Vec<_> = input.view().scores().iter().flat_map(|p| [1.0 - p, *p]).collect();
            let mut labels = input.view().labels().to_vec();
            // A tie goes to class 1 as one column and to class 0 as two.
            let tied = input.view().scores().contains(&0.5);
            let columns = several(&two, &labels, 2);
            for (name, factor) in [("log-loss", 1.0), ("brier", 2.0)] {
                assert_close(evaluate(name, &json!({}), &columns).unwrap(), factor * value(name), 1e-12, name);
            }
            for name in ["mcr", "accuracy", "balanced-error", "g-mean", "mcc"] {
                let other = evaluate(name, &json!({}), &columns).unwrap();
                prop_assert!(tied || (other - value(name)).abs() < 1e-12, "{}", name);
            }
            // Class 0 ranked as the positive one.
            labels.iter_mut().for_each(|label| *label = 1 - *label);
            let mut reversed = binary(input.view().scores(), &labels);
            reversed.map_scores(|score| -score).unwrap();
            if let (Some(a), Some(b)) = (defined("auroc", &input), defined("auroc", &reversed)) {
                assert_close(a, b, 1e-12, "auroc");
            }
        }
    }
}

/// Long enough for the radix sort: any finite scores, one sign only, few distinct ones, probabilities.
#[test]
fn long_rankings_follow_their_definitions() {
    let maps: [fn(u64) -> f32; 5] = [
        |bits| {
            Some(f32::from_bits(bits as u32))
                .filter(|score| score.is_finite())
                .unwrap_or(0.0)
        },
        |bits| -((bits >> 8) as f32) / 65536.0,
        |bits| ((bits >> 24) as f32 / 16.0).round() - 3.0,
        |bits| (bits >> 8) as f32 / 16_777_216.0,
        |bits| if bits & 1 == 0 { 0.0 } else { -0.0 },
    ];
    for (seed, map) in (1..).zip(maps) {
        for samples in [1023, 1024, 2500] {
            let mut random = Lcg(seed);
            let (scores, labels): (Vec<_>, Vec<_>) = (0..samples)
                .map(|_| {
                    let bits = (random.bits() << 8) | (random.bits() & 0xff);
                    (map(bits), i64::from(random.bits().is_multiple_of(3)))
                })
                .unzip();
            assert_ranked_by_definition(&binary(&scores, &labels));
        }
    }
}
