//! Input at the edge of what is allowed, and beyond.

use metricopt_metrics::{AverageRecall, CocoMap, VocMap};
use metricopt_sdk::{Detection, ErrorKind, Kind, Metric};
use serde_json::json;

use super::scene::Scene;
use crate::support::{assert_values, evaluate, metrics_of};

const SQUARE: [f32; 4] = [10.0, 10.0, 40.0, 40.0];

fn one_found() -> Scene {
    let mut scene = Scene::default();
    scene.truth(SQUARE, 1, 1, false);
    scene.found(SQUARE, 0.5, 1, 1);
    scene
}

#[track_caller]
fn assert_all(scene: &Scene, expected: f64) {
    for entry in metrics_of(Kind::Detection) {
        assert_values(scene, 0.0, &[(&entry.name, json!({}), expected)]);
    }
}

#[track_caller]
fn assert_error(scene: &Scene, kind: ErrorKind, message: &str) {
    for entry in metrics_of(Kind::Detection) {
        let error = evaluate(&entry.name, &json!({}), scene).unwrap_err();
        assert_eq!((error.kind(), error.to_string().as_str()), (kind, message));
    }
}

#[test]
fn nothing_found_is_zero() {
    let mut scene = Scene::default();
    scene.truth(SQUARE, 1, 1, false);
    assert_all(&scene, 0.0);
}

#[test]
fn no_objects_is_undefined() {
    let message = "no objects that are not difficult";
    assert_error(&Scene::default(), ErrorKind::Undefined, message);
    let mut scene = one_found();
    scene.gt_difficult[0] = 2;
    assert_error(&scene, ErrorKind::Undefined, message);
}

#[test]
fn what_is_found_elsewhere_is_wrong_or_left_out() {
    let mut scene = one_found();
    scene.found(SQUARE, 0.25, -3, 1);
    scene.found(SQUARE, 0.25, i64::MIN, i64::MAX);
    scene.found(SQUARE, 0.25, 1, 999);
    assert_all(&scene, 1.0);
    // Before the right box, a wrong one counts: on images that no object has, near and far.
    for image in [0, 999, i64::MIN, i64::MAX] {
        let mut scene = one_found();
        scene.found(SQUARE, 0.75, 1, image);
        let expected = [
            ("voc-map", json!({}), 0.5),
            ("coco-map", json!({}), 0.5),
            ("average-recall", json!({}), 1.0),
        ];
        assert_values(&scene, 1e-15, &expected);
    }
}

#[test]
fn the_limit_of_detections_holds_on_images_without_objects_too() {
    let mut scene = one_found();
    for _ in 0..3 {
        scene.found(SQUARE, 0.75, 1, 999);
    }
    let limit = |most: usize| json!({"max_detections": most});
    let expected = [
        ("coco-map", limit(1), 1.0 / 2.0),
        ("coco-map", limit(2), 1.0 / 3.0),
        ("coco-map", limit(3), 1.0 / 4.0),
    ];
    assert_values(&scene, 1e-15, &expected);
}

#[test]
fn labels_and_images_may_be_any_number() {
    let mut scene = one_found();
    for (label, image) in [(i64::MIN, i64::MAX), (i64::MAX, i64::MIN), (-1, 0)] {
        scene.truth(SQUARE, label, image, false);
        scene.found(SQUARE, 0.5, label, image);
    }
    assert_all(&scene, 1.0);
}

#[test]
fn boxes_found_the_wrong_way_round_are_wrong() {
    let mut scene = one_found();
    scene.boxes[0] = [40.0, 10.0, 10.0, 40.0];
    assert_all(&scene, 0.0);
    scene.boxes[0] = [40.0, 40.0, 10.0, 10.0];
    assert_all(&scene, 0.0);
}

#[test]
fn true_boxes_the_wrong_way_round_are_refused() {
    let mut scene = one_found();
    scene.truth([40.0, 10.0, 10.0, 40.0], 1, 2, false);
    let message = "tensor `gt_boxes` row 1 is [40.0, 10.0, 10.0, 40.0]: its second corner lies before its first";
    assert_error(&scene, ErrorKind::Data, message);
}

#[test]
fn numbers_that_are_none_are_refused() {
    let mut scene = one_found();
    scene.boxes[0][2] = f32::NAN;
    assert_error(
        &scene,
        ErrorKind::Data,
        "tensor `boxes` holds NaN at element 2",
    );
    let mut scene = one_found();
    scene.scores[0] = f32::INFINITY;
    assert_error(
        &scene,
        ErrorKind::Data,
        "tensor `scores` holds inf at element 0",
    );
    let mut scene = one_found();
    scene.gt_boxes[0][3] = f32::NAN;
    assert_error(
        &scene,
        ErrorKind::Data,
        "tensor `gt_boxes` holds NaN at element 3",
    );
}

/// A view put together by hand passes no other check.
#[test]
fn a_view_that_does_not_fit_together_is_refused() {
    let scene = one_found();
    let view = scene.view();
    let cases = [
        (
            Detection {
                scores: &[],
                ..view
            },
            "tensor `scores` has 0 elements, expected 1: one a box",
        ),
        (
            Detection {
                labels: &[1, 2],
                ..view
            },
            "tensor `labels` has 2 elements, expected 1: one a box",
        ),
        (
            Detection {
                image_ids: &[],
                ..view
            },
            "tensor `image_ids` has 0 elements, expected 1: one a box",
        ),
        (
            Detection {
                gt_labels: &[],
                ..view
            },
            "tensor `gt_labels` has 0 elements, expected 1: one a box",
        ),
        (
            Detection {
                gt_image_ids: &[],
                ..view
            },
            "tensor `gt_image_ids` has 0 elements, expected 1: one a box",
        ),
        (
            Detection {
                gt_difficult: &[],
                ..view
            },
            "tensor `gt_difficult` has 0 elements, expected 1: one a box",
        ),
        (
            Detection {
                scores: &[f32::NAN],
                ..view
            },
            "tensor `scores` holds NaN at element 0",
        ),
    ];
    for (view, message) in cases {
        for result in [
            VocMap::default().evaluate(view),
            CocoMap::default().evaluate(view),
            AverageRecall::default().evaluate(view),
        ] {
            let error = result.unwrap_err();
            assert_eq!(
                (error.kind(), error.to_string().as_str()),
                (ErrorKind::Data, message)
            );
        }
    }
}

#[test]
fn options_out_of_range() {
    let scene = one_found();
    let iou = "`iou` is 0, expected above 0 and at most 1";
    let cases = [
        ("voc-map", json!({"iou": 0.0}), iou),
        (
            "voc-map",
            json!({"iou": 1.5}),
            "`iou` is 1.5, expected above 0 and at most 1",
        ),
        ("coco-map", json!({"iou": 0.0}), iou),
        (
            "coco-map",
            json!({"max_detections": 0}),
            "`max_detections` is 0, expected at least 1",
        ),
        ("average-recall", json!({"iou": 0.0}), iou),
        (
            "average-recall",
            json!({"max_detections": 0}),
            "`max_detections` is 0, expected at least 1",
        ),
    ];
    for (name, config, message) in cases {
        let error = evaluate(name, &config, &scene).unwrap_err();
        assert_eq!(
            (error.kind(), error.to_string().as_str()),
            (ErrorKind::Configuration, message)
        );
    }
    // An exact match is possible at the largest threshold.
    assert_values(&scene, 0.0, &[("voc-map", json!({"iou": 1.0}), 1.0)]);
    assert_values(&scene, 0.0, &[("coco-map", json!({"iou": 1.0}), 1.0)]);
}
