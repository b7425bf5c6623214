//! Runs of the detection task on images in the layout of COCO.

use crate::detection::QUICK;
use crate::support::{Place, fails, set, succeeds};
use assert_cmd::Command;
use metricopt_nn::Weights;
use metricopt_nn::detector::{DetectorName, Shape};
use serde_json::json;
use std::fs;

/// Side of an image in pixels.
const SIDE: u32 = 64;

/// A data set of red squares and blue bars on grey ground, one of each on every image, where chance puts them.
fn images(place: &Place, train: u32, val: u32) {
    // Marsaglia's xorshift: any fixed sequence would do.
    let mut state = 0x9e37_79b9_u32;
    let mut below = |limit: u32| {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        (state >> 8) % limit
    };
    fs::create_dir_all(place.path("coco/annotations")).unwrap();
    for (part, count) in [("train2017", train), ("val2017", val)] {
        fs::create_dir_all(place.path("coco").join(part)).unwrap();
        let (mut listed, mut annotations) = (Vec::new(), Vec::new());
        for id in 0..count {
            let mut image =
                image::RgbImage::from_fn(SIDE, SIDE, |_, _| image::Rgb([100 + below(40) as u8; 3]));
            let side = 14 + below(10);
            // Left and right halves, so that no object hides another.
            for (category, [left, width, height], colour) in [
                (3, [below(32 - side), side, side], [220, 40, 40]),
                (7, [32 + below(20), 11, 26], [40, 40, 220]),
            ] {
                let top = below(SIDE - height);
                for (x, y) in
                    (left..left + width).flat_map(|x| (top..top + height).map(move |y| (x, y)))
                {
                    image.put_pixel(x, y, image::Rgb(colour));
                }
                annotations.push(json!({
                    "id": annotations.len(), "image_id": id, "category_id": category, "bbox": [left, top, width, height],
                    "iscrowd": 0,
                }));
            }
            let name = format!("{id:012}.png");
            image
                .save(place.path("coco").join(part).join(&name))
                .unwrap();
            listed.push(json!({"id": id, "file_name": name, "width": SIDE, "height": SIDE}));
        }
        let categories = json!([{"id": 3, "name": "square"}, {"id": 7, "name": "bar"}]);
        let file = json!({"images": listed, "annotations": annotations, "categories": categories});
        place.write(
            &format!("coco/annotations/instances_{part}.json"),
            file.to_string(),
        );
    }
}

fn run(place: &Place, out: &str, assignments: &[&str]) -> Command {
    let mut all = vec![
        "run",
        "--plugin",
        "detection",
        "--device",
        "cpu",
        "--out",
        out,
    ];
    all.extend(set(&QUICK));
    let data = [
        "task.dataset=coco",
        "task.root=coco",
        "task.height=64",
        "task.width=64",
    ];
    all.extend(set(&data));
    all.extend(set(assignments));
    place.host(&all)
}

#[test]
fn the_tiny_detector_learns_squares_and_bars() {
    let place = Place::new();
    images(&place, 60, 30);
    let mut learned = run(&place, "run", &["task.pretraining.epochs=40"]);
    let output = learned.assert().success().get_output().clone();
    let said = String::from_utf8(output.stderr).unwrap();
    for part in [
        "48 images, 96 objects",
        "12 images, 24 objects",
        "30 images, 60 objects",
        "2 classes",
    ] {
        assert!(said.contains(part), "no `{part}` in {said}");
    }
    let value = place.summary("run")["methods"][0]["test"].as_f64().unwrap();
    assert!(value > 0.8, "{value}");
}

