//! `evaluate_many` gives the bits of `evaluate`, on any number of threads, whether candidates share their true boxes.

use metricopt_metrics::{AverageRecall, CocoMap, VocMap};
use metricopt_sdk::{Call, Detection, ErrorKind, Metric};
use std::sync::atomic::{AtomicUsize, Ordering};

use super::scene::{Recipe, Scene};

fn scene(seed: u64) -> Scene {
    Scene::generate(Recipe {
        seed,
        images: 30,
        classes: 5,
        levels: 16,
        noise: 5,
        difficult: true,
    })
}

/// Candidates of two steps: those of a step differ in their scores.
fn candidates() -> Vec<Scene> {
    let mut candidates = Vec::new();
    for seed in [1, 2] {
        for candidate in 1..=5 {
            let mut scene = scene(seed);
            for (at, score) in scene.scores.iter_mut().enumerate() {
                *score = (*score * (at * candidate + 1) as f32) % 1.0;
            }
            candidates.push(scene);
        }
    }
    candidates
}

fn check<M>(metric: &M)
where
    M: for<'a> Metric<Input<'a> = Detection<'a>>,
{
    let scenes = candidates();
    let views: Vec<Detection<'_>> = scenes.iter().map(Scene::view).collect();
    let singly: Vec<u64> = views
        .iter()
        .map(|&view| metric.evaluate(view).unwrap().to_bits())
        .collect();
    assert!(
        singly.windows(2).any(|pair| pair[0] != pair[1]),
        "{}",
        M::NAME
    );
    for threads in [0, 1, 2, 3, 8, 64] {
        let call = Call {
            threads,
            cancelled: &|| false,
        };
        let together = metric.evaluate_many(&views, &call).unwrap();
        let together: Vec<u64> = together.into_iter().map(f64::to_bits).collect();
        assert_eq!(together, singly, "{} on {threads} threads", M::NAME);
        assert!(metric.evaluate_many(&[], &call).unwrap().is_empty());
    }
}

#[test]
fn the_bits_of_one_by_one() {
    check(&VocMap::default());
    check(&CocoMap::default());
    check(&AverageRecall {
        max_detections: 2,
        ..AverageRecall::default()
    });
}

#[test]
fn the_error_of_the_first_candidate() {
    let mut scenes = candidates();
    scenes[3].scores[0] = f32::NAN;
    scenes[4].scores[1] = f32::NAN;
    let views: Vec<Detection<'_>> = scenes.iter().map(Scene::view).collect();
    for threads in [1, 4] {
        let call = Call {
            threads,
            cancelled: &|| false,
        };
        let error = VocMap::default().evaluate_many(&views, &call).unwrap_err();
        assert_eq!(error.to_string(), "tensor `scores` holds NaN at element 0");
    }
}

#[test]
fn stops_when_asked_to() {
    let scenes = candidates();
    let views: Vec<Detection<'_>> = scenes.iter().map(Scene::view).collect();
    let asked = AtomicUsize::new(0);
    let call = Call {
        threads: 2,
        cancelled: &|| asked.fetch_add(1, Ordering::Relaxed) >= 3,
    };
    let error = VocMap::default().evaluate_many(&views, &call).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Cancelled);
}
