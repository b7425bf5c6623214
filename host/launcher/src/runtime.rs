//! The libraries that a Rust toolchain brings along to check programs while they run.

use std::env;
use std::fs;
use std::path::PathBuf;
use std::process::Command;

/// What rustc links into programs for `target`.
pub(crate) struct Runtime {
    pub(crate) target: &'static str,
    /// What the name of its file ends in; it begins with the channel of the toolchain.
    pub(crate) suffix: &'static str,
}

impl Runtime {
    /// Whether this toolchain has it, and this machine runs what is compiled with it.
    pub(crate) fn is_there(&self) -> bool {
        let is_it = |name: &str| name.ends_with(self.suffix);
        self.target.starts_with(env::consts::ARCH)
            && self.target.contains(env::consts::OS)
            && self
                .libraries()
                .and_then(|folder| fs::read_dir(folder).ok())
                .is_some_and(|files| {
                    files
                        .flatten()
                        .any(|file| file.file_name().to_str().is_some_and(is_it))
                })
    }

    /// Where the toolchain keeps its libraries for the target; `None` if it cannot say so.
    fn libraries(&self) -> Option<PathBuf> {
        let rustc = env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
        let output = Command::new(rustc)
            .args(["--print", "target-libdir", "--target", self.target])
            .output()
            .ok()
            .filter(|output| output.status.success())?;
        Some(String::from_utf8(output.stdout).ok()?.trim_end().into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_no_toolchain_has_is_not_there() {
        for (target, suffix) in [
            ("x86_64-unknown-linux-gnu", ".no-such-file"),
            ("sparc-sun-solaris", ".rlib"),
        ] {
            assert!(!Runtime { target, suffix }.is_there(), "{target} {suffix}");
        }
    }

    #[test]
    #[cfg(all(target_arch = "x86_64", target_os = "linux", target_env = "gnu"))]
    fn the_standard_library_is_there() {
        let runtime = Runtime {
            target: "x86_64-unknown-linux-gnu",
            suffix: ".rlib",
        };
        assert!(runtime.is_there());
    }
}
