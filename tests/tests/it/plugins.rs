//! Plugins from files that work as they should.

use crate::support::{Place, cargo, host_program, library, succeeds};
use serde_json::Value;
use std::fs;
use std::path::Path;

/// Everything but the times.
fn without_seconds(value: &Value) -> Value {
    match value {
        Value::Object(entries) => entries
            .iter()
            .filter(|(key, _)| *key != "seconds")
            .map(|(key, value)| (key.clone(), without_seconds(value)))
            .collect(),
        Value::Array(values) => values.iter().map(without_seconds).collect(),
        other => other.clone(),
    }
}

/// The plugins that are compiled in, and their libraries.
const BUILT_IN: [(&str, &str); 5] = [
    ("classification", "metricopt_classification"),
    ("detection", "metricopt_detection"),
    ("metrics", "metricopt_metrics"),
    ("retrieval", "metricopt_retrieval"),
    ("tabular", "metricopt_tabular"),
];

#[test]
fn every_built_in_plugin_is_a_library_too() {
    let place = Place::new();
    let listed: Value = serde_json::from_str(&succeeds(place.host(&["list", "--json"]))).unwrap();
    let names: Vec<&str> = listed["plugins"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|plugin| plugin["origin"] == "built-in")
        .map(|plugin| plugin["name"].as_str().unwrap())
        // A program of one's own is the host's affair: there is nothing to load.
        .filter(|name| *name != "exec")
        .collect();
    assert_eq!(names, BUILT_IN.map(|(name, _)| name));
    for (name, crate_name) in BUILT_IN {
        let library = library(crate_name);
        let arguments = ["list", "--json", "--plugin", library.to_str().unwrap()];
        let loaded: Value = serde_json::from_str(&succeeds(place.host(&arguments))).unwrap();
        let find = |list: &Value| -> Value {
            let mut plugins = list["plugins"].as_array().unwrap().iter();
            plugins
                .find(|plugin| plugin["name"] == name)
                .unwrap()
                .clone()
        };
        let (mut built_in, mut from_file) = (find(&listed), find(&loaded));
        let origin = from_file["origin"].take();
        assert_eq!(
            origin.as_str().unwrap(),
            library.canonicalize().unwrap().to_str().unwrap()
        );
        built_in["origin"].take();
        assert_eq!(built_in, from_file, "{name}");
    }
}

/// The same bytes, whatever comes from a file: the summary but for its times, the adapter and the trajectories.
#[test]
fn loaded_plugins_give_the_same_results() {
    let place = Place::new();
    let [_, _, metrics, _, tabular] = BUILT_IN.map(|(_, crate_name)| library(crate_name));
    let (metrics, tabular) = (metrics.to_str().unwrap(), tabular.to_str().unwrap());
    for metric in ["f1", "aucpr", "precision-at-recall:recall=0.7"] {
        let metric = ["--metric", metric];
        let runs: [(&str, &[&str]); 3] = [
            ("compiled", &[]),
            ("metrics", &["--plugin", metrics]),
            ("both", &["--plugin", tabular, "--plugin", metrics]),
        ];
        for (run, plugins) in runs {
            let _ = fs::remove_dir_all(place.path(run));
            succeeds(place.run(run, &[&metric, plugins].concat()));
            assert_eq!(
                without_seconds(&place.summary(run)).to_string(),
                without_seconds(&place.summary("compiled")).to_string(),
            );
            for file in [
                "adapter.safetensors",
                "report.safetensors",
                "trajectories.safetensors",
                "value_function.safetensors",
            ] {
                let read = |run: &str| fs::read(place.path(run).join(file)).ok();
                assert!(read(run) == read("compiled"), "{run}: {file}");
            }
        }
    }
}

/// The network that a loaded task pre-trained is the one that a compiled-in task finds in the cache, and the reverse.
#[test]
fn tasks_from_either_side_share_a_cache() {
    let place = Place::new();
    let tabular = library("metricopt_tabular");
    succeeds(place.run("first", &["--plugin", tabular.to_str().unwrap()]));
    let cached = || place.files("cache/tabular");
    let before = cached();
    succeeds(place.run("second", &[]));
    assert_eq!(cached(), before);
    assert!(!before.is_empty());
}

#[test]
fn plugins_are_found_by_name_in_the_documented_order() {
    let place = Place::new();
    let copy = |folder: &str, name: &str| {
        let folder = place.path(folder);
        fs::create_dir_all(&folder).unwrap();
        let file = folder.join(name);
        fs::copy(library("metricopt_misbehaving"), &file).unwrap();
        file.canonicalize().unwrap()
    };
    let name = "libmetricopt_misbehaving.so".replace(".so", std::env::consts::DLL_SUFFIX);
    let option = copy("option", &name);
    let variable = copy("variable", &name);
    let data = copy("data/metricopt/plugins", &name);
    copy(".", &name);

    let origin = |arguments: &[&str], path: &Path| -> Option<String> {
        let mut command = place.host(&[&["list", "--json"][..], arguments].concat());
        command.env("METRICOPT_PLUGIN_PATH", path);
        let listed: Value = serde_json::from_str(&succeeds(command)).unwrap();
        let mut plugins = listed["plugins"].as_array().unwrap().iter();
        let plugin = plugins.find(|plugin| plugin["name"] == "misbehaving")?;
        Some(plugin["origin"].as_str().unwrap().to_owned())
    };
    let found = |arguments: &[&str], path: &Path, expected: &Path| {
        assert_eq!(origin(arguments, path).as_deref(), expected.to_str());
    };
    let named = ["--plugin", "misbehaving"];
    let folder = place.path("option");
    let with_option = [
        "--plugin",
        "misbehaving",
        "--plugin-path",
        folder.to_str().unwrap(),
    ];
    found(&with_option, &place.path("variable"), &option);
    found(&named, &place.path("variable"), &variable);
    found(&named, Path::new(""), &data);
    // `host list` shows what it finds by itself, in the same order.
    found(&[], &place.path("variable"), &variable);

    // The current directory is none of them, neither by the name nor by the file's.
    fs::remove_dir_all(place.path("data")).unwrap();
    for typed in ["misbehaving", name.as_str()] {
        let error = crate::support::fails(place.host(&["list", "--plugin", typed]), 2);
        assert!(
            error.starts_with(&format!("error: unknown plugin `{typed}`")),
            "{error}"
        );
    }
    assert_eq!(origin(&[], Path::new("")), None);
    let here = format!("./{name}");
    assert!(origin(&["--plugin", &here], Path::new("")).is_some());
}

