//! `host man`: the manual pages.

use clap::{Args, Command, CommandFactory};
use clap_mangen::Man as Page;
use metricopt_sdk::{Error, Result};
use serde_json::json;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::{Arguments, print, to_json};

/// Print the manual page, or write the pages of all commands into a folder.
///
/// They say what `--help` says, for `man`: `host man --out ~/.local/share/man/man1`, and then `man host-run`.
#[derive(Debug, Args)]
pub(super) struct Man {
    /// Folder to write all pages into, `host.1`, `host-run.1` and so on; made if there is none.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Print the list of pages as JSON.
    #[arg(long, requires = "out")]
    json: bool,
}

impl Man {
    pub(super) fn execute(&self) -> Result<()> {
        let mut program = Arguments::command();
        // Full names of commands and what they inherit.
        program.build();
        let Some(folder) = &self.out else {
            return print(render(&program)?.trim_end());
        };
        fs::create_dir_all(folder).map_err(|error| cannot_write(folder, &error))?;
        let mut written = Vec::new();
        write_pages(&program, folder, &mut written)?;
        print(&if self.json {
            to_json(&json!({ "version": 1, "pages": written }))?
        } else {
            written.join("\n")
        })
    }
}

/// Writes the page of a command and those of its subcommands.
fn write_pages(command: &Command, folder: &Path, written: &mut Vec<String>) -> Result<()> {
    // Once built, a command is displayed with those around it: `host-plugin-lock`.
    let name = command
        .get_display_name()
        .unwrap_or_else(|| command.get_name());
    let path = folder.join(format!("{name}.1"));
    fs::write(&path, render(command)?).map_err(|error| cannot_write(&path, &error))?;
    written.push(path.display().to_string());
    for subcommand in command.get_subcommands() {
        // `help` repeats what is there.
        if subcommand.get_name() != "help" {
            write_pages(subcommand, folder, written)?;
        }
    }
    Ok(())
}

fn render(command: &Command) -> Result<String> {
    let failed = |error: String| Error::failed(format!("cannot write a manual page: {error}"));
    let mut page = Vec::new();
    Page::new(command.clone())
        .source(concat!("host ", env!("CARGO_PKG_VERSION")))
        .render(&mut page)
        .map_err(|error| failed(error.to_string()))?;
    String::from_utf8(page).map_err(|error| failed(error.to_string()))
}

fn cannot_write(path: &Path, error: &io::Error) -> Error {
    Error::data(format!("cannot write `{}`: {error}", path.display()))
        .hint("choose a folder that you may write to with `--out DIR`")
}
