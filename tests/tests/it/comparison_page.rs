//! The page of a comparison: there after every `host compare`, complete in itself, and made again from its JSON.

use crate::report::{assert_sound, page, section};
use crate::support::{Place, fails, succeeds};
use serde_json::Value;
use std::fs;

const FILE: &str = "out/comparison.html";

fn comparison(place: &Place) -> Value {
    serde_json::from_slice(&fs::read(place.path("out/comparison.json")).unwrap()).unwrap()
}

#[test]
fn a_comparison_leaves_a_page_with_its_numbers() {
    let place = Place::new();
    let mut command = place.compare("out", &["--seeds", "3"]);
    let output = command.assert().success().get_output().clone();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(
        said.ends_with("results are in out\nthe page is out/comparison.html\n"),
        "{said}"
    );
    let page = page(&place, FILE);
    assert_sound(&page);
    let found = comparison(&place);
    let result = section(&page, "result");
    // The verdict comes before the table, with a capital and a full stop.
    let verdict = found["verdict"].as_str().unwrap();
    let told = result.find(&format!("{}.</p>", &verdict[1..])).unwrap();
    assert!(told < result.find("<table").unwrap());
    let methods = found["methods"].as_array().unwrap();
    let signed = |value: f64| format!("{value:+.4}").replace('-', "−");
    for method in methods {
        let number = |pointer: &str| method.pointer(pointer).and_then(Value::as_f64);
        let mut cells = vec![format!(
            "{:.4} ± {:.4}</td>",
            number("/test/mean").unwrap(),
            number("/test/sd").unwrap()
        )];
        match number("/versus_reference/difference") {
            Some(difference) => {
                let end =
                    |index| signed(number(&format!("/versus_reference/interval/{index}")).unwrap());
                let p = number("/versus_reference/p_holm").unwrap();
                cells.push(format!(
                    "<td>{}</td><td>[{}, {}]</td>",
                    signed(difference),
                    end(0),
                    end(1)
                ));
                if p >= 1e-4 {
                    cells.push(format!("<td>{p:.4}</td>"));
                }
            }
            None => cells.push("<td>–</td>".repeat(4)),
        }
        cells.push(format!(
            "<td>{:.0}</td><td>{:.1}</td></tr>",
            number("/queries").unwrap(),
            number("/seconds").unwrap()
        ));
        let name = method["method"].as_str().unwrap();
        let row = result
            .split("<tr>")
            .find(|row| row.contains(&format!(">{name}</th>")))
            .unwrap();
        for cell in cells {
            assert!(row.contains(&cell), "no `{cell}` in {row}");
        }
    }
    for line in found["statistics"].as_str().unwrap().lines() {
        assert!(result.contains(&line.replace('\'', "&#39;")), "{line}");
    }

    // Twelve methods: eleven differences with their intervals, and three seeds of each.
    assert_eq!(methods.len(), 12);
    let differences = section(&page, "differences");
    let pictures: Vec<&str> = differences.split("role=\"img\"").collect();
    assert_eq!(pictures.len(), 3);
    let count = |text: &str, what: &str| text.matches(what).count();
    assert_eq!(count(pictures[1], "class=\"mark "), 11);
    assert_eq!(
        count(pictures[1], "class=\"line solid "),
        12,
        "and that of the reference"
    );
    let seeds = pictures[2].split("</svg>").next().unwrap();
    assert_eq!(count(seeds, " dot"), 36);
    assert_eq!(count(differences, "<tr><th scope=\"row\">"), 36);
    // All but three take steps; five of them, observed once, at the end.
    let progress = section(&page, "progress");
    assert_eq!(count(progress, "role=\"img\""), 2);
    for method in methods {
        let name = method["method"].as_str().unwrap();
        let values: Vec<f64> = (0..3)
            .filter_map(|seed| {
                let entries = found["seeds"][seed]["entries"].as_array().unwrap();
                let entry = entries
                    .iter()
                    .find(|entry| entry["method"] == name)
                    .unwrap();
                let seen = entry.get("history")?.as_array().unwrap();
                assert_eq!((seen.len(), &seen[0]["step"]), (1, &5.into()), "{name}");
                seen[0]["validation"].as_f64()
            })
            .collect();
        let row = format!("<tr><th scope=\"row\">{name}</th><td>5</td><td>");
        let stays = ["pretrained", "threshold", "best-trajectory"].contains(&name);
        assert_eq!(values.len(), if stays { 0 } else { 3 }, "{name}");
        assert_eq!(count(progress, &row), usize::from(!stays), "{name}");
        if let Some(shown) = progress.split(&row).nth(1) {
            let shown: f64 = shown.split('<').next().unwrap().parse().unwrap();
            let mean = values.iter().sum::<f64>() / 3.0;
            assert!((shown - mean).abs() < 1e-3, "{name}: {shown} and {mean}");
        }
    }
    let cost = section(&page, "cost");
    assert_eq!(count(cost, "role=\"img\""), 2);
    assert!(cost.contains("<title>pretrained: "));
    assert!(section(&page, "facts").contains("<dd>0, 1, 2</dd>"));
}

