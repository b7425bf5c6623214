//! Data sets in the layout of COCO, whole and hostile.
#![expect(
    clippy::unwrap_used,
    reason = "what a test cannot go on without fails it"
)]

use metricopt_data::Opening;
use metricopt_data::detection::{
    DatasetConfig, DatasetName, OnBadAnnotation, Scenes, Splits, open,
};
use metricopt_sdk::Result;
use serde_json::{Value, json};
use std::fs;
use std::path::Path;
use tempfile::TempDir;

/// A PNG file of 40 x 20 pixels.
fn png() -> Vec<u8> {
    let mut bytes = std::io::Cursor::new(Vec::new());
    image::RgbImage::from_fn(40, 20, |x, y| image::Rgb([x as u8, y as u8, 7]))
        .write_to(&mut bytes, image::ImageFormat::Png)
        .unwrap();
    bytes.into_inner()
}

/// Images with these numbers: on each a cat that fills it, and a crowd of dogs.
fn instances(ids: &[u64]) -> Value {
    let images = ids.iter().map(|id| {
        json!({"id": id, "file_name": format!("{id}.png"), "width": 40, "height": 20, "license": 1})
    });
    let annotations = ids.iter().flat_map(|id| {
        [
            json!({"id": 10 * id, "image_id": id, "category_id": 90, "bbox": [0, 0, 40, 20], "iscrowd": 0, "area": 800,
                   "segmentation": [[0, 0, 40, 0, 40, 20]]}),
            json!({"id": 10 * id + 1, "image_id": id, "category_id": 18, "bbox": [2.0, 3.0, 10.0, 6.0], "iscrowd": 1,
                   "segmentation": {"counts": [1], "size": [20, 40]}}),
        ]
    });
    json!({
        "info": {"year": 2017},
        "images": images.collect::<Vec<_>>(),
        "annotations": annotations.collect::<Vec<_>>(),
        "categories": [{"id": 90, "name": "cat", "supercategory": "animal"}, {"id": 18, "name": "dog"}],
    })
}

fn file(root: &Path, part: &str) -> std::path::PathBuf {
    root.join(format!("annotations/instances_{part}.json"))
}

fn write(root: &Path, part: &str, ids: &[u64]) {
    fs::create_dir_all(root.join("annotations")).unwrap();
    fs::create_dir_all(root.join(part)).unwrap();
    fs::write(file(root, part), instances(ids).to_string()).unwrap();
    for id in ids {
        fs::write(root.join(part).join(format!("{id}.png")), png()).unwrap();
    }
}

/// Five images to train on and two to validate.
fn dataset(root: &Path) {
    write(root, "train2017", &[1, 2, 3, 4, 5]);
    write(root, "val2017", &[1, 7]);
    fs::write(root.join("annotations/captions_train2017.json"), "no boxes").unwrap();
}

/// Changes a file of annotations.
fn edit(root: &Path, part: &str, change: impl FnOnce(&mut Value)) {
    let mut value = serde_json::from_slice(&fs::read(file(root, part)).unwrap()).unwrap();
    change(&mut value);
    fs::write(file(root, part), value.to_string()).unwrap();
}

fn config(root: &Path) -> DatasetConfig {
    DatasetConfig {
        dataset: DatasetName::Coco,
        root: Some(root.to_owned()),
        height: Some(32),
        width: Some(32),
        ..DatasetConfig::default()
    }
}

fn read(config: &DatasetConfig) -> Result<Splits> {
    open(config, &Opening::quiet(1))
}

fn names(scenes: &Scenes) -> Vec<&str> {
    let mut names: Vec<&str> = scenes
        .scenes
        .iter()
        .map(|scene| scene.name.as_str())
        .collect();
    names.sort_unstable();
    names
}

/// The error that a change leads to.
#[track_caller]
fn refused(change: impl FnOnce(&Path), expected: &[&str]) {
    let folder = TempDir::new().unwrap();
    dataset(folder.path());
    change(folder.path());
    let error = read(&config(folder.path())).unwrap_err();
    let text = format!("{error} {:?}", error.hints());
    for part in expected {
        assert!(text.contains(part), "no `{part}` in {text}");
    }
}

