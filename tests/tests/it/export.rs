//! `host export --fold`: the tuned network as a file of weights.

use crate::support::{Place, Way, fails, set, succeeds, table};
use metricopt_host::run::read_adapter;
use metricopt_sdk::tch::{Device, Tensor};
use metricopt_sdk::{Call, Context, Make, Result, Rows, Split};
use serde_json::{Value, json};
use std::fs;

const CALL: Call<'static> = Call {
    threads: 1,
    cancelled: &|| false,
};

/// A run that keeps its adapter, however small the gain.
const ACCEPTS: [&str; 2] = ["finetune.accept_t=-100", "finetune.steps=30"];

fn export(place: &Place, arguments: &[&str]) -> assert_cmd::Command {
    place.host(
        &[
            &["export", "run", "--fold", "--device", "cpu"][..],
            arguments,
        ]
        .concat(),
    )
}

#[test]
fn a_run_is_exported_again_and_again_to_the_same_bytes() {
    let place = Place::new();
    succeeds(place.run("run", &set(&ACCEPTS)));
    let before = place.files("run");
    let printed = succeeds(export(&place, &[]));
    assert!(
        printed.starts_with("run/folded.safetensors: 6 tensors, 121 values; test f1 0."),
        "{printed}"
    );
    assert!(printed.contains("load_file(\"run/folded.safetensors\")"));
    assert_eq!(
        place.tensors("run", "folded.safetensors").shapes(),
        [
            "0.bias F32 [8]",
            "0.weight F32 [8, 4]",
            "2.bias F32 [8]",
            "2.weight F32 [8, 8]",
            "4.bias F32 [1]",
            "4.weight F32 [1, 8]"
        ]
    );
    let printed = succeeds(export(&place, &["--out", "again.safetensors", "--json"]));
    let printed: Value = serde_json::from_str(&printed).unwrap();
    let summary = place.summary("run");
    let metricopt = summary["methods"].as_array().unwrap().last().unwrap();
    assert_eq!(printed["test"], metricopt["test"]);
    assert_eq!(printed["file"], "again.safetensors");
    assert_eq!(printed["seed"], 0);
    assert_eq!(printed["accepted"], true);
    assert_eq!(
        printed["tensors"][0],
        json!({ "name": "0.weight", "shape": [8, 4] })
    );
    assert_eq!(
        fs::read(place.path("again.safetensors")).unwrap(),
        fs::read(place.path("run/folded.safetensors")).unwrap()
    );
    // Nothing else of the run has changed, and it is still one.
    let mut after = place.files("run");
    after.retain(|name| name != "folded.safetensors");
    assert_eq!(before, after);
    succeeds(place.host(&["report", "run"]));
}

/// The plugin of the run is a file, and its path has a blank in it.
#[test]
fn a_loaded_task_that_offers_no_folding_says_so() {
    let place = Place::new();
    let library = place.path("a folder/libmisbehaving.so");
    fs::create_dir(place.path("a folder")).unwrap();
    fs::copy(crate::support::library("metricopt_misbehaving"), &library).unwrap();
    let loaded = [
        "run",
        "--plugin",
        "./a folder/libmisbehaving.so",
        "--task",
        "misbehaving-task",
        "--device",
        "cpu",
        "--out",
        "run",
        "--set",
        "trajectories.count=4",
        "--set",
        "trajectories.steps=10",
        "--set",
        "trajectories.observe_every=5",
        "--set",
        "finetune.steps=5",
        "--set",
        "observation.folds=2",
        "--set",
        "finetune.accept_folds=3",
        "--set",
        "value_function.folds=2",
        "--set",
        "meta_training.iterations=5",
    ];
    succeeds(place.host(&loaded));
    let error = fails(export(&place, &[]), 1);
    let start = format!(
        "error: {}: does not offer to fold its adapter into the weights\n hint: ",
        Way::Loaded.label("task `misbehaving-task`")
    );
    assert!(error.starts_with(&start), "{error}");
    assert!(!place.path("run/folded.safetensors").exists());
    // Moved away, it has to be named.
    fs::rename(&library, place.path("moved.so")).unwrap();
    let error = fails(export(&place, &[]), 2);
    assert!(error.contains("a folder/libmisbehaving.so"), "{error}");
    let error = fails(export(&place, &["--plugin", "./moved.so"]), 1);
    assert!(error.starts_with(&start), "{error}");
}

