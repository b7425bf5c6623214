//! The Cargo inside Cargo: nested commands, in an environment in which they do what the same command in a shell does.

use std::env;
use std::ffi::{OsStr, OsString};
use std::io::{self, IsTerminal};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};

use crate::build_output;
use crate::error::{Error, Result};
use crate::provision::cargo_config::{CONFIGURED_LIBTORCH_VARIABLE, link_flags};
use crate::workspace::Workspace;

/// Cargo's separator in `CARGO_ENCODED_RUSTFLAGS`, where flags may contain spaces.
const FLAG_SEPARATOR: &str = "\u{1f}";

/// Set for this program by the outer Cargo. The inner one must not inherit them: a build script that watches one of
/// these would run again at every change between `cargo host` and a plain `cargo build`.
const OUTER_CARGO_VARIABLES: [&str; 5] = [
    "CARGO_BIN_NAME",
    "CARGO_CRATE_NAME",
    "CARGO_MANIFEST_DIR",
    "CARGO_MANIFEST_PATH",
    "CARGO_PRIMARY_PACKAGE",
];

/// `.libtorch/cargo.toml` alone says which libtorch is built against, the one that was checked.
const LIBTORCH_VARIABLES: [&str; 5] = [
    "LIBTORCH",
    "LIBTORCH_INCLUDE",
    "LIBTORCH_LIB",
    "LIBTORCH_USE_PYTORCH",
    CONFIGURED_LIBTORCH_VARIABLE,
];

/// Extra flags for one command, which Cargo's compilers take from the environment alone.
#[derive(Clone, Copy)]
pub(crate) struct Flags {
    /// For rustc: unstable ones, which it accepts for this command although it is a stable one.
    pub(crate) unstable_rustc: &'static [&'static str],
    pub(crate) rustdoc: &'static [&'static str],
}

impl Flags {
    pub(crate) const NONE: Self = Self {
        unstable_rustc: &[],
        rustdoc: &[],
    };
}

pub(crate) struct Cargo<'a> {
    workspace: &'a Workspace,
    program: PathBuf,
    link_flags: Vec<String>,
}

impl<'a> Cargo<'a> {
    pub(crate) fn of(workspace: &'a Workspace) -> Result<Self> {
        Ok(Self {
            workspace,
            program: env::var_os("CARGO")
                .unwrap_or_else(|| "cargo".into())
                .into(),
            link_flags: link_flags(&workspace.libtorch())?,
        })
    }

    /// Builds one program in release mode; says nothing when there is nothing to build.
    pub(crate) fn build_release(&self, package: &str, binary: &str) -> Result<()> {
        let mut command = self.command(&Flags::NONE);
        command.args(["build", "--release", "--package", package, "--bin", binary]);
        if io::stderr().is_terminal() {
            // Its standard error becomes a pipe, on which Cargo would show neither colours nor progress by itself.
            set_default(&mut command, "CARGO_TERM_COLOR", "always");
            if env::var_os("TERM").is_some_and(|terminal| terminal != "dumb") {
                set_default(&mut command, "CARGO_TERM_PROGRESS_WHEN", "always");
                set_default(&mut command, "CARGO_TERM_PROGRESS_WIDTH", "80");
            }
        }
        let failure = |source| Error::start(&self.program, &source);
        let mut build = command.stderr(Stdio::piped()).spawn().map_err(failure)?;
        if let Some(output) = build.stderr.take() {
            // A terminal that went away is no reason to stop a build.
            let _ = build_output::forward(output, io::stderr().lock());
        }
        let status = build.wait().map_err(failure)?;
        if status.success() {
            return Ok(());
        }
        Err(Error::new(
            format!("could not build `{binary}` ({status})"),
            format!(
                "cargo's message above says why; `cargo build --release --package {package} --bin {binary}` repeats this step alone"
            ),
        ))
    }

    /// Runs one Cargo command in the workspace, as it is.
    pub(crate) fn run(&self, arguments: &[&str], flags: &Flags) -> Result<ExitStatus> {
        self.command(flags)
            .args(arguments)
            .status()
            .map_err(|source| Error::start(&self.program, &source))
    }