#[test]
fn the_official_parts_are_train_and_test_and_validation_is_cut_from_train() {
    let folder = TempDir::new().unwrap();
    dataset(folder.path());
    let splits = read(&config(folder.path())).unwrap();
    assert_eq!(splits, read(&config(folder.path())).unwrap());
    let sizes = [&splits.train, &splits.validation, &splits.test].map(|part| part.scenes.len());
    assert_eq!(sizes, [4, 1, 2]);
    let all = [names(&splits.train), names(&splits.validation)].concat();
    let mut all: Vec<&str> = all;
    all.sort_unstable();
    assert_eq!(all, ["1.png", "2.png", "3.png", "4.png", "5.png"]);
    assert_eq!(names(&splits.test), ["1.png", "7.png"]);
    // By their numbers, which are kept.
    assert_eq!(splits.train.classes, ["dog", "cat"]);
    assert_eq!(splits.class_numbers, [18, 90]);
    let [cat, crowd] = splits.test.scenes[0].objects.as_slice() else {
        panic!("{:?}", splits.test.scenes[0]);
    };
    assert_eq!(
        (cat.class, cat.pixels, cat.difficult),
        (1, [1.0, 1.0, 40.0, 20.0], false)
    );
    assert_eq!(
        (crowd.class, crowd.pixels, crowd.difficult),
        (0, [3.0, 4.0, 12.0, 9.0], true)
    );
    assert_eq!(splits.skipped, None);
}

#[test]
fn annotations_for_test_are_used_and_images_may_share_a_folder() {
    let folder = TempDir::new().unwrap();
    let root = folder.path();
    for (part, id) in [("train", 1), ("val", 2), ("test", 3)] {
        write(root, part, &[id]);
        fs::create_dir_all(root.join("images")).unwrap();
        let name = format!("{id}.png");
        fs::rename(root.join(part).join(&name), root.join("images").join(&name)).unwrap();
        fs::remove_dir(root.join(part)).unwrap();
    }
    let splits = read(&config(root)).unwrap();
    let [train, validation, test] = [&splits.train, &splits.validation, &splits.test].map(names);
    assert_eq!(
        (train, validation, test),
        (vec!["1.png"], vec!["2.png"], vec!["3.png"])
    );
    edit(root, "val", |value| *value = instances(&[1]));
    let error = read(&config(root)).unwrap_err().to_string();
    assert!(error.contains("1.png` belongs to two parts"), "{error}");
}

#[test]
fn classes_can_be_chosen() {
    let folder = TempDir::new().unwrap();
    dataset(folder.path());
    let choose = |name: &str| DatasetConfig {
        classes: vec![name.to_owned()],
        ..config(folder.path())
    };
    let splits = read(&choose("cat")).unwrap();
    assert_eq!((splits.class_numbers, splits.test.objects()), (vec![90], 2));
    let error = read(&choose("cow")).unwrap_err();
    assert!(error.hints()[0].contains("`dog`, `cat`"), "{error}");
}