#[test]
fn metrics_of_a_loaded_plugin_can_be_described_and_scored() {
    let place = Place::new();
    let library = library("metricopt_misbehaving");
    let plugin = ["--plugin", library.to_str().unwrap()];
    let described = succeeds(place.host(&[&["describe", "misbehaving"][..], &plugin].concat()));
    assert!(described.contains("Calls before it does."), "{described}");
    assert!(
        described.contains("One of `not`, `constant`"),
        "{described}"
    );
    let mut typo = place.host(
        &[
            &[
                "score",
                "--metric",
                "misbehaving:afer=3",
                "--predictions",
                "x",
            ][..],
            &plugin,
        ]
        .concat(),
    );
    typo.assert().code(2);
    let error = crate::support::fails(typo, 2);
    assert!(error.contains("did you mean `after`?"), "{error}");
}

#[test]
fn a_lock_lets_in_what_it_lists_and_nothing_else() {
    let place = Place::new();
    let file = place.path("libmisbehaving.so");
    fs::copy(library("metricopt_misbehaving"), &file).unwrap();
    let other = library("metricopt_metrics");
    let (path, other) = (file.to_str().unwrap(), other.to_str().unwrap());

    let locked = succeeds(place.host(&["plugin", "lock", "--plugin", path]));
    assert!(
        locked.contains("libmisbehaving.so  (misbehaving 0.1.0)"),
        "{locked}"
    );
    succeeds(place.host(&["list", "--plugin", path]));
    let verified = succeeds(place.host(&["plugin", "verify", "--plugin", path]));
    assert_eq!(verified, format!("as locked  {path}\n"));
    let error = crate::support::fails(place.host(&["list", "--plugin", other]), 2);
    assert!(error.contains("is not listed in `plugins.lock`"), "{error}");
    // What is compiled in needs no lock.
    succeeds(place.run("run", &[]));

    // One byte more, which changes nothing but the sum.
    let mut bytes = fs::read(&file).unwrap();
    bytes.push(0);
    fs::write(&file, bytes).unwrap();
    let error = crate::support::fails(place.host(&["list", "--plugin", path]), 2);
    assert!(
        error.contains("was changed since it was locked") && error.contains("hint: if you trust"),
        "{error}"
    );
    let output = place
        .host(&["plugin", "verify", "--plugin", path])
        .assert()
        .code(1);
    assert!(String::from_utf8_lossy(&output.get_output().stdout).starts_with("REFUSED "));
    succeeds(place.host(&["plugin", "lock", "--plugin", path]));
    succeeds(place.host(&["list", "--plugin", path]));

    place.write("plugins.lock", "version = 9\n");
    let error = crate::support::fails(place.host(&["list"]), 2);
    assert!(
        error.contains("`plugins.lock` has format 9, this host knows 1"),
        "{error}"
    );
    place.write("plugins.lock", "no lock");
    crate::support::fails(place.host(&["list"]), 2);
    let error = crate::support::fails(place.host(&["list", "--plugins-lock", "nowhere.lock"]), 2);
    assert!(error.contains("cannot read `nowhere.lock`"), "{error}");
}

/// Whoever builds a plugin builds it in release mode, with whatever host. Some minutes from nothing, for libtorch's binding.
#[test]
fn slow_release_libraries_give_the_same_bits_too() {
    let place = Place::new();
    // target/PROFILE/host
    let target = host_program().ancestors().nth(2).unwrap();
    let mut cargo = cargo();
    // As `cargo host` builds it, whose libraries these then are.
    cargo.args([
        "build",
        "--quiet",
        "--release",
        "--package",
        "metricopt-host",
    ]);
    cargo.args(["--bin", "host", "--target-dir"]).arg(target);
    assert!(cargo.status().unwrap().success());
    let release = |crate_name: &str| {
        let library = library(crate_name);
        target
            .join("release/deps")
            .join(library.file_name().unwrap())
    };
    let [_, _, metrics, _, tabular] = BUILT_IN.map(|(_, crate_name)| release(crate_name));
    succeeds(place.run("compiled", &[]));
    let plugins = [
        "--plugin",
        tabular.to_str().unwrap(),
        "--plugin",
        metrics.to_str().unwrap(),
    ];
    succeeds(place.run("release", &plugins));
    assert_eq!(
        without_seconds(&place.summary("release")).to_string(),
        without_seconds(&place.summary("compiled")).to_string(),
    );
}