#[test]
fn what_cannot_be_exported_says_why_and_writes_nothing() {
    let place = Place::new();
    succeeds(place.run("run", &set(&ACCEPTS)));
    let refused = |code: i32, expected: &str| {
        let error = fails(export(&place, &[]), code);
        assert!(error.contains(expected), "no `{expected}` in {error}");
        assert!(error.contains("\n hint: "), "{error}");
        assert!(!place.path("run/folded.safetensors").exists());
    };
    let error = fails(place.host(&["export", "run"]), 2);
    assert!(error.contains("`--fold`") && error.contains("run/adapter.safetensors"));

    // Each file in turn damaged, and restored.
    let damage = |name: &str, contents: Option<&[u8]>, code: i32, expected: &str| {
        let path = place.path("run").join(name);
        let whole = fs::read(&path).ok();
        match contents {
            Some(contents) => fs::write(&path, contents).unwrap(),
            None => fs::remove_file(&path).unwrap(),
        }
        refused(code, expected);
        match whole {
            Some(whole) => fs::write(&path, whole).unwrap(),
            None => fs::remove_file(&path).unwrap(),
        }
    };
    let adapter = fs::read(place.path("run/adapter.safetensors")).unwrap();
    damage(
        "adapter.safetensors",
        None,
        1,
        "cannot use `run/adapter.safetensors`",
    );
    damage(
        "adapter.safetensors",
        Some(&adapter[..adapter.len() - 1]),
        1,
        "cannot use",
    );
    let mut broken = adapter.clone();
    let end = broken.len();
    broken[end - 4..].copy_from_slice(&f32::NAN.to_le_bytes());
    damage("adapter.safetensors", Some(&broken), 1, "holds NaN");
    broken[end - 4..].copy_from_slice(&9.0_f32.to_le_bytes());
    damage(
        "adapter.safetensors",
        Some(&broken),
        1,
        "the task is not what it was",
    );
    damage("summary.json", None, 1, "no `summary.json` in `run`");
    damage("config.toml", None, 1, "cannot use `run/config.toml`");
    damage(
        "config.toml",
        Some(b"[task]\n"),
        1,
        "does not begin with the command of a run",
    );
    damage(
        "config.toml",
        Some(b"# host run --plugin tabular\n"),
        1,
        "required arguments",
    );
    damage(
        "checkpoint.bin",
        Some(b"begun"),
        1,
        "did not come to its end",
    );
    damage("comparison.json", Some(b"{}"), 1, "holds a comparison");

    // Another network than that of the run: its adapter does not fit.
    let config = fs::read_to_string(place.path("run/config.toml")).unwrap();
    let wider = config.replace("hidden = [8, 8]", "hidden = [8, 9]");
    assert_ne!(config, wider);
    damage(
        "config.toml",
        Some(wider.as_bytes()),
        1,
        "`hidden2.scale` is F32 [8], expected F32 [9]",
    );
    // Other data: the adapter fits, but the network is not the one that it was tuned for.
    let whole = fs::read(place.path("table.csv")).unwrap();
    place.write("table.csv", table(500));
    refused(1, "the task is not what it was");
    place.write("table.csv", whole);
    succeeds(export(&place, &[]));
    let error = fails(place.host(&["export", "nowhere", "--fold"]), 1);
    assert!(error.contains("`nowhere`"), "{error}");
}

#[test]
fn a_run_that_kept_the_pretrained_network_exports_that() {
    let place = Place::new();
    succeeds(place.run("run", &["--set", "finetune.accept_t=1000"]));
    let output = export(&place, &[]).assert().success().get_output().clone();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(
        said.contains("the run kept the pre-trained network"),
        "{said}"
    );
    // The file that the network was cached in holds the same numbers, there by input.
    let cached = place.files("cache/tabular").remove(0);
    let cached = place.tensors("cache/tabular", &cached).f32("layer0.matrix");
    let folded = place.tensors("run", "folded.safetensors").f32("0.weight");
    for output in 0..8 {
        for input in 0..4 {
            assert_eq!(folded[4 * output + input], cached[8 * input + output]);
        }
    }
}

