//! `cargo verify`: everything that must hold before a change goes in, stopping at the first step that fails.

use std::time::{Duration, Instant};

use crate::cargo::Cargo;
use crate::error::{Error, Result};
use crate::provision;
use crate::say;
use crate::workspace::Workspace;

struct Step {
    name: &'static str,
    arguments: &'static [&'static str],
    /// Extra flags for rustdoc, which takes them from the environment alone.
    rustdoc_flags: &'static [&'static str],
}

const STEPS: [Step; 5] = [
    Step {
        name: "format",
        arguments: &["fmt", "--all", "--check"],
        rustdoc_flags: &[],
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
        rustdoc_flags: &[],
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
        ],
        rustdoc_flags: &[],
    },
    Step {
        name: "doc tests",
        arguments: &["test", "--workspace", "--doc"],
        rustdoc_flags: &[],
    },
    Step {
        name: "documentation",
        arguments: &["doc", "--workspace", "--no-deps"],
        rustdoc_flags: &["-D", "warnings"],
    },
];

pub(crate) fn run(workspace: &Workspace) -> Result<()> {
    provision::run(workspace)?;
    let cargo = Cargo::of(workspace)?;
    let start = Instant::now();
    for (number, step) in (1..).zip(&STEPS) {
        say::plain(format_args!(
            "\n[{number}/{}] {}: {}",
            STEPS.len(),
            step.name,
            step.command_line()
        ));
        let step_start = Instant::now();
        let status = cargo.run(step.arguments, step.rustdoc_flags)?;
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
    say::plain(format_args!(
        "\nverify: all {} steps passed in {}",
        STEPS.len(),
        readable(start.elapsed())
    ));
    Ok(())
}

impl Step {
    /// The step as one would type it.
    fn command_line(&self) -> String {
        let command = format!("cargo {}", self.arguments.join(" "));
        if self.rustdoc_flags.is_empty() {
            command
        } else {
            format!(
                "RUSTDOCFLAGS=\"{}\" {command}",
                self.rustdoc_flags.join(" ")
            )
        }
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
    }

    #[test]
    fn durations_are_readable() {
        assert_eq!(readable(Duration::from_millis(1240)), "1.2 s");
        assert_eq!(readable(Duration::from_secs(184)), "3 min 4 s");
    }
}
