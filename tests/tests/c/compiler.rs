//! Runs the compilers of this machine, without any mercy for warnings.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;

/// A language that `metricopt.h` is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Language {
    C,
    Cpp,
}

/// A file of the checkout.
pub(crate) fn checkout(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path)
}

/// A folder for what is compiled.
pub(crate) fn folder() -> TempDir {
    tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap()
}

/// Compiles a source text as far as is needed to find every error in it.
#[track_caller]
pub(crate) fn check(language: Language, source: &str) {
    let folder = folder();
    let path = folder.path().join("source");
    fs::write(&path, source).unwrap();
    compile(language, &path, &["-fsyntax-only"]);
}

/// Compiles a C file into a library.
#[track_caller]
pub(crate) fn library(source: &Path, library: &Path) {
    let output = library.to_str().unwrap();
    compile(
        Language::C,
        source,
        &["-O2", "-ffp-contract=off", "-shared", "-fPIC", "-o", output],
    );
}

#[track_caller]
fn compile(language: Language, source: &Path, arguments: &[&str]) {
    let (variable, default, name, standard) = match language {
        Language::C => ("CC", "cc", "c", "-std=c11"),
        Language::Cpp => ("CXX", "c++", "c++", "-std=c++17"),
    };
    // As for `make`, it may hold arguments.
    let program = std::env::var(variable).unwrap_or_default();
    let mut words = program.split_whitespace();
    let output = Command::new(words.next().unwrap_or(default))
        .args(words)
        .args(["-Wall", "-Wextra", "-Werror", "-pedantic", standard])
        .arg("-I")
        .arg(checkout("sdk/include"))
        .args(["-x", name])
        .arg(source)
        .args(arguments)
        .output()
        .unwrap_or_else(|error| {
            panic!("the tests need a compiler, `{default}` or ${variable}: {error}")
        });
    assert!(
        output.status.success(),
        "{language:?}: {}\n{}",
        source.display(),
        String::from_utf8_lossy(&output.stderr)
    );
}
