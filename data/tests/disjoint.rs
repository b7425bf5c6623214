//! Data sets without common classes: how they are read, divided and refused.
#![expect(
    clippy::unwrap_used,
    reason = "what a test cannot go on without fails it"
)]

use image::{GrayImage, Luma};
use metricopt_data::disjoint::{ClassShares, Config, DatasetName, Roots, open};
use metricopt_data::{Images, Opening, Shift, Splits};
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

fn picture(path: &Path, value: u8) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    GrayImage::from_pixel(12, 12, Luma([value]))
        .save(path)
        .unwrap();
}

fn config(dataset: DatasetName, root: &Path) -> Config {
    Config {
        dataset,
        root: Some(Roots::One(root.to_owned())),
        ..Config::default()
    }
}

fn opened(config: &Config) -> Splits {
    open(config, &Opening::quiet(3)).unwrap()
}

fn refusal(config: &Config) -> String {
    open(config, &Opening::quiet(3)).unwrap_err().to_string()
}

fn classes(images: &Images) -> BTreeSet<String> {
    let name = |&label: &i64| images.classes[label as usize].clone();
    images.labels.iter().map(name).collect()
}

fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(|&name| name.to_owned()).collect()
}

#[test]
fn only_validation_and_test_images_are_shifted_and_always_alike() {
    let clean = opened(&Config::default());
    let config = Config {
        shift: Shift {
            blur: 1.0,
            noise: 0.2,
        },
        ..Config::default()
    };
    let shifted = opened(&config);
    assert_eq!(shifted.train, clean.train);
    assert_eq!(shifted.test.labels, clean.test.labels);
    assert_ne!(shifted.test.pixels, clean.test.pixels);
    assert_ne!(shifted.validation.pixels, clean.validation.pixels);
    assert_eq!(opened(&config), shifted);
}

#[test]
fn alphabets_are_divided_whole_and_common_drawings_dropped() {
    let folder = tempfile::tempdir().unwrap();
    for (number, alphabet) in (0_u8..).zip(["A", "B", "C"]) {
        for character in 0..2 {
            for drawing in 0..3 {
                let name = format!("some/{alphabet}/character{character}/{drawing}.png");
                // The last drawing of every character is the same white paper.
                let value = if drawing == 2 {
                    255
                } else {
                    number * 60 + character * 20 + drawing
                };
                picture(&folder.path().join(name), value);
            }
        }
    }
    let split = ClassShares {
        validation: names(&["B"]),
        test: names(&["C"]),
        ..ClassShares::default()
    };
    let config = Config {
        split: split.clone(),
        ..config(DatasetName::Omniglot, folder.path())
    };
    let splits = opened(&config);
    assert_eq!(
        classes(&splits.test),
        BTreeSet::from(["C/character0".to_owned(), "C/character1".to_owned()])
    );
    assert_eq!(
        (
            splits.test.len(),
            splits.validation.len(),
            splits.train.len()
        ),
        (6, 4, 4)
    );
    assert_eq!((splits.train.height, splits.train.channels), (28, 1));
    let twice = Config {
        root: Some(Roots::Many(vec![folder.path().to_owned(); 2])),
        ..config.clone()
    };
    assert_eq!(opened(&twice), splits);
    let unknown = Config {
        split: ClassShares {
            test: names(&["D"]),
            ..split
        },
        ..config
    };
    assert!(refusal(&unknown).contains("`split.test` names `D`"));
}

#[test]
fn classes_of_a_folder_are_drawn_or_have_their_parts() {
    let folder = tempfile::tempdir().unwrap();
    for class in 0..8_u8 {
        for file in 0..2 {
            picture(
                &folder.path().join(format!("all/{class}/{file}.png")),
                class * 20 + file,
            );
            let part = ["train", "train", "val", "test"][usize::from(class / 2)];
            picture(
                &folder
                    .path()
                    .join(format!("parts/{part}/{class}/{file}.png")),
                class,
            );
        }
    }
    let all = opened(&config(
        DatasetName::ImageFolder,
        &folder.path().join("all"),
    ));
    let parts = [&all.train, &all.validation, &all.test].map(classes);
    assert_eq!(parts.each_ref().map(BTreeSet::len), [4, 2, 2]);
    assert_eq!(parts.iter().flatten().collect::<BTreeSet<_>>().len(), 8);
    // Images of a class stand together.
    assert_eq!(all.train.labels.chunk_by(|a, b| a == b).count(), 4);
    let official = config(DatasetName::ImageFolder, &folder.path().join("parts"));
    let test = classes(&opened(&official).test);
    assert_eq!(test, BTreeSet::from(["6".to_owned(), "7".to_owned()]));
    picture(&folder.path().join("parts/train/6/0.png"), 1);
    assert!(refusal(&official).contains("class `6` is in two parts"));
}

#[test]
fn a_malformed_list_is_named_with_its_line() {
    let folder = tempfile::tempdir().unwrap();
    picture(&folder.path().join("a/1.png"), 1);
    let header = "image_id class_id super_class_id path";
    let write = |name: &str, lines: &[&str]| {
        fs::write(folder.path().join(name), lines.join("\n")).unwrap();
    };
    write("Ebay_test.txt", &[header]);
    let config = config(DatasetName::Sop, folder.path());
    for (lines, line, complaint) in [
        (&["1 1 1 a/1.png"][..], 1, "expected the header"),
        (&[header, "1 1 1 a/1.png", "2 1 1"], 3, "expected 4 fields"),
        (
            &[header, "1 one 1 a/1.png"],
            2,
            "`one` is no number of a class",
        ),
        (&[header, "1 1 1 ../a/1.png"], 2, "leads out of the folder"),
        (&[header, "1 1 1 a/2.png"], 2, "does not exist"),
        (
            &[header, "1 1 1 a/1.png", "2 1 1 a/1.png"],
            3,
            "is listed twice",
        ),
    ] {
        write("Ebay_train.txt", lines);
        let error = refusal(&config);
        let place = format!("Ebay_train.txt` line {line}: ");
        assert!(
            error.contains(&place) && error.contains(complaint),
            "{error}"
        );
    }
    write("Ebay_train.txt", &[header, "1 1 1 a/1.png"]);
    write("Ebay_test.txt", &[header, "2 1 1 a/1.png"]);
    let error = refusal(&config);
    assert!(
        error.contains("Ebay_test.txt` line 2: class 1 is in the other list"),
        "{error}"
    );
}
