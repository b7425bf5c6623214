//! The page of a run: there after every run, complete in itself, and made again from the files.

use crate::support::{Place, fails, set, succeeds};
use std::fs;

const SECTIONS: [&str; 8] = [
    "result",
    "curves",
    "trajectories",
    "value-function",
    "embedding",
    "landscape",
    "sites",
    "facts",
];

pub(crate) fn page(place: &Place, path: &str) -> String {
    fs::read_to_string(place.path(path)).unwrap()
}

/// The section of a page with an id.
#[track_caller]
pub(crate) fn section<'a>(page: &'a str, id: &str) -> &'a str {
    let start = page.find(&format!("<section id=\"{id}\"")).unwrap();
    let end = page[start..].find("</section>").unwrap();
    &page[start..start + end]
}

/// Holds for every page: one file that fetches nothing, with nothing broken in it.
#[track_caller]
pub(crate) fn assert_sound(page: &str) {
    assert!(page.starts_with("<!DOCTYPE html>") && page.ends_with("</html>\n"));
    assert!(page.len() < 2_000_000, "{} bytes", page.len());
    for outside in [
        "http:", "https:", "src=", "url(", "@import", "<script", "<iframe", "<object",
    ] {
        assert!(!page.contains(outside), "`{outside}`");
    }
    for broken in ["NaN", "inf\"", "undefined", "></th><td></td>"] {
        assert!(!page.contains(broken), "`{broken}`");
    }
    for tag in [
        "section", "figure", "svg", "table", "details", "ul", "div", "g",
    ] {
        let open =
            page.matches(&format!("<{tag} ")).count() + page.matches(&format!("<{tag}>")).count();
        assert_eq!(open, page.matches(&format!("</{tag}>")).count(), "`{tag}`");
    }
    // Every picture can be read aloud, and every link leads somewhere.
    let pictures = page.matches("<svg ").count();
    let told = page.matches("role=\"img\" aria-label=\"").count()
        + page.matches("aria-hidden=\"true\"").count();
    assert_eq!(pictures, told);
    for link in page.split("href=\"#").skip(1) {
        let id = link.split('"').next().unwrap();
        assert!(page.contains(&format!("id=\"{id}\"")), "#{id}");
    }
}

#[test]
fn a_run_leaves_a_page_with_every_figure() {
    let place = Place::new();
    let output = place
        .run("run", &[])
        .assert()
        .success()
        .get_output()
        .clone();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(
        said.ends_with("results are in run\nthe report is run/report.html\n"),
        "{said}"
    );
    let page = page(&place, "run/report.html");
    assert_sound(&page);
    for id in SECTIONS {
        let section = section(&page, id);
        assert!(!section.contains("Left out"), "{section}");
        let pictures = section.matches("<svg viewBox=").count();
        assert!(pictures > 0 || id == "facts", "{id}");
        assert!(section.contains("<details>") || id == "result", "{id}");
    }
    // The verdict and the table are the first things one sees, with the numbers of the summary.
    let summary = place.summary("run");
    let result = section(&page, "result");
    for method in summary["methods"].as_array().unwrap() {
        let cells = format!(
            "<th scope=\"row\">{}</th><td>{:.4}</td>",
            method["name"].as_str().unwrap(),
            method["validation"].as_f64().unwrap()
        );
        assert!(result.contains(&cells), "{cells}");
    }
    assert_eq!(section(&page, "curves").matches("role=\"img\"").count(), 3);
    let landscape = section(&page, "landscape");
    assert_eq!(landscape.matches("<g class=\"cells\">").count(), 2);
    assert_eq!(
        landscape.matches("V").count() / 225,
        2,
        "a cell for each point"
    );
    // 4 trajectories observed at 3 steps.
    assert_eq!(
        section(&page, "value-function").matches("<circle").count(),
        12
    );
    assert_eq!(
        section(&page, "embedding")
            .matches("class=\"valued\"")
            .count(),
        12
    );
}

#[test]
fn the_same_files_give_the_same_page() {
    let place = Place::new();
    succeeds(place.run("run", &[]));
    let first = page(&place, "run/report.html");
    fs::remove_file(place.path("run/report.html")).unwrap();
    assert_eq!(
        succeeds(place.host(&["report", "run"])),
        "run/report.html\n"
    );
    assert!(page(&place, "run/report.html") == first);
    let out = ["report", "run", "--out", "elsewhere.html"];
    assert_eq!(succeeds(place.host(&out)), "elsewhere.html\n");
    assert!(page(&place, "elsewhere.html") == first);
}

#[test]
fn what_a_directory_lacks_is_left_out_with_a_reason() {
    let place = Place::new();
    succeeds(place.run("run", &[]));
    for (file, without) in [
        ("report.safetensors", &["landscape"][..]),
        ("adapter.safetensors", &["sites"]),
        ("events.jsonl", &["curves"]),
        (
            "value_function.safetensors",
            &["value-function", "embedding"],
        ),
        ("trajectories.safetensors", &["trajectories"]),
        ("config.toml", &["facts"]),
    ] {
        fs::remove_file(place.path("run").join(file)).unwrap();
        succeeds(place.host(&["report", "run"]));
        let page = page(&place, "run/report.html");
        assert_sound(&page);
        for id in without {
            let section = section(&page, id);
            assert!(
                section.contains("Left out: ") && section.contains(file),
                "{section}"
            );
        }
    }
    fs::remove_file(place.path("run/summary.json")).unwrap();
    let error = fails(place.host(&["report", "run"]), 1);
    assert!(
        error.starts_with("error: no `summary.json` in `run`\n hint: "),
        "{error}"
    );
}

