//! `host completions`: what a shell needs to complete the words of a command line.

use clap::{Args, CommandFactory};
use clap_complete::{Shell, generate};
use metricopt_sdk::{Error, Result};

use super::{Arguments, print};

/// Print the completions of a shell: every command and option, completed by the tabulator key.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Completions {
    /// The shell.
    shell: Shell,
}

const EXAMPLES: &str = "\
Examples:
  host completions bash > ~/.local/share/bash-completion/completions/host
  host completions zsh > ~/.zfunc/_host
  host completions fish > ~/.config/fish/completions/host.fish";

impl Completions {
    pub(super) fn execute(&self) -> Result<()> {
        let mut script = Vec::new();
        generate(self.shell, &mut Arguments::command(), "host", &mut script);
        let script = String::from_utf8(script)
            .map_err(|error| Error::failed(format!("cannot write completions: {error}")))?;
        print(script.trim_end())
    }
}
