//! Data in the layout of Stanford Online Products, through the real binary.

use crate::retrieval::QUICK;
use crate::support::{Place, fails, set, succeeds};
use assert_cmd::Command;
use image::{Rgb, RgbImage};
use serde_json::Value;
use std::fmt::Write;
use std::fs;

const HEADER: &str = "image_id class_id super_class_id path\n";

/// 500 products of two views each, half of them in either list. A product is a colour that leaves a stripe of noise free.
fn products(place: &Place) {
    let mut lists = [HEADER.to_owned(), HEADER.to_owned()];
    fs::create_dir_all(place.path("sop/mug_final")).unwrap();
    for product in 0..500_u32 {
        let colour = [product % 8, product / 8 % 8, product / 64].map(|level| 30 * level as u8);
        for view in 0..2 {
            let name = format!("mug_final/{product}_{view}.png");
            let pixel = |x: u32, y: u32| {
                let noise = (x * 31 + y * 17 + product * 7 + view * 101) % 40;
                Rgb(colour.map(|level| level + if y < 4 { noise as u8 } else { 0 }))
            };
            let image = RgbImage::from_fn(12, 12, pixel);
            image.save(place.path("sop").join(&name)).unwrap();
            let list = &mut lists[usize::from(product >= 250)];
            writeln!(list, "{} {} 1 {name}", 2 * product + view + 1, product + 1).unwrap();
        }
    }
    place.write("sop/Ebay_train.txt", &lists[0]);
    place.write("sop/Ebay_test.txt", &lists[1]);
}

fn host(place: &Place, out: &str) -> Command {
    let mut arguments = vec!["run", "--plugin", "retrieval", "--device", "cpu"];
    arguments.extend(["--out", out, "--threads", "2"]);
    arguments.extend(set(&QUICK));
    arguments.extend(set(&[
        "task.dataset=sop",
        "task.root=sop",
        "task.resize=12",
        "task.crop=12",
        "task.network=resnet20",
        "task.pretraining.batch_size=16",
        "report.bootstrap=100",
    ]));
    place.host(&arguments)
}

#[test]
fn five_hundred_products_run_from_lists_to_a_table_with_intervals() {
    let place = Place::new();
    products(&place);
    let table = succeeds(host(&place, "run"));
    assert!(table.contains("recall-at-k (higher is better)"), "{table}");
    let summary = fs::read_to_string(place.path("run/summary.json")).unwrap();
    let summary: Value = serde_json::from_str(&summary).unwrap();
    for method in summary["methods"].as_array().unwrap() {
        // The colour alone finds the other view, more often than one in 499.
        assert!(method["test"].as_f64().unwrap() > 0.1, "{method}");
        let ends = method["interval"].as_array().unwrap();
        let [low, high] = [0, 1].map(|end| ends[end].as_f64().unwrap());
        let difference = method["difference"].as_f64().unwrap();
        assert!(low <= difference && difference <= high, "{method}");
    }
}

#[test]
fn a_malformed_list_is_refused_by_its_line() {
    let place = Place::new();
    products(&place);
    let train = fs::read_to_string(place.path("sop/Ebay_train.txt")).unwrap();
    let test = fs::read_to_string(place.path("sop/Ebay_test.txt")).unwrap();
    let cases = [
        (
            "Ebay_train.txt",
            train.replacen("5 3 1 ", "5 3 ", 1),
            "line 6: expected 4 fields",
        ),
        (
            "Ebay_train.txt",
            train.replacen("5 3 1 ", "5 three 1 ", 1),
            "line 6: `three` is no number of a class",
        ),
        (
            "Ebay_train.txt",
            train.replacen("path\n", "file\n", 1),
            "line 1: expected the header",
        ),
        (
            "Ebay_test.txt",
            test.replacen(" 251 ", " 250 ", 1),
            "line 2: class 250 is in the other list too",
        ),
        (
            "Ebay_test.txt",
            test.replacen("250_1.png", "../../250_1.png", 1),
            "line 3: `mug_final/../../250_1.png` leads out of the folder",
        ),
        (
            "Ebay_test.txt",
            test.replacen("250_1.png", "250_2.png", 1),
            "line 3: ",
        ),
        (
            "Ebay_test.txt",
            test.replacen("250_1.png", "250_0.png", 1),
            "line 3: `mug_final/250_0.png` is listed twice",
        ),
    ];
    for (list, text, expected) in cases {
        place.write("sop/Ebay_train.txt", &train);
        place.write("sop/Ebay_test.txt", &test);
        place.write(&format!("sop/{list}"), text);
        let error = fails(host(&place, "refused"), 1);
        assert!(error.contains(&format!("{list}` {expected}")), "{error}");
        assert!(!place.path("refused").exists(), "{error}");
    }
}
