//! Values worked by hand.

use metricopt_metrics::{AverageRecall, ClassCurve, CocoMap, VocMap};
use metricopt_sdk::Metric;
use serde_json::json;

use super::scene::Scene;
use crate::support::assert_values;

/// One image with two objects; three boxes found: right, wrong, right.
fn right_wrong_right() -> Scene {
    let mut scene = Scene::default();
    scene.truth([10.0, 10.0, 29.0, 29.0], 4, 1, false);
    scene.truth([50.0, 50.0, 69.0, 69.0], 4, 1, false);
    scene.found([50.0, 50.0, 69.0, 69.0], 0.25, 4, 1);
    scene.found([10.0, 10.0, 29.0, 29.0], 0.75, 4, 1);
    scene.found([80.0, 10.0, 99.0, 29.0], 0.5, 4, 1);
    scene
}

#[test]
fn one_image_and_three_boxes() {
    // Precision 1 up to recall 1/2, then 2/3: six points of eleven, 51 of 101, and half of the area.
    let (high, low) = (1.0, 2.0 / 3.0);
    let expected = [
        ("voc-map", json!({}), (6.0 * high + 5.0 * low) / 11.0),
        (
            "voc-map",
            json!({"interpolation": "all-point"}),
            (high + low) / 2.0,
        ),
        ("coco-map", json!({}), (51.0 * high + 50.0 * low) / 101.0),
        ("average-recall", json!({}), 1.0),
        ("average-recall", json!({"max_detections": 1}), 0.5),
        ("average-recall", json!({"max_detections": 2}), 0.5),
    ];
    assert_values(&right_wrong_right(), 1e-15, &expected);
}

#[test]
fn a_second_box_on_an_object_is_wrong() {
    let mut scene = right_wrong_right();
    scene.boxes[2] = [11.0, 10.0, 30.0, 29.0];
    let all_point = json!({"interpolation": "all-point"});
    let value = (1.0 + 2.0 / 3.0) / 2.0;
    assert_values(&scene, 1e-15, &[("voc-map", all_point, value)]);
}

#[test]
fn the_devkit_looks_at_the_largest_overlap_only_and_coco_at_what_is_left() {
    let mut scene = Scene::default();
    scene.truth([0.0, 0.0, 100.0, 100.0], 1, 1, false);
    scene.truth([0.0, 0.0, 100.0, 120.0], 1, 1, false);
    // Both overlap the first object most, and the second by 100/120.
    scene.found([0.0, 0.0, 100.0, 100.0], 0.75, 1, 1);
    scene.found([0.0, 0.0, 100.0, 100.0], 0.5, 1, 1);
    let expected = [
        ("voc-map", json!({"interpolation": "all-point"}), 0.5),
        ("coco-map", json!({"iou": 0.8}), 1.0),
        ("coco-map", json!({"iou": 0.85}), 51.0 / 101.0),
        ("average-recall", json!({"iou": 0.8}), 1.0),
        // 0.50 to 0.80 find both objects, 0.85 to 0.95 one.
        ("average-recall", json!({}), (7.0 + 3.0 * 0.5) / 10.0),
    ];
    assert_values(&scene, 1e-15, &expected);
}

#[test]
fn difficult_objects_count_neither_way() {
    let mut scene = right_wrong_right();
    // The wrong box, twice.
    scene.truth([80.0, 10.0, 99.0, 29.0], 4, 1, true);
    scene.found([80.0, 10.0, 99.0, 29.0], 0.375, 4, 1);
    let expected = [
        // The devkit lets a difficult object make any number of boxes count nothing.
        ("voc-map", json!({}), 1.0),
        // The COCO API lets it be taken once.
        ("coco-map", json!({}), (51.0 + 50.0 * 2.0 / 3.0) / 101.0),
        ("average-recall", json!({}), 1.0),
    ];
    assert_values(&scene, 1e-15, &expected);
}