#[test]
fn what_cannot_be_used_is_named() {
    let skip = "on_bad_annotation=skip";
    let train = "instances_train2017.json";
    refused(
        |root| fs::remove_dir_all(root.join("annotations")).unwrap(),
        &["not in the layout of COCO"],
    );
    refused(
        |root| fs::remove_file(file(root, "val2017")).unwrap(),
        &["instances_val...json"],
    );
    refused(
        |root| write(root, "train2014", &[1]),
        &["train2014.json", "train2017.json", "same part"],
    );
    refused(
        |root| fs::remove_dir_all(root.join("train2017")).unwrap(),
        &["train2017", "is not there"],
    );
    refused(
        |root| fs::write(file(root, "train2017"), "{\"images\": [").unwrap(),
        &[train, "EOF"],
    );
    refused(
        |root| fs::write(file(root, "train2017"), [0xff]).unwrap(),
        &[train, "line 1"],
    );
    refused(
        |root| {
            edit(root, "train2017", |value| {
                value["annotations"][3]["bbox"] = json!([1, 2, 0, 4])
            })
        },
        &[train, "annotation 21 of `2.png`", "has no area", skip],
    );
    refused(
        |root| {
            edit(root, "train2017", |value| {
                value["annotations"][3]["bbox"] = json!([1, 2, 4, 40])
            })
        },
        &[train, "annotation 21 of `2.png`", "beyond its image", skip],
    );
    refused(
        |root| {
            edit(root, "train2017", |value| {
                value["annotations"][3]["bbox"] = json!("box")
            })
        },
        &[train, "annotation 21 of `2.png`", "not four numbers", skip],
    );
    refused(
        |root| {
            edit(root, "train2017", |value| {
                value["annotations"][0]["image_id"] = json!(99)
            })
        },
        &[train, "annotation 10", "image 99", skip],
    );
    refused(
        |root| {
            edit(root, "train2017", |value| {
                value["annotations"][0]["category_id"] = json!(99)
            })
        },
        &[train, "annotation 10 of `1.png`", "category 99", skip],
    );
    refused(
        |root| {
            edit(root, "train2017", |value| {
                value["annotations"][0]["image_id"] = json!("one")
            })
        },
        &[train, "expected i64"],
    );
    refused(
        |root| {
            edit(root, "val2017", |value| {
                value["categories"][0]["name"] = json!("cow")
            })
        },
        &["val2017.json", "`cow`", "task.classes"],
    );
    refused(
        |root| edit(root, "train2017", |value| value["categories"] = json!([])),
        &["no categories"],
    );
    refused(
        |root| fs::remove_file(root.join("val2017/7.png")).unwrap(),
        &["val2017/7.png", "names it", skip],
    );
    refused(
        |root| fs::write(root.join("val2017/7.png"), "text").unwrap(),
        &["7.png", "no JPEG or PNG"],
    );
    refused(
        |root| {
            edit(root, "train2017", |value| {
                value["images"][0]["width"] = json!(41)
            })
        },
        &[train, "`1.png` has 41 x 20 pixels, but it has 40 x 20"],
    );
    for name in ["../val2017/7.png", "/etc/passwd", ""] {
        refused(
            |root| {
                edit(root, "train2017", |value| {
                    value["images"][0]["file_name"] = json!(name)
                })
            },
            &[train, "no name of an image"],
        );
    }
    refused(
        |root| {
            edit(root, "train2017", |value| {
                value["images"][1]["id"] = json!(1)
            })
        },
        &[train, "image `1` stands there twice"],
    );
    let without_root = DatasetConfig {
        root: None,
        ..config(Path::new("."))
    };
    assert!(
        read(&without_root)
            .unwrap_err()
            .to_string()
            .contains("`coco` needs `root`")
    );
}

#[test]
fn what_is_skipped_is_counted() {
    let folder = TempDir::new().unwrap();
    let root = folder.path();
    dataset(root);
    edit(root, "train2017", |value| {
        value["annotations"][0]["bbox"] = json!([1, 2, 0, 4]);
        value["annotations"][2]["image_id"] = json!(99);
        value["annotations"][4]["category_id"] = json!(99);
        value["images"][3]["width"] = json!(41);
    });
    fs::remove_file(root.join("train2017/5.png")).unwrap();
    let config = DatasetConfig {
        on_bad_annotation: OnBadAnnotation::Skip,
        ..config(root)
    };
    let splits = read(&config).unwrap();
    assert_eq!(
        splits.train.scenes.len() + splits.validation.scenes.len(),
        4
    );
    // Eight objects on the four images that are left, less three.
    assert_eq!(splits.train.objects() + splits.validation.objects(), 5);
    let skipped = splits.skipped.unwrap();
    assert!(skipped.starts_with("3 objects and 1 images"), "{skipped}");
}
