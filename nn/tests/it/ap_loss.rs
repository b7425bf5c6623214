//! AP-loss against values worked out by hand and against its definition written down plainly, pair by pair.

use metricopt_nn::detector::DetectorName;
use metricopt_nn::detector::Output;
use metricopt_nn::detector::ap_loss::{ApLoss, ap_loss};
use metricopt_nn::detector::loss::{Scale, Targets, loss_by_slopes};
use metricopt_nn::detector::matching::Role;
use metricopt_sdk::autograd;
use metricopt_sdk::tch::{Device, Tensor};
use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64Mcg;

const OBJECT: Role = Role::Object(0, [0.0; 4]);

fn near(found: &[f32], expected: &[f64]) {
    assert_eq!(found.len(), expected.len());
    for (found, expected) in found.iter().zip(expected) {
        let difference = (f64::from(*found) - expected).abs();
        assert!(difference < 1e-6, "{found} instead of {expected}");
    }
}

/// The positive at 0 has one negative a whole step above it and the other positive: precision 2/3. The one at 2 has a negative just
/// out of reach: precision 1.
#[test]
fn two_objects_and_two_negatives_by_hand() {
    let roles = [OBJECT, Role::Background, OBJECT, Role::Background];
    let found = ap_loss(&[2.0, 1.0, 0.0, -3.0], &[&roles], 1, None);
    assert!((found.value - 1.0 / 6.0).abs() < 1e-12, "{}", found.value);
    near(&found.slopes, &[0.0, 1.0 / 6.0, -1.0 / 6.0, 0.0]);
}

/// Precision at the lower object is 2/4 and would be 1/3 at the upper one: interpolated it is 1/2 at both.
#[test]
fn precision_is_interpolated() {
    let roles = [OBJECT, OBJECT, Role::Background, Role::Background];
    let found = ap_loss(&[0.0, 3.0, 4.5, 6.0], &[&roles], 1, None);
    assert!((found.value - 0.5).abs() < 1e-12, "{}", found.value);
    near(&found.slopes, &[-0.25, -0.25, 0.25, 0.25]);
}

/// The ranking is one of all images and classes; what is left out of the loss is in no ranking, and classes count as they are
/// weighted.
#[test]
fn all_images_and_classes_stand_in_one_ranking() {
    let first = [Role::Object(1, [0.0; 4]), Role::Ignored];
    let second = [Role::Background, Role::Background];
    let logits = [5.0, 0.0, 9.0, 9.0, 7.0, -4.0, -4.0, -4.0];
    let plain = ap_loss(&logits, &[&first, &second], 2, None);
    // One of the other class of its own anchor and one of another image are above the object.
    assert!((plain.value - 2.0 / 3.0).abs() < 1e-12, "{}", plain.value);
    let third = 1.0 / 3.0;
    near(
        &plain.slopes,
        &[third, -2.0 * third, 0.0, 0.0, third, 0.0, 0.0, 0.0],
    );
    let weighted = ap_loss(&logits, &[&first, &second], 2, Some(&[0.5, 1.5]));
    for (plain, weighted) in plain.slopes.iter().zip(&weighted.slopes) {
        assert!((1.5 * plain - weighted).abs() < 1e-6);
    }
}

#[test]
fn without_objects_there_is_nothing_to_say() {
    let roles = [Role::Background, Role::Ignored];
    let found = ap_loss(&[3.0, 4.0], &[&roles], 1, None);
    assert_eq!((found.value, found.slopes), (0.0, vec![0.0; 2]));
    assert_eq!(ap_loss(&[], &[], 3, None).slopes, Vec::<f32>::new());
}

