//! The launcher behind `cargo host`, `cargo setup`, `cargo verify` and `cargo reproduce`.
//!
//! It provides what Cargo cannot (libtorch), builds, and hands over. The aliases are in `.cargo/config.toml`.

mod build_output;
mod cargo;
mod compiler;
mod error;
mod host;
mod provision;
mod reproduce;
mod runtime;
mod say;
mod verify;
mod workspace;

use std::env;
use std::ffi::OsString;
use std::process::ExitCode;

use error::Result;
use workspace::Workspace;

const HELP: &str = "\
usage: cargo host ARGUMENTS...        build the host and run it with these arguments (`cargo host --help`: its own help)
       cargo setup                    only install what is missing: libtorch, for plain cargo commands and editors
       cargo verify                   format check, lints, all tests, documentation, address sanitizer
       cargo reproduce ARGUMENTS...   build everything and repeat the published numbers

environment:
  LIBTORCH             use this libtorch directory instead of looking for one or installing it
  METRICOPT_LIBTORCH   download: do not look in Python environments; cpu or cuda: the same, and which set to install

`.libtorch/` holds all that is installed: delete it to start again.";

const USAGE_EXIT_CODE: u8 = 2;

fn main() -> ExitCode {
    let mut arguments = env::args_os().skip(1);
    let command = arguments.next().unwrap_or_default();
    let arguments: Vec<OsString> = arguments.collect();
    let outcome = match (command.to_str(), arguments.as_slice()) {
        (Some("host"), arguments) => launch(|workspace| host::run(workspace, arguments)),
        (Some("reproduce"), arguments) => launch(|workspace| reproduce::run(workspace, arguments)),
        (Some("verify"), []) => launch(verify::run),
        (Some("setup"), []) => launch(provision::run),
        (Some("help" | "--help" | "-h"), _) => {
            say::plain(HELP);
            Ok(())
        }
        _ => {
            say::plain(HELP);
            return ExitCode::from(USAGE_EXIT_CODE);
        }
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            say::error(&error);
            ExitCode::FAILURE
        }
    }
}

fn launch(command: impl FnOnce(&Workspace) -> Result<()>) -> Result<()> {
    command(&Workspace::locate()?)
}