#[test]
fn the_page_is_made_again_from_the_json_alone() {
    let place = Place::new();
    succeeds(place.compare("out", &["--seeds", "2", "--methods", "threshold"]));
    let first = page(&place, FILE);
    for name in place.files("out") {
        if name != "comparison.json" {
            fs::remove_file(place.path("out").join(name)).unwrap();
        }
    }
    assert_eq!(
        succeeds(place.host(&["report", "out"])),
        format!("{FILE}\n")
    );
    assert!(page(&place, FILE) == first);
    let elsewhere = ["report", "out", "--out", "elsewhere.html"];
    assert_eq!(succeeds(place.host(&elsewhere)), "elsewhere.html\n");
    assert!(page(&place, "elsewhere.html") == first);
    // It is part of the comparison, which goes on as before.
    succeeds(place.compare("out", &["--seeds", "2", "--methods", "threshold"]));
    assert_sound(&page(&place, FILE));
}

#[test]
fn seeds_without_values_on_the_way_still_load_and_have_a_page() {
    let place = Place::new();
    let arguments = ["--seeds", "2", "--methods", "es"];
    succeeds(place.compare("out", &arguments));
    let first = section(&page(&place, FILE), "progress").to_owned();
    assert!(first.contains("<svg") && !first.contains("Left out"));
    // As hosts wrote them that did not keep any.
    let path = place.path("out/seed-1.json");
    let mut seed: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    for entry in seed["entries"].as_array_mut().unwrap() {
        entry.as_object_mut().unwrap().remove("history");
    }
    fs::write(&path, seed.to_string()).unwrap();
    let said = place
        .compare("out", &arguments)
        .assert()
        .success()
        .get_output()
        .clone();
    let said = String::from_utf8(said.stderr).unwrap();
    assert!(said.contains("2 of 2 seeds are already there"), "{said}");
    let page = page(&place, FILE);
    assert_sound(&page);
    assert!(
        section(&page, "progress").contains("Left out: not every seed tells of values on the way")
    );
}

#[test]
fn what_is_no_finished_comparison_is_an_error() {
    let place = Place::new();
    succeeds(place.compare("out", &["--seeds", "2", "--methods", "threshold"]));
    let whole = fs::read_to_string(place.path("out/comparison.json")).unwrap();
    let newer = whole.replacen("\"version\": 1", "\"version\": 2", 1);
    assert_ne!(newer, whole);
    for damaged in [&whole[..whole.len() / 2], "", "[]", "{}", &newer] {
        place.write("out/comparison.json", damaged);
        let error = fails(place.host(&["report", "out"]), 1);
        assert!(
            error.starts_with("error: cannot use `out/comparison.json`: ")
                && error.contains("\n hint: "),
            "{error}"
        );
    }
    place.write("out/comparison.json", whole);
    succeeds(place.run("run", &[]));
    let error = fails(place.host(&["report", "run", "out"]), 2);
    assert!(error.contains("`out` holds a comparison") && error.contains("\n hint: "));
}

#[test]
fn what_the_json_says_stays_text() {
    let place = Place::new();
    succeeds(place.compare("out", &["--seeds", "2", "--methods", "threshold"]));
    let evil = "</title></style><script>alert(1)</script><img src=x onerror='y'>\"";
    let mut found = comparison(&place);
    for key in ["reference", "statistics", "verdict"] {
        found[key] = evil.into();
    }
    for key in ["plugin", "task", "device", "host"] {
        found["setup"][key] = evil.into();
    }
    found["setup"]["metric"]["name"] = evil.into();
    found["setup"]["metric"]["options"] = serde_json::json!({ evil: evil });
    found["setup"]["config"] = serde_json::json!({ evil: evil });
    found["methods"][1]["method"] = evil.into();
    found["left_out"] = serde_json::json!([{ "method": evil, "reason": evil }]);
    for seed in 0..2 {
        let seed = &mut found["seeds"][seed];
        seed["entries"][1]["method"] = evil.into();
        seed["entries"][1]["chosen"] = evil.into();
        seed["failed_points"] = serde_json::json!([{ "method": evil, "reason": evil }]);
    }
    place.write("out/comparison.json", found.to_string());
    succeeds(place.host(&["report", "out"]));
    let page = page(&place, FILE);
    assert!(!page.contains("<script") && !page.contains("<img"));
    assert_eq!(page.matches("</style>").count(), 1);
    assert!(page.contains("&lt;script&gt;alert(1)"));
}
