//! Python packages to check files with that Python programs read.

use std::path::{Path, PathBuf};
use std::process::Command;

/// The Python of a virtual environment with the given packages, made in the target folder and kept there; none, with a
/// message, where it cannot be made.
pub(crate) fn python_with(packages: &[&str]) -> Option<PathBuf> {
    // The folder of the test's own build: `target/debug/deps/it-...` lies three below.
    let tests = std::env::current_exe().unwrap();
    let target = tests.ancestors().nth(3).unwrap();
    let environment = target.join("python").join(packages.join("-"));
    let python = environment.join("bin/python");
    let ready = environment.join("ready");
    if ready.exists() {
        return Some(python);
    }
    let install = ["-m", "pip", "install", "--quiet"];
    let made = succeeds(
        Command::new("python3")
            .args(["-m", "venv"])
            .arg(&environment),
    ) && succeeds(Command::new(&python).args(install).args(packages))
        && std::fs::write(&ready, "").is_ok();
    if !made {
        skipped(&environment, packages);
    }
    made.then_some(python)
}

fn succeeds(command: &mut Command) -> bool {
    command.status().is_ok_and(|status| status.success())
}

#[expect(clippy::print_stderr, reason = "a test that is skipped says so")]
fn skipped(environment: &Path, packages: &[&str]) {
    eprintln!(
        "SKIPPED: cannot install {} in {}",
        packages.join(" and "),
        environment.display()
    );
}