/// Loads the file as `host export` says and prints label and score of every row of a table.
const LOADER: &str = "\
import csv, json, sys, torch
from safetensors.torch import load_file
from safetensors import safe_open
linear, relu = torch.nn.Linear, torch.nn.ReLU
model = torch.nn.Sequential(linear(4, 8), relu(), linear(8, 8), relu(), linear(8, 1))
model.load_state_dict(load_file(sys.argv[1]))
rows = list(csv.DictReader(open(sys.argv[2])))
x = torch.tensor([[float(row[name]) for name in 'abcd'] for row in rows])
with torch.no_grad():
    scores = model(x).squeeze(1).sigmoid().tolist()
with safe_open(sys.argv[1], 'pt') as file:
    print(json.dumps([[[int(row['label']), score] for row, score in zip(rows, scores)], file.metadata()]))
";

/// The configuration of the task from that of a run, whose keys are dotted.
fn task_config(run: &Value) -> Value {
    let mut config = json!({});
    for (key, entry) in run.as_object().unwrap() {
        if let Some(key) = key.strip_prefix("task.") {
            let mut place = &mut config;
            for part in key.split('.') {
                place = &mut place[part];
            }
            *place = entry["value"].clone();
        }
    }
    config
}

/// Labels, and scores of a run's adapter, on the test split by the task itself.
fn predictions_of_the_task(place: &Place, config: &Value) -> Result<Vec<(i64, f32)>> {
    let entry = metricopt_sdk::registrations()
        .into_iter()
        .find_map(|registration| match registration.make {
            Make::Task(make) if registration.plugin() == "tabular" => Some(make()),
            _ => None,
        })
        .unwrap();
    let cache = place.path("cache");
    let context = Context {
        device: Device::Cpu,
        seed: 0,
        cache: Some(&cache),
        progress: &|_, _, _| (),
        call: CALL,
    };
    let task = entry.open(config, &context)?;
    let sites = task.describe().sites;
    let phi = read_adapter(&place.path("run/adapter.safetensors"), &sites)?;
    assert!(phi.iter().any(|d| d.abs() > 1e-3), "nothing was tuned");
    let mut predictions: Vec<(i64, f32)> = Vec::new();
    task.predict(
        &Tensor::from_slice(&phi).unsqueeze(0),
        &Rows::all(Split::Test),
        &CALL,
        &mut |_, views| {
            let labels = views[0].get("labels")?.i64()?.iter().copied();
            let scores = views[0].get("scores")?.f32()?.iter().copied();
            predictions.extend(labels.zip(scores));
            Ok(())
        },
    )?;
    Ok(predictions)
}

#[test]
fn slow_plain_pytorch_predicts_the_same_with_the_file() {
    let Some(mut python) = metricopt_python::python_with_torch(&["numpy", "safetensors"]) else {
        return;
    };
    let place = Place::new();
    place.write("test.csv", table(300));
    let own_test = ["task.test_path=test.csv", "task.standardise=false"];
    succeeds(place.run("run", &set(&[&ACCEPTS[..], &own_test].concat())));
    succeeds(export(&place, &[]));
    let output = python
        .args(["-c", LOADER])
        .arg(place.path("run/folded.safetensors"))
        .arg(place.path("test.csv"))
        .output()
        .unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    let (mut found, metadata): (Vec<(i64, f32)>, Value) =
        serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(metadata["format"], "pt");
    let provenance: Value = serde_json::from_str(metadata["metricopt"].as_str().unwrap()).unwrap();
    assert_eq!(provenance["task"], "tabular");

    let mut arguments = set(&own_test);
    arguments.extend(["--dry-run", "--json"]);
    let resolved = succeeds(place.run("unused", &arguments));
    let resolved: Value = serde_json::from_str(&resolved).unwrap();
    let mut config = task_config(&resolved["config"]);
    for path in ["path", "test_path"] {
        let name = config[path].as_str().unwrap().to_owned();
        config[path] = json!(place.path(&name));
    }
    let mut expected = predictions_of_the_task(&place, &config).unwrap();
    assert_eq!(found.len(), expected.len());
    // The task has put its rows in random order.
    for predictions in [&mut found, &mut expected] {
        predictions.sort_by(|a, b| a.0.cmp(&b.0).then_with(|| a.1.total_cmp(&b.1)));
    }
    for (found, expected) in found.iter().zip(&expected) {
        assert_eq!(found.0, expected.0);
        assert!(
            (found.1 - expected.1).abs() < 1e-5,
            "{found:?} {expected:?}"
        );
    }
}
