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

/// As [`python_with`], with PyTorch: that of the libtorch which the tests are linked with where it came with one, else one
/// of its own.
pub(crate) fn python_with_torch(packages: &[&str]) -> Option<Command> {
    let beside = std::env::var_os("LIBTORCH").map(PathBuf::from);
    let beside = beside.filter(|torch| torch.join("__init__.py").is_file());
    // What a wheel without its dependencies lacks in order to be imported.
    let missing = match beside {
        Some(_) => "typing_extensions",
        None => "torch",
    };
    let mut command = Command::new(python_with(&[packages, &[missing]].concat())?);
    if let Some(folder) = beside.as_deref().and_then(Path::parent) {
        command.env("PYTHONPATH", folder);
    }
    Some(command)
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
