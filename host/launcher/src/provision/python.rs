//! The Python environments of this machine: which of them has torch already, which can make a virtual environment.

use std::env;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::LIBTORCH_VERSION;
use super::libtorch::{Flaw, Libtorch, library_name};
use crate::compiler::find_program;
use crate::error::{Error, Result};
use crate::say;

/// The minor versions of Python 3 for which there is a wheel of torch 2.11.0.
const SUPPORTED_MINORS: std::ops::RangeInclusive<u32> = 10..=14;

/// Importing torch would take seconds; where it lies is known without. The current directory does not count: it may hold
/// a directory that happens to be called `torch`.
const FIND_TORCH: &str = "
import importlib.util, os, sys
sys.path = [entry for entry in sys.path if entry]
spec = importlib.util.find_spec('torch')
print(os.path.dirname(spec.origin) if spec and spec.origin else '')
";

const DESCRIBE: &str = "
import importlib.util, sys
missing = [name for name in ('venv', 'ensurepip') if importlib.util.find_spec(name) is None]
print(sys.implementation.name, sys.version_info[0], sys.version_info[1], *missing)
";

const LOAD: &str = "import ctypes, sys; ctypes.CDLL(sys.argv[1])";

/// Looks for a torch of the right version in the active environments, then in `python3`.
pub(crate) fn find_torch() -> Option<Libtorch> {
    let active = ["VIRTUAL_ENV", "CONDA_PREFIX"]
        .into_iter()
        .filter_map(|variable| Some(PathBuf::from(env::var_os(variable)?).join("bin/python")));
    let mut tried: Vec<PathBuf> = Vec::new();
    for python in active.chain(find_program("python3")) {
        let Some(directory) =
            torch_directory(&python).filter(|directory| !tried.contains(directory))
        else {
            continue;
        };
        match Libtorch::inspect(&directory) {
            Ok(libtorch) => match check_loads(&python, &libtorch) {
                Ok(()) => return Some(libtorch),
                Err(reason) => say::note(format_args!(
                    "not using `{}`: {reason}",
                    directory.display()
                )),
            },
            Err(flaw @ Flaw::WrongVersion(_)) => {
                say::note(format_args!("not using `{}`: {flaw}", directory.display()));
            }
            // A remainder of something: nothing to tell.
            Err(_) => {}
        }
        tried.push(directory);
    }
    None
}

fn torch_directory(python: &Path) -> Option<PathBuf> {
    let answer = ask(python, FIND_TORCH, &[])?;
    Some(PathBuf::from(answer)).filter(|directory| directory.is_absolute())
}

/// Whether libtorch and all that it needs can be loaded: says more than any list of files. The error is the loader's.
pub(crate) fn check_loads(python: &Path, libtorch: &Libtorch) -> Result<(), String> {
    let library = libtorch
        .directory
        .join("lib")
        .join(library_name("torch_cpu"));
    let output = command(python)
        .args([OsStr::new("-c"), OsStr::new(LOAD), library.as_os_str()])
        .output()
        .map_err(|error| error.to_string())?;
    if output.status.success() {
        return Ok(());
    }
    let message = String::from_utf8_lossy(&output.stderr);
    Err(match message.trim().lines().last() {
        Some(last_line) => last_line.to_owned(),
        None => format!(
            "loading `{}` ended with {}",
            library.display(),
            output.status
        ),
    })
}

