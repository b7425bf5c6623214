//! `plugins.lock`: which library files may be loaded, by their SHA-256.

use metricopt_sdk::{Error, Result};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

/// Version of the file format.
const FORMAT: u32 = 1;

/// The name under which a lock is found in the current directory.
pub const FILE_NAME: &str = "plugins.lock";

/// The files that may be loaded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lock {
    /// Where it was read from, or is to be written.
    pub path: PathBuf,
    /// The plugins.
    pub plugins: Vec<Entry>,
}

/// One library file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// Name of the file, without its directory: the same lock serves on several machines.
    pub file: String,
    /// The plugins in it with their versions, for people.
    pub plugins: Vec<String>,
    /// SHA-256 of the file, in hexadecimal.
    pub sha256: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    version: u32,
    #[serde(default)]
    plugin: Vec<Entry>,
}

impl Lock {
    /// Reads a lock.
    ///
    /// # Errors
    ///
    /// If it cannot be read or is none.
    pub fn read(path: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(path).map_err(|error| {
            Error::configuration(format!("cannot read `{}`: {error}", path.display()))
                .hint("`host plugin lock --plugin PATH` writes one")
        })?;
        let document: Document = toml::from_str(&text).map_err(|error| {
            Error::configuration(format!(
                "`{}` is no plugin lock: {}",
                path.display(),
                error.message()
            ))
            .hint("write it again with `host plugin lock --plugin PATH`")
        })?;
        if document.version != FORMAT {
            return Err(Error::configuration(format!(
                "`{}` has format {}, this host knows {FORMAT}",
                path.display(),
                document.version
            ))
            .hint("write it again with `host plugin lock --plugin PATH`"));
        }
        Ok(Self {
            path: path.to_owned(),
            plugins: document.plugin,
        })
    }

    /// Writes it, whole or not at all.
    ///
    /// # Errors
    ///
    /// If it cannot be written.
    pub fn write(&self) -> Result<()> {
        let cannot = |error: &dyn std::fmt::Display| {
            Error::data(format!("cannot write `{}`: {error}", self.path.display()))
        };
        let document = Document {
            version: FORMAT,
            plugin: self.plugins.clone(),
        };
        let text = toml::to_string(&document).map_err(|error| cannot(&error))?;
        let text = format!(
            "# Written by `host plugin lock`: the plugin files that may be loaded.\n{text}"
        );
        let temporary = self.path.with_extension("lock.tmp");
        let written = File::create(&temporary)
            .and_then(|mut file| {
                file.write_all(text.as_bytes())
                    .and_then(|()| file.sync_all())
            })
            .and_then(|()| std::fs::rename(&temporary, &self.path));
        written.map_err(|error| {
            // If even the removal fails, the first error is the one to tell.
            let _ = std::fs::remove_file(&temporary);
            cannot(&error)
        })
    }

    /// Checks that a file is one of those locked.
    ///
    /// # Errors
    ///
    /// If it is not listed, or was changed.
    pub fn check(&self, path: &Path) -> Result<()> {
        let file = file_name(path);
        let listed: Vec<&Entry> = self
            .plugins
            .iter()
            .filter(|entry| entry.file == file)
            .collect();
        let lock = self.path.display();
        let remedy = format!(
            "if you trust the file: `host plugin lock --plugin {}`",
            path.display()
        );
        if listed.is_empty() {
            return Err(Error::configuration(format!("is not listed in `{lock}`")).hint(remedy));
        }
        let found = sha256(path)?;
        if listed.iter().any(|entry| entry.sha256 == found) {
            return Ok(());
        }
        Err(Error::configuration(format!(
            "was changed since it was locked: its SHA-256 is {found}, `{lock}` has {}",
            listed[0].sha256
        ))
        .hint(remedy))
    }
}

/// The name of a file without its directory.
pub fn file_name(path: &Path) -> String {
    path.file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned()
}

/// SHA-256 of a file, in hexadecimal.
///
/// # Errors
///
/// If it cannot be read.
pub fn sha256(path: &Path) -> Result<String> {
    let cannot = |error: io::Error| Error::data(format!("cannot be read: {error}"));
    let mut file = File::open(path).map_err(cannot)?;
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; 1 << 16];
    loop {
        let read = file.read(&mut buffer).map_err(cannot)?;
        if read == 0 {
            let digest = hasher.finalize();
            return Ok(digest.iter().map(|byte| format!("{byte:02x}")).collect());
        }
        hasher.update(&buffer[..read]);
    }
}
