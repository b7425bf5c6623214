//! `cargo host`: provide libtorch, build the host, become the host.

use std::ffi::OsString;

use crate::cargo::Cargo;
use crate::error::Result;
use crate::provision;
use crate::workspace::Workspace;

pub(crate) fn run(workspace: &Workspace, arguments: &[OsString]) -> Result<()> {
    provision::run(workspace)?;
    let cargo = Cargo::of(workspace)?;
    cargo.build_release("metricopt-host", "host")?;
    Err(cargo.become_program(&workspace.release_binary("host"), arguments))
}
