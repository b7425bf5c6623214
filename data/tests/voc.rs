//! Data sets in the layout of PASCAL VOC, whole and hostile, and the generated one.
#![expect(
    clippy::unwrap_used,
    reason = "what a test cannot go on without fails it"
)]

use metricopt_data::Opening;
use metricopt_data::detection::{
    DatasetConfig, DatasetName, OnBadAnnotation, Scattered, Splits, open,
};
use metricopt_sdk::Result;
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

fn object(name: &str, [x1, y1, x2, y2]: [i32; 4], difficult: u8) -> String {
    format!(
        "<object><name>{name}</name><truncated>0</truncated><difficult>{difficult}</difficult><bndbox>\
         <xmin>{x1}</xmin><ymin>{y1}</ymin><xmax>{x2}</xmax><ymax>{y2}</ymax></bndbox></object>"
    )
}

fn annotate(root: &Path, name: &str, objects: &str) {
    let text = format!(
        "<annotation><size><width>40</width><height>20</height><depth>3</depth></size>{objects}</annotation>"
    );
    fs::write(root.join(format!("Annotations/{name}.xml")), text).unwrap();
}

/// `a` and `b` to train on, `c` to validate, `d` to test.
fn devkit(root: &Path) {
    for folder in ["Annotations", "ImageSets/Main", "JPEGImages"] {
        fs::create_dir_all(root.join(folder)).unwrap();
    }
    for name in ["a", "b", "c", "d"] {
        fs::write(root.join(format!("JPEGImages/{name}.png")), png()).unwrap();
        let objects = object("cat", [1, 1, 40, 20], 0) + &object("dog", [3, 4, 12, 9], 1);
        annotate(root, name, &objects);
    }
    for (part, names) in [("train", "a\nb\n"), ("val", "c\n"), ("test", "\nd  1\n")] {
        fs::write(root.join(format!("ImageSets/Main/{part}.txt")), names).unwrap();
    }
}

fn config(root: &Path) -> DatasetConfig {
    DatasetConfig {
        dataset: DatasetName::Voc,
        root: Some(root.to_owned()),
        height: Some(32),
        width: Some(32),
        ..DatasetConfig::default()
    }
}

fn read(config: &DatasetConfig) -> Result<Splits> {
    open(config, &Opening::quiet(1))
}

/// The error that a change of the devkit leads to.
#[track_caller]
fn refused(change: impl FnOnce(&Path), expected: &[&str]) {
    let folder = TempDir::new().unwrap();
    devkit(folder.path());
    change(folder.path());
    let error = read(&config(folder.path())).unwrap_err();
    let text = format!("{error} {:?}", error.hints());
    for part in expected {
        assert!(text.contains(part), "no `{part}` in {text}");
    }
}

#[test]
fn the_parts_are_those_of_the_lists() {
    let folder = TempDir::new().unwrap();
    let root = folder.path().join("VOCdevkit/VOC2007");
    devkit(&root);
    let splits = read(&config(folder.path())).unwrap();
    let names = |scenes: &metricopt_data::detection::Scenes| {
        let mut names: Vec<String> = scenes
            .scenes
            .iter()
            .map(|scene| scene.name.clone())
            .collect();
        names.sort();
        names
    };
    assert_eq!(names(&splits.train), ["a", "b"]);
    assert_eq!(names(&splits.validation), ["c"]);
    assert_eq!(names(&splits.test), ["d"]);
    assert_eq!(splits.train.classes, ["cat", "dog"]);
    let scene = &splits.test.scenes[0];
    assert_eq!(scene.objects[1].pixels, [3.0, 4.0, 12.0, 9.0]);
    assert!(scene.objects[1].difficult && !scene.objects[0].difficult);
    // 40 x 20 pixels become 32 x 16 with bars of eight rows.
    assert_eq!(
        scene.frame.inward(scene.objects[0].pixels),
        [0.0, 8.0, 32.0, 24.0]
    );
    assert_eq!(splits.test.pixels[..32], [128; 32]);
    assert_eq!(splits.skipped, None);
}

#[test]
fn a_tar_file_is_the_same_as_its_folder() {
    let folder = TempDir::new().unwrap();
    devkit(&folder.path().join("kit"));
    let packed = folder.path().join("kit.tar");
    let mut archive = tar::Builder::new(fs::File::create(&packed).unwrap());
    archive
        .append_dir_all("VOCdevkit/Mine", folder.path().join("kit"))
        .unwrap();
    archive.finish().unwrap();
    let from_folder = read(&config(&folder.path().join("kit"))).unwrap();
    let from_tar = read(&config(&packed)).unwrap();
    assert_eq!(from_tar.train, from_folder.train);
    assert_eq!(from_tar.test, from_folder.test);
}

