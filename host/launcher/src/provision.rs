//! Provides libtorch in `.libtorch/`, whatever state the last attempt left it in.
//!
//! The result is always the same: `.libtorch/torch` leads to a directory with the libraries and headers of the one
//! version that `tch` was made for, `.libtorch/cargo.toml` tells Cargo about it, and `.libtorch/complete`, written last,
//! says that both can be relied on.

pub(crate) mod cargo_config;
mod files;
mod install;
mod libtorch;
mod lock;
mod marker;
mod python;

use std::env;
use std::path::{Path, PathBuf};

use crate::compiler;
use crate::error::{Error, Result};
use crate::say;
use crate::workspace::Workspace;
use cargo_config::CONFIGURED_LIBTORCH_VARIABLE;
use install::Set;
use libtorch::{Libtorch, Variant};
use lock::Lock;
use marker::{Marker, Origin};

pub(crate) const LIBTORCH_VERSION: &str = "2.11.0";

const CHOICE_VARIABLE: &str = "METRICOPT_LIBTORCH";

/// What the person asked for with [`CHOICE_VARIABLE`].
#[derive(Clone, Copy, PartialEq, Eq)]
enum Choice {
    /// Take what there is, install the rest.
    Any,
    /// Never take the torch of a Python environment.
    Download,
    /// Install this set, unless what is there already has it.
    Install(Set),
}

pub(crate) fn run(workspace: &Workspace) -> Result<()> {
    let choice = Choice::from_environment()?;
    compiler::check()?;
    let directory = workspace.libtorch();
    files::create_directory(&directory)?;
    let lock = Lock::acquire(&directory)?;

    if let Some(path) = user_libtorch() {
        return use_user_libtorch(&directory, &path);
    }
    if let Some(found) = complete(&directory, choice) {
        mention_unused_gpu(&found);
        return publish(&directory, &found);
    }
    if choice == Choice::Any
        && let Some(libtorch) = python::find_torch()
    {
        say::note(format_args!(
            "using libtorch {} from `{}`",
            libtorch.version,
            libtorch.directory.display()
        ));
        return publish(&directory, &Marker::of(libtorch, Origin::Python));
    }
    let set = match choice {
        Choice::Install(set) => set,
        Choice::Any | Choice::Download => Set::for_this_machine(),
    };
    // From here on until the end of the installation, no other launcher may take the directory for complete.
    Marker::remove(&directory)?;
    let libtorch = install::run(&directory, set, &lock)?;
    publish(&directory, &Marker::of(libtorch, Origin::Installed))
}

impl Choice {
    fn from_environment() -> Result<Self> {
        let value = env::var_os(CHOICE_VARIABLE).unwrap_or_default();
        match value.to_str() {
            Some("") => Ok(Self::Any),
            Some("download") => Ok(Self::Download),
            Some("cpu") => Ok(Self::Install(Set::Cpu)),
            Some("cuda") => Ok(Self::Install(Set::Cuda)),
            _ => Err(Error::new(
                format!(
                    "`{CHOICE_VARIABLE}` is `{}`, which means nothing",
                    value.display()
                ),
                "unset it, or set it to `download`, `cpu` or `cuda`; to name a directory, set `LIBTORCH`",
            )),
        }
    }
}

/// `LIBTORCH` as the person set it. Inside `cargo host` it is always set: by Cargo, from our own generated configuration,
/// which therefore holds the same value under a second name.
fn user_libtorch() -> Option<PathBuf> {
    let path = env::var_os("LIBTORCH").filter(|path| !path.is_empty())?;
    (env::var_os(CONFIGURED_LIBTORCH_VARIABLE).as_ref() != Some(&path)).then(|| path.into())
}

fn use_user_libtorch(directory: &Path, path: &Path) -> Result<()> {
    let libtorch = Libtorch::inspect(path).map_err(|flaw| {
        Error::new(
            format!("`LIBTORCH` is `{}`, but {flaw}", path.display()),
            format!("unset `LIBTORCH` to have libtorch provided, or set it to the directory of a libtorch {LIBTORCH_VERSION}"),
        )
    })?;
    publish(directory, &Marker::of(libtorch, Origin::Environment))
}

/// What an earlier run completed, if it is still there and is what is asked for now.
fn complete(directory: &Path, choice: Choice) -> Option<Marker> {
    let marker = Marker::read(directory)?;
    if let Err(flaw) = marker.check() {
        say::note(format_args!(
            "the libtorch in use has to be replaced: {flaw}"
        ));
        return None;
    }
    match (choice, marker.libtorch.variant) {
        (Choice::Install(Set::Cuda), Variant::Cpu) => None,
        _ => Some(marker),
    }
}

/// Says so once more at every start: it costs a line, and an unnoticed CPU run can cost a day.
fn mention_unused_gpu(marker: &Marker) {
    if marker.libtorch.variant == Variant::Cpu
        && Set::for_this_machine() == Set::Cuda
        && cfg!(target_os = "linux")
    {
        say::note(format_args!(
            "this machine has an NVIDIA driver, but the libtorch in use is for the CPU only; \
             `{CHOICE_VARIABLE}=cuda cargo setup` installs the other one"
        ));
    }
}

/// Lets `.libtorch/` say what was found. Writes only what differs, so that nothing is built again without need.
fn publish(directory: &Path, marker: &Marker) -> Result<()> {
    let link = libtorch_link(directory);
    files::link(
        &link,
        &files::relative_to(directory, &marker.libtorch.directory),
    )?;
    files::write_if_different(
        &directory.join("cargo.toml"),
        &cargo_config::text(directory, &marker.libtorch.directory)?,
    )?;
    marker.write(directory)
}

/// The stable name of the libtorch in use, whichever it is.
fn libtorch_link(directory: &Path) -> PathBuf {
    directory.join("torch")
}
