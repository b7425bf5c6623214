//! `voc-map` against the definition, in plain loops: `VOCevaldet.m` of the VOC devkit for the matching and the
//! interpolation of 2010 on, its version of 2007 for the eleven points.

use serde_json::json;
use std::collections::BTreeSet;

use super::scene::{Recipe, Scene};
use crate::support::{assert_close, evaluate};

fn overlap(a: [f32; 4], b: [f32; 4], pixel: f64) -> f64 {
    let (a, b) = (a.map(f64::from), b.map(f64::from));
    let width = a[2].min(b[2]) - a[0].max(b[0]) + pixel;
    let height = a[3].min(b[3]) - a[1].max(b[1]) + pixel;
    if width <= 0.0 || height <= 0.0 {
        return 0.0;
    }
    let area = |c: [f64; 4]| (c[2] - c[0] + pixel) * (c[3] - c[1] + pixel);
    width * height / (area(a) + area(b) - width * height)
}

/// Average precision of a class by eleven points and by all; none without objects.
fn average_precision(scene: &Scene, class: i64, iou: f64, pixel: f64) -> Option<[f64; 2]> {
    let objects: Vec<usize> = (0..scene.gt_boxes.len())
        .filter(|&row| scene.gt_labels[row] == class)
        .collect();
    let easy = objects.iter().filter(|&&row| scene.gt_difficult[row] == 0);
    let positives = easy.count() as f64;
    if positives == 0.0 {
        return None;
    }
    let mut found: Vec<usize> = (0..scene.boxes.len())
        .filter(|&row| scene.labels[row] == class)
        .collect();
    found.sort_by(|&a, &b| scene.scores[b].partial_cmp(&scene.scores[a]).unwrap());

    let mut detected = vec![false; scene.gt_boxes.len()];
    let (mut tp, mut fp) = (0.0, 0.0);
    let (mut recall, mut precision) = (Vec::new(), Vec::new());
    for row in found {
        let (mut most, mut at) = (f64::NEG_INFINITY, None);
        for &object in &objects {
            let same = scene.gt_image_ids[object] == scene.image_ids[row];
            let overlap = overlap(scene.boxes[row], scene.gt_boxes[object], pixel);
            if same && overlap > most {
                (most, at) = (overlap, Some(object));
            }
        }
        match at.filter(|_| most >= iou) {
            Some(object) if scene.gt_difficult[object] != 0 => {}
            Some(object) if !detected[object] => {
                detected[object] = true;
                tp += 1.0;
            }
            _ => fp += 1.0,
        }
        recall.push(tp / positives);
        // Before anything counts there is no precision: MATLAB's 0/0, which its `max` passes over.
        precision.push(if tp + fp > 0.0 { tp / (tp + fp) } else { 0.0 });
    }

    let at_least = |least: f64| {
        let points = recall.iter().zip(&precision);
        points
            .filter(|(r, _)| **r >= least)
            .map(|(_, p)| *p)
            .fold(0.0, f64::max)
    };
    let eleven = (0..=10)
        .map(|tenth| at_least(f64::from(tenth) / 10.0))
        .sum::<f64>()
        / 11.0;

    let r = [vec![0.0], recall.clone(), vec![1.0]].concat();
    let mut p = [vec![0.0], precision.clone(), vec![0.0]].concat();
    for at in (0..p.len() - 1).rev() {
        p[at] = p[at].max(p[at + 1]);
    }
    let all = (1..r.len()).map(|at| (r[at] - r[at - 1]) * p[at]).sum();
    Some([eleven, all])
}

fn mean_average_precision(scene: &Scene, iou: f64, pixel: f64) -> Option<[f64; 2]> {
    let classes: BTreeSet<i64> = scene.gt_labels.iter().copied().collect();
    let values: Vec<[f64; 2]> = classes
        .into_iter()
        .filter_map(|class| average_precision(scene, class, iou, pixel))
        .collect();
    let mean = |at: usize| values.iter().map(|v| v[at]).sum::<f64>() / values.len() as f64;
    (!values.is_empty()).then(|| [mean(0), mean(1)])
}

#[test]
fn three_hundred_random_cases() {
    let (mut ordered, mut undefined) = (0, 0);
    for seed in 0..300 {
        let scene = Scene::generate(Recipe {
            seed,
            images: 1 + seed % 23,
            classes: 1 + seed % 7,
            levels: if seed % 2 == 0 { 4 } else { 1 << 20 },
            noise: seed % 9,
            difficult: seed % 3 != 0,
        });
        let (iou, [areas, pixel]) = match seed % 5 {
            0 => (0.3, [json!("continuous"), json!(0.0)]),
            1 => (0.7, [json!("inclusive-pixels"), json!(1.0)]),
            _ => (0.5, [json!("inclusive-pixels"), json!(1.0)]),
        };
        let sorted = scene.by_content();
        let mut values = Vec::new();
        for (ties, reference) in [("index", &scene), ("content", &sorted)] {
            let expected = mean_average_precision(reference, iou, pixel.as_f64().unwrap());
            for (at, interpolation) in ["eleven-point", "all-point"].into_iter().enumerate() {
                let config = json!({
                    "interpolation": interpolation, "iou": iou, "areas": areas, "ties": ties
                });
                let actual = evaluate("voc-map", &config, &scene);
                match expected {
                    Some(expected) => {
                        let what = format!("seed {seed}, {config}");
                        assert_close(actual.clone().unwrap(), expected[at], 1e-12, &what);
                        values.push(actual.unwrap());
                    }
                    None => {
                        assert!(actual.is_err(), "seed {seed}");
                        undefined += 1;
                    }
                }
            }
        }
        ordered += usize::from(values.len() == 4 && values[..2] != values[2..]);
    }
    // The cases reach what they are meant to reach.
    assert!(ordered > 20, "ties decide in {ordered} cases only");
    assert!(undefined > 0);
}
