//! Plugins in library files: found, checked, loaded once and never unloaded.
//!
//! [`search`] turns what a person typed into a file; [`permissions`], [`binary`] and [`lock`] look at the file before
//! any of its code runs; [`library`] opens it and shakes hands. What cannot be accepted is one error that says what to
//! do about it.

pub mod binary;
pub mod library;
pub mod lock;
pub mod permissions;
pub mod search;

use metricopt_sdk::Result;
use metricopt_sdk::abi::Level;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::registry::{Origin, Plugin};
use lock::Lock;
use search::SearchPath;

/// Takes a log line of a plugin: level, name of the plugin, text. Called from any thread.
pub type PluginLogger = dyn Fn(Level, &str, &str) + Send + Sync;

/// Loads plugins from files.
pub struct Loader {
    /// Where names are looked for.
    pub search: SearchPath,
    /// Whether files that other users can change are loaded all the same.
    pub allow_writable: bool,
    /// The files that may be loaded, if there is a lock.
    pub lock: Option<Lock>,
    /// The most detailed level that plugins log.
    pub max_level: Level,
    /// Takes the plugins' log lines.
    pub logger: Arc<PluginLogger>,
}

impl Loader {
    /// Loads one library: its plugins, one a package.
    ///
    /// # Errors
    ///
    /// If the file is not there, is not to be trusted, is no plugin for this host, or breaks the ABI.
    pub fn load(&self, path: &Path) -> Result<Vec<Plugin>> {
        let shown = format!("`{}`", path.display());
        let plugins = self.load_checked(path);
        plugins.map_err(|error| error.context(format!("plugin {shown}")))
    }

    fn load_checked(&self, path: &Path) -> Result<Vec<Plugin>> {
        let path = &search::existing(path)?;
        if !self.allow_writable {
            permissions::check(path)?;
        }
        binary::check(path)?;
        if let Some(lock) = &self.lock {
            lock.check(path)?;
        }
        let offers = library::open(path, self.max_level, self.logger.clone())?;
        let plugin = |offer: metricopt_sdk::abi::Offer| Plugin {
            name: offer.name,
            version: offer.version,
            origin: Origin::Library(PathBuf::from(path)),
            tasks: offer.tasks,
            metrics: offer.metrics,
        };
        Ok(offers.into_iter().map(plugin).collect())
    }
}
