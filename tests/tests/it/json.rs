//! Whatever prints a list or a table prints it as JSON too: one object with a version.

use crate::support::{Place, library, succeeds};
use serde_json::{Value, json};

fn object(place: &Place, arguments: &[&str]) -> Value {
    let printed = succeeds(place.host(arguments));
    let value: Value = serde_json::from_str(&printed).unwrap();
    assert_eq!(value["version"], 1, "{printed}");
    value
}

#[test]
fn every_command_has_a_versioned_object() {
    let place = Place::new();
    for arguments in [
        &["list", "--json"][..],
        &["describe", "f1", "--json"],
        &["check-metric", "f1", "--no-profile", "--json"],
    ] {
        object(&place, arguments);
    }
    let pages = object(&place, &["man", "--out", "pages", "--json"]);
    assert_eq!(pages["pages"][0], "pages/host.1");
}

#[test]
fn locks() {
    let place = Place::new();
    let path = library("metricopt_example_smallest");
    let path = path.to_str().unwrap();
    let locked = object(&place, &["plugin", "lock", "--json", "--plugin", path]);
    assert_eq!(locked["lock"], "plugins.lock");
    let [entry] = locked["locked"].as_array().unwrap().as_slice() else {
        panic!("{locked}");
    };
    assert_eq!(entry["sha256"].as_str().unwrap().len(), 64);
    let verify = ["plugin", "verify", "--json", "--plugin", path];
    let verified = object(&place, &verify);
    assert_eq!(
        verified["files"],
        json!([{ "path": path, "as_locked": true, "reason": null }])
    );
    let text = std::fs::read_to_string(place.path("plugins.lock")).unwrap();
    let digest = entry["sha256"].as_str().unwrap();
    place.write("plugins.lock", text.replace(digest, &"0".repeat(64)));
    let output = place.host(&verify).assert().code(1).get_output().clone();
    let refused: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(refused["files"][0]["as_locked"], false);
    assert!(refused["files"][0]["reason"].is_string());
}

#[test]
fn libtorch_and_new_crates() {
    let place = Place::new();
    let libtorch = object(&place, &["plugin", "libtorch", "--json"]);
    let typed = succeeds(place.host(&["plugin", "libtorch"]));
    assert_eq!(libtorch["directory"], typed.trim_end());
    assert!(libtorch["libtorch_version"].is_string());
    let sdk = concat!(env!("CARGO_MANIFEST_DIR"), "/../sdk");
    let arguments = ["new", "metric", "profit", "--sdk", sdk, "--json"];
    let new = object(&place, &arguments);
    assert_eq!(
        (&new["what"], &new["path"]),
        (&json!("metric"), &json!("profit"))
    );
    assert_eq!(new["next"][0], "cargo test");
}

#[test]
fn a_dry_run_says_where_every_value_comes_from() {
    let place = Place::new();
    let resolved = object(
        &place,
        &[
            "run",
            "--plugin",
            "tabular",
            "--dry-run",
            "--json",
            "--set",
            "finetune.lambda=3",
        ],
    );
    assert_eq!(resolved["metric"]["name"], "f1");
    assert_eq!(
        resolved["config"]["finetune.lambda"],
        json!({ "value": 3, "origin": "command line" })
    );
    assert_eq!(resolved["config"]["finetune.steps"]["origin"], "default");
}