/// A Python that can make a virtual environment for which there is a wheel.
pub(crate) fn for_installation() -> Result<PathBuf> {
    let versioned = SUPPORTED_MINORS
        .rev()
        .map(|minor| format!("python3.{minor}"));
    let mut first_complaint = None;
    for name in ["python3".to_owned()].into_iter().chain(versioned) {
        let Some(python) = find_program(&name) else {
            continue;
        };
        match ask(&python, DESCRIBE, &[]).as_deref().map(unfit) {
            Some(None) => return Ok(python),
            Some(Some(complaint)) => _ = first_complaint.get_or_insert(complaint.about(&python)),
            // A leftover of a version manager, or not a Python at all.
            None => {}
        }
    }
    Err(first_complaint.unwrap_or_else(|| {
        Error::new(
            format!("no working `python3` in `PATH`: it is needed once, to install libtorch {LIBTORCH_VERSION}"),
            format!(
                "install Python 3.{} to 3.{} (Debian, Ubuntu: `apt install python3 python3-venv`), or set `LIBTORCH` to an \
                 existing libtorch {LIBTORCH_VERSION}",
                SUPPORTED_MINORS.start(),
                SUPPORTED_MINORS.end()
            ),
        )
    }))
}

/// Why a Python is of no use for the installation.
#[derive(Debug, PartialEq, Eq)]
enum Complaint {
    Version(String),
    Modules { minor: u32, missing: String },
}

/// Judges the answer to [`DESCRIBE`].
fn unfit(description: &str) -> Option<Complaint> {
    let mut words = description.split(' ');
    let implementation = words.next().unwrap_or_default();
    let mut number = || {
        words
            .next()
            .and_then(|word| word.parse::<u32>().ok())
            .unwrap_or_default()
    };
    let (major, minor) = (number(), number());
    if implementation != "cpython" || major != 3 || !SUPPORTED_MINORS.contains(&minor) {
        let name = if implementation == "cpython" {
            "Python"
        } else {
            implementation
        };
        return Some(Complaint::Version(format!("{name} {major}.{minor}")));
    }
    let missing = words
        .map(|module| format!("`{module}`"))
        .collect::<Vec<_>>()
        .join(" and ");
    (!missing.is_empty()).then_some(Complaint::Modules { minor, missing })
}

impl Complaint {
    fn about(&self, python: &Path) -> Error {
        let python = python.display();
        match self {
            Self::Version(version) => Error::new(
                format!(
                    "`{python}` is {version}, for which there is no package of libtorch {LIBTORCH_VERSION}"
                ),
                format!(
                    "install CPython 3.{} to 3.{}, or set `LIBTORCH` to an existing libtorch {LIBTORCH_VERSION}",
                    SUPPORTED_MINORS.start(),
                    SUPPORTED_MINORS.end()
                ),
            ),
            Self::Modules { minor, missing } => Error::new(
                format!(
                    "`{python}` cannot make a virtual environment for libtorch {LIBTORCH_VERSION}: it lacks {missing}"
                ),
                format!(
                    "install what is missing (Debian, Ubuntu: `apt install python3.{minor}-venv`), or set `LIBTORCH` to an \
                     existing libtorch {LIBTORCH_VERSION}"
                ),
            ),
        }
    }
}

/// A Python started for us: it must not wait for input, and it must not leave its byte code in other people's directories.
fn command(python: &Path) -> Command {
    let mut command = Command::new(python);
    command.stdin(Stdio::null()).arg("-B");
    command
}

/// The last line that `script` prints; `None` if Python or the script failed.
pub(crate) fn ask(python: &Path, script: &str, options: &[&str]) -> Option<String> {
    let output = command(python)
        .args(options)
        .args(["-c", script])
        .stderr(Stdio::null())
        .output()
        .ok()
        .filter(|output| output.status.success())?;
    let text = String::from_utf8(output.stdout).ok()?;
    Some(text.lines().last().unwrap_or_default().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pythons_are_judged() {
        assert_eq!(unfit("cpython 3 10"), None);
        assert_eq!(unfit("cpython 3 14"), None);
        assert_eq!(
            unfit("cpython 3 9"),
            Some(Complaint::Version("Python 3.9".into()))
        );
        assert_eq!(
            unfit("pypy 3 11"),
            Some(Complaint::Version("pypy 3.11".into()))
        );
        assert_eq!(
            unfit("cpython 3 11 venv ensurepip"),
            Some(Complaint::Modules {
                minor: 11,
                missing: "`venv` and `ensurepip`".into()
            })
        );
        assert!(unfit("").is_some());
    }
}
