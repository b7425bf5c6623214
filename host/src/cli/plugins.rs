//! Which plugins a command uses: options that several commands share.

use clap::Args;
use metricopt_sdk::{Error, Result};
use std::collections::BTreeSet;
use std::env;
use std::path::{Path, PathBuf};

use super::log;
use crate::loader::lock::{FILE_NAME, Lock};
use crate::loader::search::{SearchPath, existing, is_path};
use crate::loader::{Loader, search};
use crate::registry::Registry;
use crate::suggest;

/// Plugins from files.
#[derive(Debug, Args)]
#[command(next_help_heading = "Plugins")]
pub(super) struct PluginOptions {
    /// Directory to look for plugins by name, before those of METRICOPT_PLUGIN_PATH and the user's data directory; may
    /// be given several times.
    #[arg(long = "plugin-path", value_name = "DIR")]
    directories: Vec<PathBuf>,
    /// Load plugins although other users can change their files; METRICOPT_ALLOW_WRITABLE_PLUGINS=1 does the same.
    #[arg(long)]
    allow_writable_plugins: bool,
    /// Load only plugin files that this file lists [default: `plugins.lock` in the current directory, if there is one].
    #[arg(long, value_name = "FILE")]
    plugins_lock: Option<PathBuf>,
}

impl PluginOptions {
    pub(super) fn search_path(&self) -> Result<SearchPath> {
        SearchPath::new(&self.directories)
    }

    /// The loader that these options ask for. A lock can only forbid: so one that lies about is believed.
    fn loader(&self, locked: bool) -> Result<Loader> {
        let lock = match &self.plugins_lock {
            _ if !locked => None,
            Some(path) => Some(Lock::read(path)?),
            None if Path::new(FILE_NAME).exists() => Some(Lock::read(Path::new(FILE_NAME))?),
            None => None,
        };
        Ok(Loader {
            search: self.search_path()?,
            allow_writable: self.allow_writable_plugins
                || env::var_os("METRICOPT_ALLOW_WRITABLE_PLUGINS")
                    .is_some_and(|value| value == "1"),
            lock,
            max_level: log::level(),
            logger: log::plugin_logger(),
        })
    }

    /// A loader that asks no lock: for writing one.
    pub(super) fn unlocked(&self) -> Result<Loader> {
        self.loader(false)
    }

    /// Where the lock is, or is to be.
    pub(super) fn lock_path(&self) -> PathBuf {
        self.plugins_lock
            .clone()
            .unwrap_or_else(|| FILE_NAME.into())
    }

    /// The built-in plugins and those that were asked for, by name or path.
    ///
    /// # Errors
    ///
    /// If one cannot be found or loaded.
    pub(super) fn registry(&self, asked: &[String]) -> Result<Chosen> {
        let loader = self.loader(true)?;
        let mut registry = Registry::built_in()?;
        let mut names = Vec::new();
        let mut loaded = BTreeSet::new();
        for typed in asked {
            let path = if is_path(typed) {
                Some(PathBuf::from(typed))
            } else if registry.find_plugin(typed).is_ok() {
                None
            } else {
                Some(
                    loader
                        .search
                        .find(typed)
                        .ok_or_else(|| unknown(typed, &loader.search, &registry))?,
                )
            };
            let Some(path) = path else {
                names.push(typed.clone());
                continue;
            };
            // The same file twice is one plugin.
            if existing(&path).is_ok_and(|path| !loaded.insert(path)) {
                continue;
            }
            for plugin in loader.load(&path)? {
                names.push(plugin.name.clone());
                registry.add(plugin)?;
            }
        }
        Ok(Chosen { registry, names })
    }

    /// As [`registry`](Self::registry), with everything in the plugin path, and what of that could not be loaded.
    ///
    /// # Errors
    ///
    /// If one that was asked for cannot be found or loaded.
    pub(super) fn everything(&self, asked: &[String]) -> Result<(Registry, Vec<Error>)> {
        let Chosen { mut registry, .. } = self.registry(asked)?;
        let loader = self.loader(true)?;
        let mut refused = Vec::new();
        for path in loader.search.libraries() {
            let plugins = loader.load(&path);
            let added = plugins.and_then(|plugins| {
                for plugin in plugins {
                    // One that was asked for, or is compiled in, is not replaced by what happens to lie about.
                    if registry.plugins().all(|other| other.name != plugin.name) {
                        registry.add(plugin)?;
                    }
                }
                Ok(())
            });
            refused.extend(added.err());
        }
        Ok((registry, refused))
    }
}

/// What a command works with.
pub(super) struct Chosen {
    /// Everything there is.
    pub(super) registry: Registry,
    /// The names of the plugins that were asked for, in order.
    pub(super) names: Vec<String>,
}

fn unknown(typed: &str, path: &SearchPath, registry: &Registry) -> Error {
    let built_in: Vec<&str> = registry
        .plugins()
        .map(|plugin| plugin.name.as_str())
        .collect();
    let directories: Vec<String> = path
        .directories()
        .iter()
        .map(|directory| format!("`{}`", directory.display()))
        .collect();
    let error = Error::configuration(format!("unknown plugin `{typed}`"));
    if search::is_library_name(Path::new(typed)) && Path::new(typed).exists() {
        return error.hint(format!(
            "for the file in the current directory write `./{typed}`"
        ));
    }
    let close = !suggest::similar(typed, built_in.iter().copied()).is_empty();
    let error = error.hint(suggest::hint(typed, built_in));
    if close || directories.is_empty() {
        return error;
    }
    error.hint(format!(
        "no library of that name is in {}; a plugin in a file is given by its path",
        directories.join(", ")
    ))
}