#[test]
fn damaged_files_are_named() {
    let place = Place::new();
    succeeds(place.run("run", &[]));
    for file in place.files("run") {
        // What the report is not made from.
        if [
            "report.html",
            "config.toml",
            "metrics.csv",
            "predictions.safetensors",
            "tensorboard",
        ]
        .contains(&file.as_str())
        {
            continue;
        }
        let path = place.path("run").join(&file);
        let whole = fs::read(&path).unwrap();
        for damaged in [&whole[..whole.len() / 2 - 1], b"", b"{\"version\":9}"] {
            // No event at all is a short run, not a damaged file.
            if damaged.is_empty() && file == "events.jsonl" {
                continue;
            }
            fs::write(&path, damaged).unwrap();
            let error = fails(place.host(&["report", "run"]), 1);
            assert!(
                error.starts_with(&format!("error: cannot use `run/{file}`: "))
                    && error.contains(" hint: "),
                "{error}"
            );
        }
        fs::write(&path, &whole).unwrap();
    }
    // Bytes of another file, whole as they are.
    fs::copy(
        place.path("run/adapter.safetensors"),
        place.path("run/trajectories.safetensors"),
    )
    .unwrap();
    let error = fails(place.host(&["report", "run"]), 1);
    assert!(
        error.contains("has format `metricopt.adapter.1`, expected `metricopt.trajectories.1`"),
        "{error}"
    );
}

#[test]
fn no_directory_and_an_empty_one_are_errors() {
    let place = Place::new();
    let error = fails(place.host(&["report", "nowhere"]), 1);
    assert!(
        error.starts_with("error: cannot open `nowhere`: ") && error.contains(" hint: "),
        "{error}"
    );
    fs::create_dir(place.path("empty")).unwrap();
    let error = fails(place.host(&["report", "empty"]), 1);
    assert!(
        error.starts_with("error: no `summary.json` in `empty`"),
        "{error}"
    );
    assert_eq!(place.files("empty"), [""; 0]);
}

#[test]
fn what_files_say_stays_text() {
    let place = Place::new();
    succeeds(place.run("run", &[]));
    let evil = "</title></style><script>alert(1)</script><img src=x onerror='y'>\"";
    let mut summary = place.summary("run");
    for key in ["plugin", "task", "verdict"] {
        summary[key] = evil.into();
    }
    summary["metric"]["name"] = evil.into();
    summary["metric"]["options"] = serde_json::json!({ evil: evil });
    summary["methods"][4]["name"] = evil.into();
    place.write("run/summary.json", summary.to_string());
    place.write("run/config.toml", evil);
    let events = fs::read_to_string(place.path("run/events.jsonl")).unwrap();
    let name = serde_json::to_string(evil).unwrap();
    place.write("run/events.jsonl", events.replace("\"es\"", &name));
    succeeds(place.host(&["report", "run"]));
    let page = page(&place, "run/report.html");
    assert!(
        !page.contains("<script")
            && !page.contains("<img")
            && page.matches("</style>").count() == 1
    );
    assert!(page.contains("&lt;script&gt;alert(1)"));
}

#[test]
fn without_a_landscape_the_page_says_why() {
    let place = Place::new();
    succeeds(place.run("off", &set(&["report.landscape=0"])));
    let off = page(&place, "off/report.html");
    assert_sound(&off);
    assert!(section(&off, "landscape").contains("switched off with `report.landscape = 0`"));
    // What the metric says beside changes no result.
    succeeds(place.run("on", &set(&["report.landscape=5"])));
    for file in ["adapter.safetensors", "trajectories.safetensors"] {
        assert!(
            fs::read(place.path("on").join(file)).unwrap()
                == fs::read(place.path("off").join(file)).unwrap()
        );
    }
    for method in 0..6 {
        assert_eq!(
            place.summary("on")["methods"][method]["queries"],
            place.summary("off")["methods"][method]["queries"]
        );
    }
}

#[test]
fn a_metric_that_never_changes_has_a_page_too() {
    let place = Place::new();
    succeeds(place.test_run("run", &["--metric", "misbehaving:how=constant"]));
    let page = page(&place, "run/report.html");
    assert_sound(&page);
    assert!(section(&page, "value-function").contains("Left out: the run had no value function"));
    assert!(section(&page, "result").contains("nothing on the way was better"));
}

#[test]
fn several_runs_come_on_one_page() {
    let place = Place::new();
    succeeds(place.run("first", &["--seed", "1"]));
    succeeds(place.run("second", &["--seed", "2"]));
    succeeds(place.run(
        "third",
        &["--metric", "aucpr", "--set", "baselines.es=false"],
    ));
    assert_eq!(
        succeeds(place.host(&["report", "first", "second", "third"])),
        "report.html\n"
    );
    let page = page(&place, "report.html");
    assert_sound(&page);
    let result = section(&page, "result");
    for run in ["first", "second", "third"] {
        let summary = place.summary(run);
        assert!(
            result.contains(&format!("<li><strong>{run}</strong>")),
            "{result}"
        );
        let test = summary["methods"][1]["test"].as_f64().unwrap();
        assert!(result.contains(&format!("<td>{test:.4} (")), "{result}");
    }
    // A run without a method has a dash in its row.
    assert!(result.contains("<th scope=\"row\">es</th>") && result.contains("<td>–</td>"));
    // Three panels for each of two metrics.
    assert_eq!(section(&page, "curves").matches("role=\"img\"").count(), 6);
    // Their own pages are as they were.
    assert!(place.files("first").contains(&"report.html".to_owned()));
    let error = fails(place.host(&["report", "first", "nowhere"]), 1);
    assert!(error.starts_with("error: cannot open `nowhere`"), "{error}");
}
