//! `cargo reproduce`: provide libtorch, build the host and the program that repeats the published numbers with it.

use std::ffi::OsString;

use crate::cargo::Cargo;
use crate::error::Result;
use crate::provision;
use crate::workspace::Workspace;

pub(crate) fn run(workspace: &Workspace, arguments: &[OsString]) -> Result<()> {
    provision::run(workspace)?;
    let cargo = Cargo::of(workspace)?;
    // One after the other, not both at once: Cargo would unite their features and build another host than `cargo host` does.
    cargo.build_release("metricopt-host", "host")?;
    cargo.build_release("metricopt-tests", "reproduce")?;
    Err(cargo.become_program(&workspace.release_binary("reproduce"), arguments))
}