#[test]
fn what_is_wrong_is_named_with_what_to_do() {
    let place = Place::new();
    images(&place, 8, 4);
    let retinanet = "task.network=retinanet-resnet50";
    for (assignments, code, expected) in [
        (&["task.root=nowhere"][..], 1, "`nowhere` does not exist"),
        (&["task.root=."], 1, "annotations/instances_train2017.json"),
        (
            &["task.classes=[\"cow\"]"],
            2,
            "the categories are `square`, `bar`",
        ),
        (
            &[retinanet],
            2,
            "retinanet_resnet50_fpn(weights=\"COCO_V1\")",
        ),
        (
            &["task.network=retinanet-resnet18"],
            2,
            "resnet_fpn_backbone",
        ),
        (
            &[retinanet, "task.weights=w", "task.height=100"],
            2,
            "multiples of 32",
        ),
        (
            &["task.logits=[1]"],
            2,
            "`logits` has no meaning for `tiny`",
        ),
        (&["task.sites=[\"head\"]"], 2, "names `head`"),
    ] {
        let error = fails(run(&place, "run", assignments), code);
        assert!(error.contains(expected), "no `{expected}` in {error}");
    }
    let file = "coco/annotations/instances_val2017.json";
    let text = fs::read_to_string(place.path(file)).unwrap();
    place.write(file, text.replacen("\"image_id\":0", "\"image_id\":99", 1));
    let error = fails(run(&place, "run", &[]), 1);
    for part in [
        "instances_val2017.json",
        "annotation 0",
        "image 99",
        "task.on_bad_annotation=skip",
    ] {
        assert!(error.contains(part), "no `{part}` in {error}");
    }
    place.write(file, &text[..text.len() / 2]);
    let error = fails(run(&place, "run", &[]), 1);
    assert!(error.contains("instances_val2017.json"), "{error}");
}

#[test]
#[ignore = "slow: a RetinaNet through several trajectories"]
fn slow_retinanet_is_tuned_from_the_weights_of_a_file() {
    let place = Place::new();
    images(&place, 30, 6);
    // torchvision would count background as class 0.
    let shape = Shape::new(DetectorName::RetinanetResnet18, 3, 3);
    let small = shape.initialise(1).unwrap().into_tensors();
    let small = small.map(|(name, tensor)| {
        let predicts = name.ends_with("cls_logits.weight") || name.ends_with("bbox_reg.weight");
        let factor = if predicts { 1e-2 } else { 1.0 };
        (name, tensor * factor)
    });
    let small = Weights::from_tensors(small).unwrap();
    small.write(&place.path("retinanet.safetensors")).unwrap();
    let retinanet = [
        "task.network=retinanet-resnet18",
        "task.weights=retinanet.safetensors",
        "trajectories.batch_size=4",
        "finetune.batch_size=4",
    ];
    let output = run(&place, "run", &retinanet)
        .assert()
        .success()
        .get_output()
        .clone();
    let said = String::from_utf8(output.stderr).unwrap();
    let fact = "retinanet-resnet18, 36 FiLM sites, from `retinanet.safetensors`";
    assert!(said.contains(fact), "{said}");
    // Scores of the two classes of the data are left, and the file loads into the same network again.
    succeeds(place.host(&[
        "export",
        "run",
        "--fold",
        "--device",
        "cpu",
        "--out",
        "folded.safetensors",
    ]));
    let folded = Weights::read(&place.path("folded.safetensors")).unwrap();
    assert!(folded.names().eq(small.names()));
    let biases = folded
        .get("head.classification_head.cls_logits.bias")
        .unwrap();
    assert_eq!(biases.size(), [18]);
    let heads = ["task.sites=[\"head\"]", "task.weights=folded.safetensors"];
    let output = run(&place, "heads", &[&retinanet[..], &heads].concat());
    let said = { output }.assert().success().get_output().stderr.clone();
    let said = String::from_utf8(said).unwrap();
    assert!(said.contains("8 of 36 FiLM sites"), "{said}");
    let wrong = [
        &retinanet[..],
        &["task.classes=[\"bar\"]", "task.logits=[5]"],
    ]
    .concat();
    let error = fails(run(&place, "wrong", &wrong), 2);
    assert!(error.contains("among 3 scores"), "{error}");
    let wrong = [&retinanet[..], &["task.network=retinanet-resnet50"]].concat();
    let error = fails(run(&place, "wrong", &wrong), 1);
    assert!(error.contains("do not fit retinanet-resnet50"), "{error}");
}
