//! Where things are: the checkout, the directory that holds libtorch, the built programs.

use std::env;
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};

pub(crate) struct Workspace {
    root: PathBuf,
    target: PathBuf,
}

impl Workspace {
    pub(crate) fn locate() -> Result<Self> {
        // The value at run time, not the one compiled in: it stays right when the checkout is moved.
        let manifest_dir = env::var_os("CARGO_MANIFEST_DIR")
            .map_or_else(|| env!("CARGO_MANIFEST_DIR").into(), PathBuf::from);
        // Cargo has put this very program into `<target>/debug`, wherever its many settings say that `<target>` is.
        let executable = env::current_exe()
            .map_err(|source| Error::file("locate", Path::new("launcher"), &source))?;
        match (
            manifest_dir.ancestors().nth(2),
            executable.ancestors().nth(2),
        ) {
            (Some(root), Some(target)) if root.join("Cargo.toml").is_file() => Ok(Self {
                root: root.to_path_buf(),
                target: target.to_path_buf(),
            }),
            _ => Err(Error::new(
                format!(
                    "`{}` is not in a checkout of metricopt",
                    manifest_dir.display()
                ),
                "run the launcher through `cargo host`, inside the checkout",
            )),
        }
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// `.libtorch/`: git ignores it, and deleting it is always safe.
    pub(crate) fn libtorch(&self) -> PathBuf {
        self.root.join(".libtorch")
    }

    pub(crate) fn release_binary(&self, name: &str) -> PathBuf {
        self.target.join("release").join(name)
    }
}
