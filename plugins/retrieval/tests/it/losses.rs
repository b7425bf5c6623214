//! The surrogate losses: by hand, and their gradients against finite differences.

use metricopt_retrieval::loss::{
    Pairs, Proxies, Surrogate, contrastive, multi_similarity, smooth_ap, supervised_contrastive,
    triplet,
};
use metricopt_sdk::Result;
use metricopt_sdk::tch::{Device, Kind, Tensor};

const ALL: [Surrogate; 6] = [
    Surrogate::Contrastive,
    Surrogate::Triplet,
    Surrogate::MultiSimilarity,
    Surrogate::ProxyNca,
    Surrogate::SmoothAp,
    Surrogate::SupervisedContrastive,
];

const LABELS: [i64; 8] = [0, 1, 2, 0, 1, 2, 0, 1];

/// Eight embeddings in five dimensions, of no pattern, and near enough to each other that every loss has something to say.
fn numbers() -> Vec<f64> {
    (0..40)
        .map(|at| 1.0 + 0.5 * (f64::from(at) * 12.9898).sin())
        .collect()
}

fn proxies() -> Proxies {
    let embeddings: Vec<f32> = numbers().iter().map(|&x| x as f32).collect();
    Proxies::of_means(&embeddings, &LABELS, Device::Cpu).unwrap()
}

fn tensor(numbers: &[f64]) -> Tensor {
    Tensor::from_slice(numbers).view([8, 5])
}

#[test]
fn gradients_are_those_of_finite_differences() {
    for loss in ALL {
        let proxies = proxies();
        let value = |x: &Tensor| loss.of(x, &LABELS, Some(&proxies)).unwrap();
        let leaf = tensor(&numbers()).set_requires_grad(true);
        value(&leaf).backward();
        let gradient = Vec::<f64>::try_from(leaf.grad().view([-1])).unwrap();
        let largest = gradient.iter().fold(0.0, |most: f64, x| most.max(x.abs()));
        assert!(largest > 1e-6, "{loss:?} has no gradient");
        for (at, &slope) in gradient.iter().enumerate() {
            let moved = |step: f64| {
                let mut numbers = numbers();
                numbers[at] += step;
                value(&tensor(&numbers)).double_value(&[])
            };
            let measured = (moved(1e-6) - moved(-1e-6)) / 2e-6;
            assert!(
                (measured - slope).abs() < 1e-5 * largest.max(1.0),
                "{loss:?} at {at}: {slope} instead of {measured}"
            );
        }
    }
}

/// Items a, a, b in the plane with similarities s(0, 1) = 0.8, s(0, 2) = 0.6, s(1, 2) = 0.96.
fn three() -> Pairs {
    let embeddings = Tensor::from_slice(&[2.0, 0.0, 0.8, 0.6, 0.6, 0.8]).view([3, 2]);
    Pairs::new(&embeddings, &[7, 7, 3]).unwrap()
}

#[track_caller]
fn assert_value(loss: fn(&Pairs) -> Result<Tensor>, expected: f64) {
    let found = loss(&three()).unwrap().double_value(&[]);
    assert!((found - expected).abs() < 1e-9, "{found} is not {expected}");
}

#[test]
fn values_by_hand() {
    // Positives miss 1 by 0.2; the negatives are 0.1 and 0.46 above the margin.
    assert_value(contrastive, 0.2 + (0.1 + 0.46) / 2.0);
    // Squared distances 0.4 to the positive, 0.8 and 0.08 to the negative. Anchor 0: 0.8 is farther and far enough; anchor 1:
    // none is farther, and the farthest is 0.08 away.
    assert_value(triplet, (0.0 + (0.4 - 0.08 + 0.2)) / 2.0);
    // Query 0 finds its positive first, query 1 second; item 2 has nothing to find. Sigmoids of 20 and 16 are steps.
    let step = |x: f64| 1.0 / (1.0 + (-x / 0.01).exp());
    let ap = [
        1.0 / (1.0 + step(0.6 - 0.8)),
        1.0 / (1.0 + step(0.96 - 0.8)),
    ];
    assert_value(smooth_ap, 1.0 - (ap[0] + ap[1]) / 2.0);
    let surprise = |s: f64, other: f64| -(s / 0.1 - ((s / 0.1).exp() + (other / 0.1).exp()).ln());
    assert_value(
        supervised_contrastive,
        (surprise(0.8, 0.6) + surprise(0.8, 0.96)) / 2.0,
    );
    // Mining: anchor 0 keeps no pair (0.8 > 0.6 + 0.1); anchor 1 keeps both; anchor 2 has no positive, so that its least similar
    // one bounds nothing, and no pair is kept.
    let positive = (-2.0_f64 * (0.8 - 0.5)).exp().ln_1p() / 2.0;
    let negative = (50.0_f64 * (0.96 - 0.5)).exp().ln_1p() / 50.0;
    assert_value(multi_similarity, (positive + negative) / 3.0);
}

#[test]
fn proxy_nca_by_hand() {
    // Proxies along x and y; the item at 45 degrees is as far from both.
    let proxies = Proxies::of_means(&[3.0, 0.0, 0.0, 1.0], &[5, 9], Device::Cpu).unwrap();
    let loss = |x: [f64; 2], label| {
        let embeddings = Tensor::from_slice(&x).view([1, 2]);
        Surrogate::ProxyNca.of(&embeddings, &[label], Some(&proxies))
    };
    let value = |x, label| loss(x, label).unwrap().double_value(&[]);
    assert!(value([1.0, 1.0], 5).abs() < 1e-6);
    // On its own proxy: 0 - 2.
    assert!((value([4.0, 0.0], 5) + 2.0).abs() < 1e-6);
    assert!(loss([1.0, 0.0], 6).is_err());
    assert!(
        Surrogate::ProxyNca
            .of(
                &Tensor::zeros([1, 2], (Kind::Double, Device::Cpu)),
                &[5],
                None
            )
            .is_err()
    );
}

#[test]
fn without_pairs_the_loss_is_a_finite_number() {
    for loss in ALL.into_iter().filter(|&loss| loss != Surrogate::ProxyNca) {
        for labels in [[0, 1, 2, 3, 4, 5, 6, 7], [0; 8]] {
            let leaf = tensor(&numbers()).set_requires_grad(true);
            let value = loss.of(&leaf, &labels, None).unwrap();
            assert!(value.double_value(&[]).is_finite(), "{loss:?}");
            value.backward();
            assert!(
                leaf.grad().isfinite().all().int64_value(&[]) == 1,
                "{loss:?}"
            );
        }
    }
}