/// The definition: a matrix of pairs, and the loop of algorithm 1.
fn by_definition(logits: &[f32], roles: &[Role], classes: usize, weights: &[f32]) -> ApLoss {
    let step = |x: f64| (x / 2.0 + 0.5).clamp(0.0, 1.0);
    let (mut positives, mut negatives) = (Vec::new(), Vec::new());
    for (at, _) in logits.iter().enumerate() {
        match &roles[at / classes] {
            Role::Object(class, _) if *class as usize == at % classes => positives.push(at),
            Role::Ignored => {}
            _ => negatives.push(at),
        }
    }
    let score = |at: usize| f64::from(logits[at]);
    positives.sort_by(|a, b| score(*a).total_cmp(&score(*b)));
    let everything: Vec<usize> = positives.iter().chain(&negatives).copied().collect();
    let mut slopes = vec![0.0_f64; logits.len()];
    let (mut best, mut value) = (0.0, 0.0);
    for &i in &positives {
        let others = everything.iter().filter(|k| **k != i);
        let rank = 1.0 + others.map(|k| step(score(*k) - score(i))).sum::<f64>();
        let mut row: Vec<f64> = negatives
            .iter()
            .map(|j| step(score(*j) - score(i)) / rank)
            .collect();
        let precision = 1.0 - row.iter().sum::<f64>();
        if precision >= best {
            best = precision;
        } else {
            row.iter_mut()
                .for_each(|error| *error *= (1.0 - best) / (1.0 - precision));
        }
        let weight = f64::from(weights[i % classes]) / positives.len() as f64;
        for (&j, error) in negatives.iter().zip(&row) {
            slopes[i] -= weight * error;
            slopes[j] += weight * error;
            value += weight * error;
        }
    }
    let slopes = slopes.into_iter().map(|slope| slope as f32).collect();
    ApLoss { value, slopes }
}

#[test]
fn the_fast_way_is_that_of_the_definition() {
    let mut rng = Pcg64Mcg::seed_from_u64(11);
    let mut interpolated = 0;
    for case in 0..300 {
        let (anchors, classes) = (rng.random_range(1..60), rng.random_range(1..4));
        let spread = [0.0, 0.5, 3.0, 10.0][case % 4];
        let roles: Vec<Role> = (0..anchors)
            .map(|_| match rng.random_range(0..6) {
                0 => Role::Object(rng.random_range(0..classes as i64), [0.0; 4]),
                1 => Role::Ignored,
                _ => Role::Background,
            })
            .collect();
        let logits: Vec<f32> = (0..anchors * classes)
            // Of whole numbers many are equal, and many are exactly where the ramp ends.
            .map(|_| match case % 3 {
                0 => rng.random_range(-3..4) as f32,
                _ => spread * rng.random_range(-1.0..1.0_f32),
            })
            .collect();
        let weights: Vec<f32> = (0..classes).map(|_| rng.random_range(0.5..2.0)).collect();
        let expected = by_definition(&logits, &roles, classes, &weights);
        let (first, second) = roles.split_at(anchors / 2);
        let found = ap_loss(&logits, &[first, second], classes, Some(&weights));
        assert!((found.value - expected.value).abs() < 1e-9, "case {case}");
        for (found, expected) in found.slopes.iter().zip(&expected.slopes) {
            assert!((found - expected).abs() < 1e-6, "case {case}");
        }
        interpolated += usize::from(found.slopes.iter().filter(|slope| **slope < 0.0).count() > 1);
    }
    assert!(interpolated > 100, "{interpolated}");
}

#[test]
fn autograd_hands_the_errors_to_the_logits() {
    let code = [0.5, 0.0, 0.0, 0.0];
    let roles = [Role::Object(0, code), Role::Background, Role::Background];
    let logits = [0.5_f32, 1.0, -1.0];
    let ranking = ap_loss(&logits, &[&roles], 1, None);
    let targets = Targets::new(&[&roles], 1, Device::Cpu).unwrap();
    let slopes = Tensor::from_slice(&ranking.slopes).view([1, 3, 1]);
    let (value, gradient) = autograd(&Tensor::from_slice(&logits), |logits| {
        let output = Output {
            logits: logits.f_view([1, 3, 1])?,
            codes: Tensor::zeros([1, 3, 4], (slopes.kind(), Device::Cpu)),
        };
        let scale = Scale {
            terms: DetectorName::Tiny.terms(),
            objects: 1.0,
            images: 1.0,
        };
        loss_by_slopes(&output, &targets, &slopes, &scale, None)
    })
    .unwrap();
    // Smooth L1 of one code that is off by a half, with the bend at 1/9.
    let placement = 0.5 - 0.5 / 9.0;
    assert!((value - ranking.value - placement).abs() < 1e-6, "{value}");
    assert_eq!(
        Vec::<f32>::try_from(gradient).unwrap(),
        ranking.slopes.as_slice()
    );
}
