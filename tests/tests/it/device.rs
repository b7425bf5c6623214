//! A GPU that was asked for and is not there.

use crate::support::Place;
use std::path::Path;

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
#[expect(clippy::print_stderr, reason = "a test that is skipped says so")]
fn a_run_on_a_gpu_has_every_row_of_the_table() {
    if !Path::new("/dev/nvidiactl").exists() {
        eprintln!("SKIPPED: there is no GPU");
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