#[test]
fn what_cannot_be_used_is_named() {
    let bad = "on_bad_annotation=skip";
    refused(
        |root| fs::write(root.join("Annotations/b.xml"), "<annotation><obj").unwrap(),
        &["Annotations/b.xml", bad],
    );
    refused(
        |root| fs::remove_file(root.join("Annotations/c.xml")).unwrap(),
        &["Annotations/c.xml", "is not there"],
    );
    refused(
        |root| fs::remove_file(root.join("JPEGImages/d.png")).unwrap(),
        &["JPEGImages/d", "a list names it"],
    );
    refused(
        |root| fs::write(root.join("JPEGImages/d.png"), "text").unwrap(),
        &["JPEGImages/d.png", "no JPEG or PNG"],
    );
    refused(
        |root| annotate(root, "a", &object("cat", [5, 5, 5, 5], 0)),
        &["a.xml", "object 1 has no area", bad],
    );
    refused(
        |root| annotate(root, "a", &object("cat", [5, 5, 41, 9], 0)),
        &["a.xml", "beyond its image"],
    );
    refused(
        |root| annotate(root, "c", &object("cow", [5, 5, 9, 9], 0)),
        &["c.xml", "`cow`", "task.classes"],
    );
    refused(
        |root| fs::write(root.join("ImageSets/Main/val.txt"), "../c").unwrap(),
        &["val.txt", "no name of an image"],
    );
    refused(
        |root| fs::write(root.join("ImageSets/Main/val.txt"), "a").unwrap(),
        &["`a` stands twice"],
    );
    refused(
        |root| fs::remove_file(root.join("ImageSets/Main/train.txt")).unwrap(),
        &["train.txt"],
    );
    refused(
        |root| fs::remove_dir_all(root.join("Annotations")).unwrap(),
        &["not in the layout", "JPEGImages"],
    );
    refused(
        |root| fs::write(root.join("Annotations/a.xml"), [0xff, 0xfe]).unwrap(),
        &["a.xml", "not UTF-8"],
    );
}

#[test]
fn what_is_skipped_is_counted() {
    let folder = TempDir::new().unwrap();
    devkit(folder.path());
    let objects = object("cat", [5, 5, 5, 5], 0) + &object("dog", [3, 4, 12, 9], 0);
    annotate(folder.path(), "a", &objects);
    fs::write(folder.path().join("Annotations/b.xml"), "<annotation>").unwrap();
    annotate(folder.path(), "c", &object("dog", [3, 4, 60, 9], 0));
    let config = DatasetConfig {
        on_bad_annotation: OnBadAnnotation::Skip,
        ..config(folder.path())
    };
    let splits = read(&config).unwrap();
    assert_eq!(splits.train.scenes.len(), 1);
    assert_eq!(splits.train.objects(), 1);
    let skipped = splits.skipped.unwrap();
    assert!(skipped.starts_with("2 objects and 1 images"), "{skipped}");
}

#[test]
fn classes_can_be_chosen() {
    let folder = TempDir::new().unwrap();
    devkit(folder.path());
    let choose = |name: &str| DatasetConfig {
        classes: vec![name.to_owned()],
        ..config(folder.path())
    };
    let splits = read(&choose("dog")).unwrap();
    assert_eq!((splits.train.classes.len(), splits.train.objects()), (1, 2));
    let error = read(&choose("cow")).unwrap_err();
    assert!(error.hints()[0].contains("`cat`, `dog`"), "{error}");
}

#[test]
fn scattered_digits_are_the_same_for_a_seed_and_fit_their_boxes() {
    let few = Scattered {
        train_images: 60,
        validation_images: 20,
        test_images: 20,
        noise: 0.0,
        ..Scattered::default()
    };
    let splits = few.splits(3).unwrap();
    assert_eq!(splits, few.splits(3).unwrap());
    let mut images: Vec<&[u8]> = splits.train.pixels.chunks(64 * 64).collect();
    images.sort_unstable();
    images.dedup();
    assert_eq!(images.len(), 60, "two images are the same");
    assert_ne!(splits.train, few.splits(4).unwrap().train);
    for scenes in [&splits.train, &splits.validation, &splits.test] {
        assert_eq!(scenes.pixels.len(), scenes.scenes.len() * 64 * 64);
        for scene in &scenes.scenes {
            assert!((1..=3).contains(&scene.objects.len()));
            for object in &scene.objects {
                let [x1, y1, x2, y2] = object.pixels;
                assert!(1.0 <= x1 && x1 < x2 && x2 <= 64.0 && 1.0 <= y1 && y1 < y2 && y2 <= 64.0);
            }
        }
    }
    let mut classes: Vec<i64> = splits
        .train
        .scenes
        .iter()
        .flat_map(|scene| &scene.objects)
        .map(|object| object.class)
        .collect();
    classes.sort_unstable();
    classes.dedup();
    assert_eq!(classes, (0..10).collect::<Vec<i64>>());
}
