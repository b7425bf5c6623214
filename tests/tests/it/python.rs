//! Python packages to check files with that Python programs read.

use std::path::{Path, PathBuf};
use std::process::Command;

/// Wheels of PyTorch without CUDA: a tenth of the size.
const TORCH_INDEX: &str = "https://download.pytorch.org/whl/cpu";

/// The Python of a virtual environment with the given packages, made in the target folder and kept there; none, with a
/// message, where it cannot be made.
pub(crate) fn python_with(packages: &[&str]) -> Option<PathBuf> {
    environment(&packages.join("-"), &[packages])
}

/// As [`python_with`], with PyTorch.
pub(crate) fn python_with_torch(packages: &[&str]) -> Option<PathBuf> {
    let torch = ["torch", "--index-url", TORCH_INDEX];
    environment(
        &format!("torch-{}", packages.join("-")),
        &[&torch, packages],
    )
}

/// An environment made by several calls of `pip install`.
fn environment(name: &str, installs: &[&[&str]]) -> Option<PathBuf> {
    // The folder of the test's own build: `target/debug/deps/it-...` lies three below.
    let tests = std::env::current_exe().unwrap();
    let target = tests.ancestors().nth(3).unwrap();
    let environment = target.join("python").join(name);
    let python = environment.join("bin/python");
    let ready = environment.join("ready");
    if ready.exists() {
        return Some(python);
    }
    let install = |packages: &&[&str]| {
        succeeds(
            Command::new(&python)
                .args(["-m", "pip", "install", "--quiet"])
                .args(*packages),
        )
    };
    let made = succeeds(
        Command::new("python3")
            .args(["-m", "venv"])
            .arg(&environment),
    ) && installs.iter().all(install)
        && std::fs::write(&ready, "").is_ok();
    if !made {
        skipped(&environment, name);
    }
    made.then_some(python)
}

fn succeeds(command: &mut Command) -> bool {
    command.status().is_ok_and(|status| status.success())
}

#[expect(clippy::print_stderr, reason = "a test that is skipped says so")]
fn skipped(environment: &Path, name: &str) {
    eprintln!(
        "SKIPPED: cannot install {name} in {}",
        environment.display()
    );
}
