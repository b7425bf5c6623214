//! The C++ compiler: `torch-sys` compiles a small bridge to libtorch. Checked first, before anything is downloaded.

use std::env;
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};

/// The variables by which the `cc` crate of the build script can be told another compiler than `c++`.
const COMPILER_VARIABLES: [&str; 3] = ["CXX", "HOST_CXX", "TARGET_CXX"];

pub(crate) fn check() -> Result<()> {
    let chosen = COMPILER_VARIABLES.into_iter().find_map(|variable| {
        Some((
            variable,
            env::var(variable)
                .ok()
                .filter(|value| !value.trim().is_empty())?,
        ))
    });
    if let Some((variable, value)) = chosen {
        // The value may carry a wrapper or flags: `ccache g++`.
        let program = value.split_whitespace().next().unwrap_or_default();
        if find_program(&value)
            .or_else(|| find_program(program))
            .is_none()
        {
            return Err(Error::new(
                format!(
                    "the C++ compiler `{program}`, named by the variable `{variable}`, was not found"
                ),
                format!("unset `{variable}` or set it to an installed C++ compiler"),
            ));
        }
        return Ok(());
    }
    if find_program("c++").is_some() {
        return Ok(());
    }
    let hint = match ["g++", "clang++"].into_iter().find(|name| find_program(name).is_some()) {
        Some(other) => format!("set `CXX={other}`: this compiler is installed"),
        None if cfg!(target_os = "macos") => "install one with `xcode-select --install`".to_owned(),
        None => "install one (Debian, Ubuntu: `apt install g++`; Fedora: `dnf install gcc-c++`) or set `CXX` to yours".to_owned(),
    };
    Err(Error::new(
        "no C++ compiler: there is no `c++` in `PATH`, and building the bridge to libtorch needs one",
        hint,
    ))
}

/// What a shell would find: `name` in `PATH`, or `name` itself if it is a path.
pub(crate) fn find_program(name: &str) -> Option<PathBuf> {
    if name.contains('/') {
        return Some(PathBuf::from(name)).filter(|path| is_executable(path));
    }
    env::split_paths(&env::var_os("PATH")?)
        .map(|directory| directory.join(name))
        .find(|path| is_executable(path))
}

fn is_executable(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    path.metadata()
        .is_ok_and(|metadata| metadata.is_file() && metadata.permissions().mode() & 0o111 != 0)
}
