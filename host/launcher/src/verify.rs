//! `cargo verify`: everything that must hold before a change goes in, stopping at the first step that fails.

use std::time::{Duration, Instant};

use crate::cargo::{Cargo, Flags};
use crate::error::{Error, Result};
use crate::provision;
use crate::runtime::Runtime;
use crate::say;
use crate::workspace::Workspace;

struct Step {
    name: &'static str,
    arguments: &'static [&'static str],
    /// Extra flags for Cargo's compilers, which take them from the environment alone.
    flags: Flags,
    /// What the toolchain must bring along; a step is left out, with a line that says so, where it does not.
    needs: Option<Runtime>,
}

/// Named, so that the flags are for the tests and not for build scripts and macros too.
const SANITIZED_TARGET: &str = "x86_64-unknown-linux-gnu";

const STEPS: [Step; 6] = [
    Step {
        name: "format",
        arguments: &["fmt", "--all", "--check"],
        flags: Flags::NONE,
        needs: None,
    },
    Step {
        name: "lints",
        arguments: &[
            "clippy",
            "--workspace",
            "--all-targets",
            "--",
            "-D",
            "warnings",
        ],
        flags: Flags::NONE,
        needs: None,
    },
    Step {
        name: "tests",
        // Not `--all-targets`: that would also run the benchmarks.
        arguments: &[
            "test",
            "--workspace",
            "--lib",
            "--bins",
            "--tests",
            "--examples",
            // With the slow ones, which a plain `cargo test` leaves out.
            "--",
            "--include-ignored",
        ],
        flags: Flags::NONE,
        needs: None,
    },
    Step {
        name: "doc tests",
        arguments: &["test", "--workspace", "--doc"],
        flags: Flags::NONE,
        needs: None,
    },
    Step {
        name: "documentation",
        arguments: &["doc", "--workspace", "--no-deps"],
        flags: Flags {
            rustdoc: &["-D", "warnings"],
            ..Flags::NONE
        },
        needs: None,
    },
    Step {
        name: "address sanitizer",
        // The crates whose unsafe code runs without libtorch, both sides of the boundary among it.
        arguments: &[
            "test",
            "--package",
            "metricopt-sdk",
            "--package",
            "metricopt-metrics",
            "--lib",
            "--tests",
            "--target",
            SANITIZED_TARGET,
            "--target-dir",
            "target/asan",
        ],
        flags: Flags {
            unstable_rustc: &["-Zsanitizer=address"],
            ..Flags::NONE
        },
        needs: Some(Runtime {
            target: SANITIZED_TARGET,
            suffix: "_rt.asan.a",
        }),
    },
];

pub(crate) fn run(workspace: &Workspace) -> Result<()> {
    provision::run(workspace)?;
    let cargo = Cargo::of(workspace)?;
    let start = Instant::now();
    let mut skipped = 0;
    for (number, step) in (1..).zip(&STEPS) {
        if let Some(runtime) = step.needs.as_ref().filter(|needed| !needed.is_there()) {
            say::plain(format_args!(
                "\n[{number}/{}] {}: skipped, this Rust has no `*{}` for {}",
                STEPS.len(),
                step.name,
                runtime.suffix,
                runtime.target
            ));
            skipped += 1;
            continue;
        }
        say::plain(format_args!(
            "\n[{number}/{}] {}: {}",
            STEPS.len(),
            step.name,
            step.command_line()
        ));
        let step_start = Instant::now();
        let status = cargo.run(step.arguments, &step.flags)?;
        let elapsed = readable(step_start.elapsed());
        if !status.success() {
            return Err(Error::new(
                format!(
                    "verify: step {number} of {}, {}, failed after {elapsed} ({status})",
                    STEPS.len(),
                    step.name
                ),
                format!("repeat this step alone with `{}`", step.command_line()),
            ));
        }
        say::plain(format_args!(
            "[{number}/{}] {}: passed in {elapsed}",
            STEPS.len(),
            step.name
        ));
    }
    let elapsed = readable(start.elapsed());
    match skipped {
        0 => say::plain(format_args!(
            "\nverify: all {} steps passed in {elapsed}",
            STEPS.len()
        )),
        _ => say::plain(format_args!(
            "\nverify: {} of {} steps passed in {elapsed}, {skipped} skipped",
            STEPS.len() - skipped,
            STEPS.len()
        )),
    }
    Ok(())
}

impl Step {
    /// The step as one would type it.
    fn command_line(&self) -> String {
        let command = format!("cargo {}", self.arguments.join(" "));
        let Flags {
            unstable_rustc,
            rustdoc,
        } = &self.flags;
        let rustc = match unstable_rustc.join(" ") {
            flags if flags.is_empty() => String::new(),
            flags => format!("RUSTC_BOOTSTRAP=1 RUSTFLAGS=\"{flags}\" "),
        };
        let rustdoc = match rustdoc.join(" ") {
            flags if flags.is_empty() => String::new(),
            flags => format!("RUSTDOCFLAGS=\"{flags}\" "),
        };
        format!("{rustc}{rustdoc}{command}")
    }
}

fn readable(duration: Duration) -> String {
    let seconds = duration.as_secs();
    if seconds < 60 {
        format!("{:.1} s", duration.as_secs_f64())
    } else {
        format!("{} min {} s", seconds / 60, seconds % 60)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_can_be_typed_again() {
        assert_eq!(STEPS[0].command_line(), "cargo fmt --all --check");
        assert_eq!(
            STEPS[4].command_line(),
            "RUSTDOCFLAGS=\"-D warnings\" cargo doc --workspace --no-deps"
        );
        let sanitizer = STEPS[5].command_line();
        assert!(
            sanitizer.starts_with(
                "RUSTC_BOOTSTRAP=1 RUSTFLAGS=\"-Zsanitizer=address\" cargo test --package "
            ),
            "{sanitizer}"
        );
    }

    #[test]
    fn durations_are_readable() {
        assert_eq!(readable(Duration::from_millis(1240)), "1.2 s");
        assert_eq!(readable(Duration::from_secs(184)), "3 min 4 s");
    }
}
