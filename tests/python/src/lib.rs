//! Python environments for tests that compare with what Python programs compute and read.
//!
//! They are made in the target folder and kept there. Where one cannot be made a test is left out, with a message.

mod stand_ins;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;

/// What PyTorch needs of Python, and a minimal installation of it lacks.
const TORCH_NEEDS: [&str; 8] = [
    "typing_extensions",
    "sympy",
    "mpmath",
    "networkx",
    "jinja2",
    "markupsafe",
    "fsspec",
    "filelock",
];

/// A Python interpreter with packages from the Python Package Index and what they need; none, with a message, where that
/// cannot be had.
pub fn python(packages: &[&str]) -> Option<Command> {
    plain(&place("", packages), &[], packages)
}

/// As [`python`], without what the packages need.
pub fn python_alone(packages: &[&str]) -> Option<Command> {
    plain(&place("alone-", packages), &["--no-deps"], packages)
}

fn plain(environment: &Path, options: &[&str], packages: &[&str]) -> Option<Command> {
    once(environment, packages, || {
        make(environment)?;
        install(&mut interpreter(environment), options, packages)
    })?;
    Some(interpreter(environment))
}

/// As [`python`], with the PyTorch that this build is linked to, also where that is a minimal installation without the
/// libraries of CUDA. What the packages need is to be named with them.
pub fn python_with_torch(packages: &[&str]) -> Option<Command> {
    with_torch(
        &place("torch-", packages),
        &[packages, &TORCH_NEEDS].concat(),
    )
}

/// As [`python_with_torch`], with everything that a file of requirements names, and nothing else.
pub fn python_with_torch_and(requirements: &Path) -> Option<Command> {
    let text = std::fs::read(requirements).ok()?;
    // Another file is another environment (FNV-1a).
    let hash = text.iter().fold(0xcbf2_9ce4_8422_2325, |hash: u64, &byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    let environment = place("torch-", &[&format!("{hash:016x}")]);
    with_torch(&environment, &["--requirement", requirements.to_str()?])
}

/// An environment with PyTorch; `packages` are arguments of `pip install`.
fn with_torch(environment: &Path, packages: &[&str]) -> Option<Command> {
    let stand_ins = environment.join("stand-ins");
    let command = || {
        let mut command = interpreter(environment);
        if stand_ins.exists() {
            command.env("LD_LIBRARY_PATH", &stand_ins);
            command.env("LD_PRELOAD", stand_ins.join(stand_ins::FUNCTIONS));
        }
        command
    };
    once(environment, packages, || {
        let torch = PathBuf::from(option_env!("LIBTORCH")?);
        // A libtorch without Python cannot be imported.
        std::fs::metadata(torch.join("__init__.py")).ok()?;
        make(environment)?;
        // PyTorch is used where it is.
        let versions = std::fs::read_dir(environment.join("lib")).ok()?;
        let site = versions.flatten().next()?.path().join("site-packages");
        let others = torch.parent()?.display().to_string();
        std::fs::write(site.join("torch.pth"), others).ok()?;
        install(&mut command(), &["--no-deps"], packages)?;
        let import = ["-c", "import torch"];
        if succeeds(command().args(import)).is_none() {
            stand_ins::make(&torch.join("lib"), &stand_ins)?;
            succeeds(command().args(import))?;
        }
        Some(())
    })?;
    Some(command())
}

/// The folder of an environment. A test's own build, `target/debug/deps/it-...`, lies three below the target folder.
fn place(prefix: &str, packages: &[&str]) -> PathBuf {
    let test = std::env::current_exe().unwrap_or_default();
    let target = test.ancestors().nth(3).unwrap_or(Path::new("target"));
    target
        .join("python")
        .join(format!("{prefix}{}", packages.join("-")))
}

/// Makes an environment unless it is there; tests of one program make one at a time.
fn once(environment: &Path, packages: &[&str], make: impl FnOnce() -> Option<()>) -> Option<()> {
    static MAKING: Mutex<()> = Mutex::new(());
    let _making = MAKING.lock();
    let ready = environment.join("ready");
    if ready.exists() {
        return Some(());
    }
    let made = make().and_then(|()| std::fs::write(&ready, "").ok());
    if made.is_none() {
        skipped(environment, packages);
    }
    made
}

fn make(environment: &Path) -> Option<()> {
    let venv = ["-m", "venv", "--clear"];
    succeeds(Command::new("python3").args(venv).arg(environment))
}

fn install(python: &mut Command, options: &[&str], packages: &[&str]) -> Option<()> {
    let install = ["-m", "pip", "install", "--quiet"];
    succeeds(python.args(install).args(options).args(packages))
}

fn interpreter(environment: &Path) -> Command {
    let mut command = Command::new(environment.join("bin/python"));
    command.args(["-W", "ignore"]);
    command
}

pub(crate) fn succeeds(command: &mut Command) -> Option<()> {
    let output = command.output().ok()?;
    output.status.success().then_some(())
}

#[expect(clippy::print_stderr, reason = "a test that is skipped says so")]
fn skipped(environment: &Path, packages: &[&str]) {
    eprintln!(
        "SKIPPED: cannot make a Python with {} in {}",
        packages.join(" "),
        environment.display()
    );
}
