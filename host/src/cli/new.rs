//! `host new`: a crate of one's own, to start from.

use clap::{Args, ValueEnum};
use metricopt_sdk::Result;
use serde_json::json;
use std::path::{Path, PathBuf};

use super::{print, to_json};
use crate::libtorch;
use crate::registry::Registry;
use crate::scaffold::{Name, Scaffold, SdkSource, library_name};

/// Write a crate with a metric or a task of your own, ready to build, test and use.
///
/// The crate is a working example to change: small, complete, with tests. It may lie anywhere; the host loads what
/// `cargo build --release` makes of it. A task is built against the libtorch of this host.
#[derive(Debug, Args)]
pub(super) struct New {
    /// What to write.
    what: What,
    /// Name of the crate and of its metric or task: lower case, digits and hyphens.
    name: String,
    /// Folder to write it into; must be new or empty [default: one of that name].
    #[arg(long, value_name = "DIR")]
    path: Option<PathBuf>,
    /// Where the crate takes `metricopt-sdk` from: a folder, or the URL of a git repository [default: where this host
    /// came from].
    #[arg(long, value_name = "DIR|URL")]
    sdk: Option<String>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum What {
    /// A function from predictions to a number; builds without libtorch.
    Metric,
    /// Data, a frozen network with an adapter, and a surrogate loss.
    Task,
}

impl What {
    fn name(self) -> &'static str {
        match self {
            What::Metric => "metric",
            What::Task => "task",
        }
    }
}

impl New {
    pub(super) fn execute(&self) -> Result<()> {
        let name = Name::parse(&self.name, &Registry::built_in()?)?;
        let sdk = match &self.sdk {
            Some(sdk) => SdkSource::given(sdk)?,
            None => SdkSource::of_this_host()?,
        };
        let scaffold = match self.what {
            What::Metric => Scaffold::metric(&name, &sdk)?,
            What::Task => Scaffold::task(&name, &sdk, &libtorch::directory()?)?,
        };
        let folder = self.path.as_deref().unwrap_or(Path::new(name.as_str()));
        scaffold.write(folder)?;
        let steps = self.next_steps(&name);
        if self.json {
            let what = self.what.name();
            let json = json!({
                "version": 1, "what": what, "name": name.as_str(), "path": folder, "next": steps,
            });
            return print(&to_json(&json)?);
        }
        let mut lines = vec![
            format!(
                "wrote a crate with the {} `{name}`; next:\n",
                self.what.name()
            ),
            format!("  cd {}", quoted(&folder.to_string_lossy())),
        ];
        lines.extend(steps.iter().map(|step| format!("  {step}")));
        lines.push("\nREADME.md says what to change".to_owned());
        print(&lines.join("\n"))
    }

    /// What to type in the folder of the crate.
    fn next_steps(&self, name: &Name) -> Vec<String> {
        let host = program();
        let library = format!("target/release/{}", library_name(name));
        let mut steps = vec!["cargo test".to_owned(), "cargo build --release".to_owned()];
        match self.what {
            What::Metric => steps.extend([
                format!("{host} check-metric {name} --plugin {library}"),
                format!("{host} run --plugin tabular --plugin {library} --metric {name}"),
            ]),
            What::Task => steps.push(format!("{host} run --plugin {library}")),
        }
        steps
    }
}

/// This program as one can call it from any folder.
fn program() -> String {
    let typed = std::env::args().next().unwrap_or_else(|| "host".to_owned());
    if !typed.contains(std::path::MAIN_SEPARATOR) {
        return typed;
    }
    let found = std::env::current_exe().map(|path| path.to_string_lossy().into_owned());
    quoted(&found.unwrap_or(typed))
}

/// A word for the shell.
fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || "-_./+".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}