    /// Replaces the launcher, so that signals and the exit code are the program's own. Returns only if that failed.
    pub(crate) fn become_program(&self, program: &Path, arguments: &[OsString]) -> Error {
        let mut command = Command::new(program);
        forget_outer_cargo(&mut command);
        Error::start(program, &command.args(arguments).exec())
    }

    fn command(&self, extra: &Flags) -> Command {
        let mut command = Command::new(&self.program);
        command.current_dir(self.workspace.root());
        forget_outer_cargo(&mut command);
        for variable in LIBTORCH_VARIABLES {
            command.env_remove(variable);
        }
        // A relative directory means one relative to where the person is, not to the root of the workspace.
        for variable in ["CARGO_TARGET_DIR", "CARGO_BUILD_TARGET_DIR"] {
            if let Some(Ok(directory)) = env::var_os(variable)
                .filter(|value| !value.is_empty())
                .map(std::path::absolute)
            {
                command.env(variable, directory);
            }
        }
        // Flags in the environment replace all those in the configuration, ours among them.
        let user_rustc_flags = user_flags("CARGO_ENCODED_RUSTFLAGS", "RUSTFLAGS");
        if user_rustc_flags.is_some() || !extra.unstable_rustc.is_empty() {
            let flags = joined(user_rustc_flags.unwrap_or_default(), &self.link_flags);
            command.env(
                "CARGO_ENCODED_RUSTFLAGS",
                joined(flags, extra.unstable_rustc),
            );
        }
        if !extra.unstable_rustc.is_empty() {
            command.env("RUSTC_BOOTSTRAP", "1");
        }
        let user_rustdoc_flags = user_flags("CARGO_ENCODED_RUSTDOCFLAGS", "RUSTDOCFLAGS");
        if user_rustdoc_flags.is_some() || !extra.rustdoc.is_empty() {
            let flags = joined(user_rustdoc_flags.unwrap_or_default(), &self.link_flags);
            command.env("CARGO_ENCODED_RUSTDOCFLAGS", joined(flags, extra.rustdoc));
        }
        command
    }
}

fn forget_outer_cargo(command: &mut Command) {
    for variable in OUTER_CARGO_VARIABLES {
        command.env_remove(variable);
    }
    for (variable, _) in env::vars_os() {
        if variable
            .to_str()
            .is_some_and(|name| name.starts_with("CARGO_PKG_"))
        {
            command.env_remove(variable);
        }
    }
}

fn set_default(command: &mut Command, variable: &str, value: &str) {
    if env::var_os(variable).is_none() {
        command.env(variable, value);
    }
}

/// The person's own compiler flags, already in Cargo's encoding; `None` where the configuration rules.
fn user_flags(encoded_variable: &str, plain_variable: &str) -> Option<OsString> {
    env::var_os(encoded_variable).or_else(|| Some(encoded(&env::var_os(plain_variable)?)))
}

fn encoded(plain_flags: &OsStr) -> OsString {
    let flags = plain_flags.to_string_lossy();
    flags
        .split_whitespace()
        .collect::<Vec<_>>()
        .join(FLAG_SEPARATOR)
        .into()
}

fn joined<S: AsRef<OsStr>>(mut encoded_flags: OsString, more: &[S]) -> OsString {
    for flag in more {
        if !encoded_flags.is_empty() {
            encoded_flags.push(FLAG_SEPARATOR);
        }
        encoded_flags.push(flag.as_ref());
    }
    encoded_flags
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_with_spaces_survive() {
        let flags = joined(
            encoded(OsStr::new(" -C  target-cpu=native ")),
            &["-C", "link-arg=-Wl,-rpath,/a b/lib"],
        );
        assert_eq!(
            flags,
            "-C\u{1f}target-cpu=native\u{1f}-C\u{1f}link-arg=-Wl,-rpath,/a b/lib"
        );
        assert_eq!(
            joined(encoded(OsStr::new("")), &["-D", "warnings"]),
            "-D\u{1f}warnings"
        );
    }
}
