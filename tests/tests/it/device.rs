//! A GPU that was asked for and is not there.

use crate::classification::{DIGITS, ENGINE};
use crate::support::{Place, set, succeeds};
use crate::{detection, retrieval};
use std::fs;
use std::path::Path;

/// Most that a value may differ between devices: rounding moves a score past another one, or a decision to the other side.
const TOLERANCE: f64 = 0.02;

/// Whether there is a GPU; says so if not.
#[expect(clippy::print_stderr, reason = "a test that is skipped says so")]
fn has_gpu() -> bool {
    let has = Path::new("/dev/nvidiactl").exists();
    if !has {
        eprintln!("SKIPPED: there is no GPU");
    }
    has
}

/// The plugins for images with settings that are quick.
fn quick_images() -> [(&'static str, Vec<&'static str>); 3] {
    [
        ("classification", [&ENGINE[..], &DIGITS[..]].concat()),
        ("retrieval", retrieval::QUICK.to_vec()),
        ("detection", detection::QUICK.to_vec()),
    ]
}

fn run_images(place: &Place, plugin: &str, settings: &[&str], more: &[&str]) {
    let mut arguments = vec!["run", "--plugin", plugin];
    arguments.extend(set(settings));
    arguments.extend(more);
    succeeds(place.host(&arguments));
}

#[test]
#[expect(clippy::print_stderr, reason = "a test that is skipped says so")]
fn without_a_gpu_one_line_says_so_and_the_run_goes_on() {
    if Path::new("/dev/nvidiactl").exists() {
        eprintln!("SKIPPED: there is a GPU");
        return;
    }
    let place = Place::new();
    let mut run = place.run_on("cuda", "run");
    let output = run.assert().success().get_output().clone();
    let said = String::from_utf8(output.stderr).unwrap();
    let lines: Vec<&str> = said.lines().filter(|line| line.contains("CUDA")).collect();
    assert_eq!(lines.len(), 1, "{said}");
    assert!(
        lines[0].starts_with("no CUDA (") && lines[0].ends_with("): using the CPU"),
        "{said}"
    );
    assert!(place.summary("run")["methods"].is_array());
}

/// Also where there is a GPU, nothing else than the device may change what a run consists of.
#[test]
fn a_run_on_a_gpu_has_every_row_of_the_table() {
    if !has_gpu() {
        return;
    }
    let place = Place::new();
    place.run_on("cpu", "cpu").assert().success();
    place.run_on("cuda", "cuda").assert().success();
    let names = |run: &str| -> Vec<String> {
        let summary = place.summary(run);
        let methods = summary["methods"].as_array().unwrap();
        methods
            .iter()
            .map(|method| method["name"].to_string())
            .collect()
    };
    assert_eq!(names("cuda"), names("cpu"));
}

/// Weights of one run on the CPU, as `export --fold` writes them, in a run on each device.
#[test]
fn a_network_of_given_weights_is_worth_the_same_on_a_gpu() {
    if !has_gpu() {
        return;
    }
    for (plugin, settings) in quick_images() {
        let place = Place::new();
        let run = |device: &str, out: &str, more: &[&str]| {
            run_images(
                &place,
                plugin,
                &settings,
                &[&["--device", device, "--out", out], more].concat(),
            );
        };
        run("cpu", "first", &[]);
        succeeds(place.host(&["export", "first", "--fold"]));
        let weights = ["--set", "task.weights=first/folded.safetensors"];
        let [on_cpu, on_gpu] = ["cpu", "cuda"].map(|device| {
            run(device, device, &weights);
            let pretrained = place.summary(device)["methods"][0].clone();
            assert_eq!(pretrained["name"], "pretrained");
            ["validation", "test"].map(|split| pretrained[split].as_f64().unwrap())
        });
        for (cpu, gpu) in on_cpu.iter().zip(on_gpu) {
            assert!((cpu - gpu).abs() <= TOLERANCE, "{plugin}: {cpu} {gpu}");
        }
    }
}

/// What a run leaves behind that its seed decides.
const RESULTS: [&str; 2] = ["adapter.safetensors", "trajectories.safetensors"];

#[test]
fn on_the_cpu_a_deterministic_run_is_like_any_other() {
    let place = Place::new();
    place.run_on("cpu", "usual").assert().success();
    let mut run = place.run_on("cpu", "strict");
    run.arg("--deterministic").assert().success();
    for file in RESULTS {
        let [usual, strict] = ["usual", "strict"].map(|run| place.path(run).join(file));
        assert_eq!(
            fs::read(usual).unwrap(),
            fs::read(strict).unwrap(),
            "{file}"
        );
    }
}

#[test]
fn on_a_gpu_a_deterministic_run_repeats_its_bits() {
    if !has_gpu() {
        return;
    }
    for (plugin, settings) in quick_images() {
        let place = Place::new();
        let [first, second] = ["first", "second"].map(|out| {
            let strict = ["--device", "cuda", "--deterministic", "--out", out];
            run_images(&place, plugin, &settings, &strict);
            RESULTS.map(|file| fs::read(place.path(out).join(file)).unwrap())
        });
        assert!(first == second, "{plugin}");
    }
}
