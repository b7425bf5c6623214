//! `host plugin`: which plugin files are trusted, and what they are built against.

use clap::{Args, Subcommand};
use metricopt_sdk::{Error, Result, abi};
use serde_json::{Value, json};
use std::path::PathBuf;

use super::plugins::PluginOptions;
use super::{print, to_json};
use crate::libtorch;
use crate::loader::lock::{Entry, Lock, file_name, sha256};
use crate::loader::search::{existing, is_path};

/// Pin plugin files by their checksum, check them, and tell what tasks are built against.
#[derive(Debug, Args)]
#[command(arg_required_else_help = true)]
pub(super) struct Plugin {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Lock(LockFiles),
    Verify(Verify),
    Libtorch(Libtorch),
}

/// Write or update `plugins.lock`: from then on only the files that it lists are loaded from this directory.
#[derive(Debug, Args)]
struct LockFiles {
    /// Plugin file to lock, by path or by name; may be given several times [default: all in the plugin path].
    #[arg(long = "plugin", value_name = "NAME|PATH")]
    plugins: Vec<String>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    options: PluginOptions,
}

/// Check plugin files against `plugins.lock` without loading them.
#[derive(Debug, Args)]
struct Verify {
    /// Plugin file to check, by path or by name; may be given several times [default: all in the plugin path].
    #[arg(long = "plugin", value_name = "NAME|PATH")]
    plugins: Vec<String>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    options: PluginOptions,
}

/// Print the directory of the libtorch that this host uses: the `LIBTORCH` to build a task with.
#[derive(Debug, Args)]
struct Libtorch {
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

impl Plugin {
    pub(super) fn execute(&self) -> Result<()> {
        match &self.command {
            Command::Lock(command) => command.execute(),
            Command::Verify(command) => command.execute(),
            Command::Libtorch(command) => command.execute(),
        }
    }
}

/// The files meant.
fn files(asked: &[String], options: &PluginOptions) -> Result<Vec<PathBuf>> {
    let path = options.search_path()?;
    if asked.is_empty() {
        let found = path.libraries();
        if found.is_empty() {
            return Err(
                Error::configuration("there is no plugin file in the plugin path")
                    .hint("name one with `--plugin PATH`, or a directory with `--plugin-path DIR`"),
            );
        }
        return Ok(found);
    }
    let file = |typed: &String| {
        if is_path(typed) {
            let file = PathBuf::from(typed);
            existing(&file).map_err(|error| error.context(format!("plugin `{typed}`")))?;
            return Ok(file);
        }
        path.find(typed).ok_or_else(|| {
            Error::configuration(format!(
                "there is no plugin file `{typed}` in the plugin path"
            ))
            .hint("give its path; plugins compiled into the host need no lock")
        })
    };
    asked.iter().map(file).collect()
}

impl LockFiles {
    fn execute(&self) -> Result<()> {
        let path = self.options.lock_path();
        let mut lock = if path.exists() {
            Lock::read(&path)?
        } else {
            Lock {
                path,
                plugins: Vec::new(),
            }
        };
        let loader = self.options.unlocked()?;
        let mut locked = Vec::new();
        for path in files(&self.plugins, &self.options)? {
            let before = sha256(&path)?;
            let plugins: Vec<String> = loader
                .load(&path)?
                .iter()
                .map(|plugin| format!("{} {}", plugin.name, plugin.version))
                .collect();
            let entry = Entry {
                file: file_name(&path),
                plugins,
                sha256: before,
            };
            lock.plugins.retain(|other| other.file != entry.file);
            lock.plugins.push(entry.clone());
            locked.push(entry);
        }
        lock.plugins.sort_by(|a, b| a.file.cmp(&b.file));
        lock.write()?;
        if self.json {
            let json = json!({ "version": 1, "lock": lock.path, "locked": locked });
            return print(&to_json(&json)?);
        }
        let mut lines: Vec<String> = locked
            .iter()
            .map(
                |Entry {
                     file,
                     plugins,
                     sha256,
                 }| format!("{sha256}  {file}  ({})", plugins.join(", ")),
            )
            .collect();
        lines.push(format!("locked in {}", lock.path.display()));
        print(&lines.join("\n"))
    }
}

impl Verify {
    fn execute(&self) -> Result<()> {
        let lock = Lock::read(&self.options.lock_path())?;
        let checked: Vec<(PathBuf, Option<Error>)> = files(&self.plugins, &self.options)?
            .into_iter()
            .map(|path| {
                let refused = lock.check(&path).err();
                (path, refused)
            })
            .collect();
        print(&if self.json {
            let files: Vec<Value> = checked
                .iter()
                .map(|(path, refused)| {
                    let reason = refused.as_ref().map(Error::to_string);
                    json!({ "path": path, "as_locked": refused.is_none(), "reason": reason })
                })
                .collect();
            to_json(&json!({ "version": 1, "lock": lock.path, "files": files }))?
        } else {
            let line = |(path, refused): &(PathBuf, Option<Error>)| match refused {
                None => format!("as locked  {}", path.display()),
                Some(error) => format!("REFUSED    {}: {error}", path.display()),
            };
            checked.iter().map(line).collect::<Vec<_>>().join("\n")
        })?;
        let broken = checked
            .iter()
            .filter(|(_, refused)| refused.is_some())
            .count();
        match broken {
            0 => Ok(()),
            broken => Err(Error::data(format!(
                "{broken} of {} plugin files are not as `{}` says",
                checked.len(),
                lock.path.display()
            ))
            .hint("if you trust them, lock them again with `host plugin lock`")),
        }
    }
}

impl Libtorch {
    fn execute(&self) -> Result<()> {
        let directory = libtorch::directory()?;
        if self.json {
            let json =
                json!({ "version": 1, "directory": directory, "libtorch_version": abi::LIBTORCH });
            return print(&to_json(&json)?);
        }
        print(&directory.to_string_lossy())
    }
}