#[test]
fn an_overlap_that_equals_the_threshold_is_enough() {
    let mut scene = Scene::default();
    scene.truth([0.0, 0.0, 9.0, 9.0], 1, 1, false);
    // Half of 100 pixels, and 36 of 81 square units.
    scene.found([0.0, 0.0, 9.0, 4.0], 0.5, 1, 1);
    let continuous = |iou: f64| json!({"areas": "continuous", "iou": iou});
    let expected = [
        ("voc-map", json!({}), 1.0),
        ("voc-map", json!({"iou": 0.5000001}), 0.0),
        ("voc-map", continuous(4.0 / 9.0), 1.0),
        ("voc-map", continuous(0.4445), 0.0),
    ];
    assert_values(&scene, 0.0, &expected);
}

#[test]
fn three_of_ten_objects_reach_recall_three_tenths() {
    let mut scene = Scene::default();
    for at in 0..10 {
        let x = 100.0 * at as f32;
        scene.truth([x, 0.0, x + 50.0, 50.0], 1, 1, false);
        if at < 3 {
            scene.found([x, 0.0, x + 50.0, 50.0], 0.5, 1, 1);
        }
    }
    let expected = [
        ("voc-map", json!({}), 4.0 / 11.0),
        ("voc-map", json!({"interpolation": "all-point"}), 0.3),
    ];
    assert_values(&scene, 1e-15, &expected);
}

#[test]
fn each_class_by_itself() {
    let mut scene = right_wrong_right();
    scene.truth([0.0, 0.0, 20.0, 20.0], -7, 1, false);
    scene.truth([0.0, 0.0, 20.0, 20.0], 5, 1, true);
    scene.found([0.0, 0.0, 20.0, 20.0], 0.5, 5, 1);
    scene.found([0.0, 0.0, 20.0, 20.0], 0.5, 6, 1);

    let classes = VocMap::default().per_class(scene.view()).unwrap();
    let seen: Vec<_> = classes
        .iter()
        .map(|c| (c.label, c.objects, c.found))
        .collect();
    assert_eq!(seen, [(-7, 1, 0), (4, 2, 3)]);
    assert_eq!(classes[0].value, 0.0);
    let expected = [("voc-map", json!({}), classes[1].value / 2.0)];
    assert_values(&scene, 1e-15, &expected);

    let coco = CocoMap::default().per_class(scene.view()).unwrap();
    let recall = AverageRecall::default().per_class(scene.view()).unwrap();
    assert_eq!((coco[0].label, coco[0].value), (-7, 0.0));
    assert_eq!((recall[1].label, recall[1].value), (4, 1.0));

    let curve = |label, objects, precisions| ClassCurve {
        label,
        objects,
        precisions,
    };
    let curves = VocMap::default().curves(scene.view()).unwrap();
    let expected = [curve(-7, 1, vec![]), curve(4, 2, vec![1.0, 2.0 / 3.0])];
    assert_eq!(curves, expected);

    // The same for a report: recall beside precision, where there is a curve.
    let details = VocMap::default().details(scene.view()).unwrap();
    assert!(details.check().is_ok());
    let seen: Vec<_> = details.classes.iter().map(|c| (c.class, c.count)).collect();
    assert_eq!(seen, [(-7, 1), (4, 2)]);
    assert_eq!(details.classes[1].value, classes[1].value);
    assert_eq!(details.classes[0].curve, [[0.0; 2]; 0]);
    assert_eq!(details.classes[1].curve, [[0.5, 1.0], [1.0, 2.0 / 3.0]]);
}

#[test]
fn a_long_curve_is_thinned_between_its_ends() {
    let mut scene = Scene::default();
    for at in 0..1001 {
        let x = 100.0 * at as f32;
        scene.truth([x, 0.0, x + 50.0, 50.0], 1, 1, false);
        scene.found([x, 0.0, x + 50.0, 50.0], 1.0 / (at + 1) as f32, 1, 1);
    }
    let details = VocMap::default().details(scene.view()).unwrap();
    let curve = &details.classes[0].curve;
    assert!((100..=202).contains(&curve.len()), "{}", curve.len());
    assert_eq!(curve[0], [1.0 / 1001.0, 1.0]);
    assert_eq!(curve[curve.len() - 1], [1.0, 1.0]);
    assert!(curve.is_sorted_by(|a, b| a[0] < b[0]));
}
